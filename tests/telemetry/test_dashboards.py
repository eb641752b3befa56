"""The dashboards: every panel explains itself, every metric asked for exists, and none is forgotten."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from matchmaking.commands.observability import files
from matchmaking.telemetry.alerts import pool_alerts, service_alerts
from matchmaking.telemetry.dashboards.grafana import render
from matchmaking.telemetry.dashboards.overview import overview
from matchmaking.telemetry.dashboards.performance import performance
from matchmaking.telemetry.dashboards.pool import pool_board
from matchmaking.telemetry.dashboards.slo import slo
from matchmaking.telemetry.metrics import METRICS, series

CHART = Path(__file__).parents[2] / "charts" / "game-session-manager"
BOARDS = {board.uid: render(board) for board in (overview(), performance(), slo(), pool_board("duel", "mmp-duel"))}
BY_THE_PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}  # every exporter of the Prometheus client has them
UNSEEN: set[str] = set()  # metrics on no dashboard and in no alert; none so far


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions(board: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in panels(board) for target in panel["targets"]]


def asked(expression: str) -> set[str]:
    return set(re.findall(r"\b((?:game|matchmaking|process)_\w+)", expression))


@pytest.mark.parametrize("uid", BOARDS)
def test_every_panel_explains_itself(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        title = panel["title"]
        assert len(panel["description"]) > 10, title
        assert panel["description"].endswith("."), title
        assert panel["fieldConfig"]["defaults"]["unit"], title
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"], title
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, title
        assert panel["targets"], title
        assert all(target["legendFormat"] for target in panel["targets"]), title
        for link in panel.get("links", ()):
            assert (CHART / "runbooks" / link["url"].rpartition("/")[2]).exists(), title


@pytest.mark.parametrize("uid", BOARDS)
def test_variables_are_declared_and_used(uid: str) -> None:
    board = BOARDS[uid]
    declared = {variable["name"] for variable in board["templating"]["list"]}
    used = {name for expression in expressions(board) for name in re.findall(r"\$(?!__)(\w+)", expression)}
    assert declared == used | {"datasource"}
    assert [link["title"] for link in board["links"]] == ["Dashboards", "Runbooks"]


def test_titles_and_ids_are_unique() -> None:
    assert len({board["title"] for board in BOARDS.values()}) == len(BOARDS)
    for board in BOARDS.values():
        of_rows: dict[str, list[str]] = {"": []}
        row = ""
        for panel in board["panels"]:
            if panel["type"] == "row":
                row = panel["title"]
                of_rows[row] = []
            else:
                of_rows[row].append(panel["title"])
        assert all(len(set(titles)) == len(titles) for titles in of_rows.values())


def test_every_metric_asked_for_is_exported_by_code() -> None:
    exported = {name for metric in METRICS for name in series(metric)} | BY_THE_PROCESS
    for uid, board in BOARDS.items():
        for expression in expressions(board):
            assert asked(expression), f"{uid}: {expression}"
            assert asked(expression) <= exported, f"{uid}: {expression}"


def test_no_metric_is_on_no_dashboard_and_in_no_alert() -> None:
    seen = {name for board in BOARDS.values() for expression in expressions(board) for name in asked(expression)}
    seen |= {name for alert in (*pool_alerts(), *service_alerts()) for name in asked(alert.expr)}
    assert {metric.name for metric in METRICS if not seen & set(series(metric))} == UNSEEN


def test_the_checked_in_dashboards_are_what_the_code_says() -> None:
    for name, text in files().items():
        if name.endswith(".json"):
            assert json.loads((CHART / name).read_text()) == json.loads(text), "run: matchmaking observability"
            assert (CHART / name).read_text() == text
