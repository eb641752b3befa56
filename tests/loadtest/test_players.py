"""The load generator: what it draws, what it says of broken promises, and one small run against real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from players.ledger import Books, Ledger
from players.rates import Rate
from players.scenarios import SCENARIOS
from players.watch import parse

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "share", "expected"),
    [("200", 0.7, 200.0), ("50..500", 0.0, 50.0), ("50..500", 0.5, 275.0), ("50,200,500", 0.32, 50.0), ("50,200,500", 0.34, 200.0)],
)
def test_a_rate_is_steady_rising_or_in_steps(text: str, share: float, expected: float) -> None:
    assert Rate.parse(text).at(share) == expected


@pytest.mark.parametrize("text", ["", "fast", "1..2..3", "-5", "50..", "nan"])
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        Rate.parse(text)


def test_arrivals_follow_the_rate_and_the_seed() -> None:
    rate = Rate.parse("0..1000")
    times = list(rate.arrivals(60.0, Random(7)))
    assert times == list(rate.arrivals(60.0, Random(7))) != list(rate.arrivals(60.0, Random(8)))
    assert times == sorted(times)
    assert all(0 <= at < 60 for at in times)
    assert abs(len(times) - 30_000) < 6 * 30_000**0.5  # six standard deviations of a Poisson count
    first = sum(at < 30 for at in times)
    assert 0.2 < first / len(times) < 0.3  # a quarter of a triangle's area


def test_processes_that_share_a_rate_make_the_whole_together() -> None:
    rate = Rate.parse("400")
    total = sum(len(list(rate.arrivals(50.0, Random(f"1/{worker}"), 1 / 4))) for worker in range(4))
    assert abs(total - 20_000) < 6 * 20_000**0.5


def verdicts(*ledgers: Ledger) -> dict[str, int]:
    """How often each promise was broken."""
    books = Books()
    books.closings = [ledger.close() for ledger in ledgers]
    return {what: times for what, times, _ in books.verdicts(len(ledgers))}


def matched(*players: str) -> Ledger:
    """A ledger of a duel of which these players heard."""
    ledger = Ledger(0)
    for player in ("ann", "bob"):
        ledger.acknowledged(f"ticket-{player}")
    for player in players:
        ledger.matched(player, f"ticket-{player}", "match-1", 2)
    return ledger


def test_a_duel_of_which_both_hear_breaks_nothing() -> None:
    assert not any(verdicts(matched("ann", "bob")).values())


def test_a_ticket_without_an_end_is_lost() -> None:
    broken = verdicts(matched("ann"))
    assert broken["every acknowledged ticket has an end"] == 1
    assert broken["everybody in a match heard of it"] == 1


def test_a_ticket_in_two_matches_is_twice() -> None:
    ledger = matched("ann", "bob")
    ledger.matched("ann", "ticket-ann", "match-2", 1)
    assert verdicts(ledger)["no ticket and no player has two"] == 1


def test_a_ticket_that_was_matched_and_left_is_twice() -> None:
    ledger = matched("ann", "bob")
    ledger.left("ticket-bob", "expired")
    assert verdicts(ledger)["no ticket and no player has two"] == 1


def test_the_end_may_come_before_the_acknowledgement() -> None:
    ledger = Ledger(0)
    ledger.matched("ann", "ticket-ann", "match-1", 1)
    ledger.acknowledged("ticket-ann")
    assert not any(verdicts(ledger).values())


def test_a_ticket_that_waits_again_has_no_end_yet_and_may_be_matched_anew() -> None:
    ledger = matched("ann", "bob")
    ledger.back("ticket-ann")
    assert verdicts(ledger)["every acknowledged ticket has an end"] == 1
    ledger.matched("ann", "ticket-ann", "match-2", 1)
    assert not any(verdicts(ledger).values())


def test_a_match_across_two_processes_is_put_together() -> None:
    here, there = Ledger(0), Ledger(1)
    for ledger, player in ((here, "ann"), (there, "bob")):
        ledger.acknowledged(f"ticket-{player}")
        ledger.matched(player, f"ticket-{player}", "match-1", 2)
    assert not any(verdicts(here, there).values())


def test_a_process_without_a_last_word_is_told() -> None:
    assert Books().verdicts(2)[-1][1] == 2


def test_prometheus_text_is_read_with_its_labels() -> None:
    found = parse('# HELP x y\ngame_queue_length{mode="ranked",pool="duel",region="local"} 7.0\nprocess_cpu_seconds_total 1.5\n')
    assert found["game_queue_length"] == [({"mode": "ranked", "pool": "duel", "region": "local"}, 7.0)]
    assert found["process_cpu_seconds_total"] == [({}, 1.5)]


def test_a_small_run_keeps_the_promises_and_reports_them(tmp_path: Path) -> None:
    words = ["duel-rush", "--rate", "20..40", "--seconds", "3", "--players", "20", "--processes", "2", "--out", str(tmp_path / "load.html")]
    command = [sys.executable, "-m", "loadtest.players", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "load.json").read_text())
    assert figures["counts"]["joined"] == figures["counts"]["arrived"] > 30
    assert figures["latencies_ms"]["match found"]["count"] > 20
    assert {"gateway", "matchers", "redis"} <= set(figures["cpu_seconds"])
    assert [promise["broken"] for promise in figures["promises"]] == [0, 0, 0, 0]
    page = (tmp_path / "load.html").read_text()
    assert "Load: duel-rush" in page
    assert page.count("<svg") >= 7
    assert "http://" not in page.replace("http://127.0.0.1", "")  # nothing is loaded from anywhere


def test_it_starts_without_what_the_image_lacks() -> None:
    code = "import sys; sys.modules.update(dict.fromkeys(('psutil', 'deployment', 'players.own'))); import players.__main__, players.worker"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "loadtest")}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)


def test_every_scenario_says_what_it_is() -> None:
    for name, scenario in SCENARIOS.items():
        assert scenario.name == name
        assert len(scenario.what) > 20
        Rate.parse(scenario.rate)
