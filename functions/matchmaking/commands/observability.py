"""`matchmaking observability`: writes the dashboards and alert rules that ship with the chart."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HEAD = "# Written by `matchmaking observability`; change functions/matchmaking/telemetry/alerts.py instead.\n"
CHART = Path("charts/game-session-manager")


def configure(parser: argparse.ArgumentParser) -> None:
    """Where to, or only compare."""
    parser.add_argument("--chart", type=Path, default=CHART, help=f"the chart's folder (default: {CHART})")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not what it should be")


def run(arguments: argparse.Namespace) -> int:
    """Write the files, or compare them."""
    stale = []
    for name, text in files().items():
        file = arguments.chart / name
        if file.exists() and file.read_text() == text:
            continue
        stale.append(file)
        if not arguments.check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    for file in stale:
        print(f"{file}: {'is stale; run: matchmaking observability' if arguments.check else 'written'}", file=sys.stderr)  # noqa: T201
    return 1 if stale and arguments.check else 0


def files() -> dict[str, str]:
    """Path within the chart → content. The pools' alerts are for a Prometheus without its operator: with it, our operator makes them for each pool."""
    from matchmaking.telemetry.alerts import groups, pool_alerts, service_alerts
    from matchmaking.telemetry.dashboards.grafana import render
    from matchmaking.telemetry.dashboards.overview import overview
    from matchmaking.telemetry.dashboards.performance import performance
    from matchmaking.telemetry.dashboards.slo import slo

    boards = {board.uid.removeprefix("gsm-"): render(board) for board in (overview(), performance(), slo())}
    return {
        "files/pool-alerts.yaml": rules_file(groups("matchmaking-pools", pool_alerts())),
        "files/alerts/service.yaml": rules_file(groups("matchmaking-service", service_alerts())),
        **{f"files/dashboards/{name}.json": json.dumps(board, indent=1, sort_keys=True) + "\n" for name, board in boards.items()},
    }


def rules_file(groups: list[dict[str, Any]]) -> str:
    """A Prometheus rules file."""
    import yaml

    class Literal(yaml.SafeDumper):
        """Writes texts of several lines as they are."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Literal.add_representer(str, text)
    return HEAD + yaml.dump({"groups": groups}, Dumper=Literal, sort_keys=False, allow_unicode=True, width=1000)
