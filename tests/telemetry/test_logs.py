"""Logs: one line for each thing that happened, the same from every process, without what must not be written down."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from matchmaking.telemetry.logs import configure_logs, happened, hashed

log = logging.getLogger("matchmaking.test")


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def say() -> None:
    happened(log, "ticket quarantined", ticket="t-1", pool="duel", seconds=1.5, reason='no "rating"\nat all', error=ValueError("x"))
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        log.exception("a background task failed")
    logging.getLogger("another.library").warning("%d of %d", 1, 2)


@pytest.mark.parametrize("quick", [False, True])
def test_json_is_one_line_for_each_thing_that_happened(capsys: pytest.CaptureFixture[str], quick: bool) -> None:
    configure_logs("json", quick=quick)
    say()
    ticket, failure, other = map(json.loads, lines(capsys))
    assert list(ticket) == ["time", "level", "logger", "event", "ticket", "pool", "seconds", "reason", "error"]
    assert (ticket["level"], ticket["event"], ticket["seconds"]) == ("info", "ticket quarantined", 1.5)
    assert ticket["time"].endswith("Z")
    assert "RuntimeError: boom" in failure["exception"]
    assert (other["logger"], other["event"], other["level"]) == ("another.library", "1 of 2", "warning")


def test_matchers_write_the_same_lines_as_everybody(capsys: pytest.CaptureFixture[str]) -> None:
    written = []
    for quick in (False, True):
        configure_logs("json", quick=quick)
        say()
        found = [json.loads(line) | {"time": ""} for line in lines(capsys)]
        written.append([list(line.items()) for line in found])
    assert written[0] == written[1]


@pytest.mark.parametrize("quick", [False, True])
def test_text_can_be_read(capsys: pytest.CaptureFixture[str], quick: bool) -> None:
    configure_logs("text", quick=quick)
    happened(log, "matcher ended", pool="duel", matches=3)
    (line,) = lines(capsys)
    assert "matcher ended" in line
    assert "pool=duel" in line
    assert "matches=3" in line
    assert "\x1b" not in line, "no colours where nobody sees them"


@pytest.mark.parametrize("quick", [False, True])
def test_ids_are_hashed_under_a_key(capsys: pytest.CaptureFixture[str], quick: bool) -> None:
    configure_logs("json", id_key="secret", quick=quick)
    happened(log, "x", player="alice", ticket="t-1", match="", pool="duel")
    (line,) = map(json.loads, lines(capsys))
    assert line["player"] == hashed("alice", "secret") != hashed("alice", "other")
    assert line["ticket"] == hashed("t-1", "secret")
    assert (line["match"], line["pool"]) == ("", "duel")


def test_fields_outside_the_list_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\['token'\]"):
        happened(log, "signed in", token="secret")


def test_levels_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "WARNING")
    happened(log, "a round")
    happened(log, "lost", level=logging.WARNING)
    assert [json.loads(line)["event"] for line in lines(capsys)] == ["lost"]


def test_a_matcher_loads_neither_structlog_nor_prometheus() -> None:
    unwanted = "{'structlog', 'prometheus_client', 'opentelemetry', 'rich'}"
    code = f"import sys, matchmaking.matcher.main; print(sorted({unwanted} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_opentelemetry_can_still_be_loaded_after_the_store() -> None:
    code = "import matchmaking.store.connect, opentelemetry.metrics, opentelemetry.trace"
    subprocess.run([sys.executable, "-c", code], check=True)
