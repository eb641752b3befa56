"""Runs, report and command: nobody is lost, equal arguments give equal bytes, and bad input is said in one line."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from matchmaking.commands import simulate as command
from matchmaking.core.pool import load_pool
from matchmaking.simulation import measures
from matchmaking.simulation.arrivals import Arrivals
from matchmaking.simulation.comparison import rule_changes, verdict
from matchmaking.simulation.plots import Axis, number
from matchmaking.simulation.report import report, text_summary
from matchmaking.simulation.scenario import Scenario
from matchmaking.simulation.subject import subjects_of
from matchmaking.simulation.trace import EXPIRED, MATCHED, WAITING

POOLS = Path(__file__).parents[2] / "pools"


def manifest(name="duel", **changes):
    document = yaml.safe_load((POOLS / f"{name}.yaml").read_text())
    document["spec"] |= changes
    return document


def rules(name="duel", **changes):
    return load_pool(manifest(name, **changes)).spec


def simulated(pool, **fields):
    scenario = Scenario(**({"players": 600, "arrivals": Arrivals("poisson", 10.0)} | fields))
    return scenario, scenario.run(pool, scenario.population([pool]))


@pytest.mark.parametrize("name", ["duel", "squads"])
def test_nobody_is_lost_and_nobody_plays_twice(name):
    scenario, trace = simulated(rules(name))
    assert trace.population.size.sum() == scenario.players
    assert set(trace.outcome.tolist()) <= {MATCHED, EXPIRED}, "the run goes on until everybody has left"
    matched = trace.outcome == MATCHED
    assert ((trace.match >= 0) == matched).all()
    seated = np.bincount(trace.match[matched], weights=trace.population.size[matched])
    assert seated.tolist() == trace.matches.players.tolist(), "each match has exactly the players of its tickets"
    assert matched.mean() > 0.9
    assert (trace.wait >= 0).all()
    assert trace.wait.max() <= rules(name).ticket.ttl + scenario.round_every


def test_tickets_expire_at_their_ttl_and_say_what_blocked():
    apart = rules(rules=[{"name": "skill", "type": "distance", "maxDistance": 0.5}], expansions={}, ticket={"ttl": "30s"})
    _, trace = simulated(apart, players=300)
    gone = trace.outcome == EXPIRED
    assert gone.mean() > 0.5
    assert ((trace.wait[gone] >= 30) & (trace.wait[gone] <= 31)).all()
    assert sum(trace.expired_by.values()) == gone.sum()
    assert max(trace.expired_by, key=trace.expired_by.get) == "skill"
    assert max(trace.blocked, key=trace.blocked.get) == "skill"


def test_hours_end_a_run_before_all_have_arrived():
    _, trace = simulated(rules(), players=10_000, hours=0.01)
    assert trace.end == 36
    assert 250 < len(trace.population) < 500
    assert (trace.outcome == WAITING).sum() == trace.waiting[-1]


def test_the_clock_jumps_over_empty_hours():
    _, trace = simulated(rules(), players=40, arrivals=Arrivals("uniform", 1 / 3600))
    assert trace.population.times[-1] == 39 * 3600
    assert trace.rounds < 40 * 310


def test_tickets_spill_to_neighbours_after_their_time():
    lonely = rules(
        regions=[{"name": "eu", "neighbors": ["us"], "spillAfter": "20s"}, {"name": "us", "neighbors": ["eu"], "spillAfter": "20s"}],
        modes=["ranked"],
    )
    _, trace = simulated(lonely, players=60, arrivals=Arrivals("uniform", 0.05))
    assert trace.matches.spilled.any()
    assert (trace.matches.oldest[trace.matches.spilled] >= 20).all()


def test_newcomers_get_their_head_start():
    eager = rules(
        rules=[{"name": "skill", "type": "distance", "maxDistance": 0.01}],
        expansions={"steps": [{"target": "skill", "after": "30s", "disable": True}]},
        priority={"newcomerHeadStart": "25s"},
    )
    _, trace = simulated(eager, players=400)
    new = trace.population.newcomer
    assert trace.wait[new].mean() < trace.wait[~new].mean()


def test_figures_of_a_run_are_those_of_its_columns():
    _, trace = simulated(rules("squads"))
    figures = {figure.name: figure.value for figure in measures.summary(trace)}
    matched = trace.outcome == MATCHED
    assert figures["players"] == 600
    assert figures["matched"] == pytest.approx(100 * matched.mean())
    assert figures["wait, p95"] == pytest.approx(np.percentile(trace.wait[matched], 95))
    assert figures["fill"] == 100
    groups = {group.name: group for group in measures.fairness(trace)}
    assert groups["solo"].tickets + groups["in a party"].tickets == groups["everybody"].tickets == len(trace.population)
    _, sizes, cells = measures.wait_table(trace)
    assert sizes == ["solo", "party of 2", "party of 3", "party of 4", "party of 5"]
    assert sum(tickets for row in cells for _, tickets in row) == matched.sum()
    assert measures.gap_by_wait(trace, *measures.common_limits([trace])).sum() == len(trace.matches)


def test_fairness_in_the_shipped_pools():
    """What the report shows, held: no kind of player fares much worse than everybody, except at the ratings' margins."""
    for name in ("duel", "squads"):
        _, trace = simulated(rules(name), players=4000, arrivals=Arrivals("poisson", 20.0))
        groups = {group.name: group for group in measures.fairness(trace)}
        everybody = groups.pop("everybody")
        for kind in ("solo", "in a party", "newcomers", "regulars"):
            if kind in groups:
                assert groups[kind].matched >= everybody.matched - 2, (name, kind)
                assert groups[kind].waits[2] <= 2 * everybody.waits[2] + 2, (name, kind)
                assert groups[kind].quality >= everybody.quality - 0.1, (name, kind)


def page(*pools, **fields):
    scenario = Scenario(**({"players": 400, "arrivals": Arrivals("poisson", 10.0)} | fields))
    population = scenario.population(pools)
    subjects = subjects_of([f"pool{i}" for i in range(len(pools))], [scenario.run(pool, population) for pool in pools])
    return report(subjects, scenario), text_summary(subjects)


def test_the_report_holds_every_part_and_loads_nothing():
    text, _ = page(rules("squads"))
    for heading in ("Over time", "The matches", "Fairness", "Waits by region, rating and party", "What blocked", "What was assumed"):
        assert f"<h2>{heading}</h2>" in text
    assert text.count("<svg viewBox") > 6
    assert not re.search(r"https?://|<script|<link|@import|url\(|src=", text)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL).lower().replace("finance", "")


def test_a_comparison_marks_what_differs():
    narrow = [
        {"name": "skill", "type": "distance", "maxDistance": 40},
        {"name": "rematch", "type": "avoidRecentOpponents", "releaseAfter": "15s"},
    ]
    strict = rules(rules=narrow, expansions={})
    text, summary = page(rules(), strict)
    assert "What differs in the rules" in text
    assert "spec.rules[skill].maxDistance" in text
    assert 'class="better"' in text
    assert 'class="worse"' in text
    assert re.search(r"rating gap, median .* better", summary)
    assert re.search(r"wait, p95 .* worse", summary)


def test_rules_that_are_equal_differ_in_nothing():
    assert rule_changes(rules(), rules()) == []
    [change] = rule_changes(rules(), rules(ticket={"ttl": "4m"}))
    assert (change.path, change.first, change.second) == ("spec.ticket.ttl", "5m", "4m")


def test_changes_read_as_a_manifest_does_and_leave_out_what_neither_side_says():
    gone = {"steps": [{"target": "skill", "after": "40s", "disable": True}]}
    changes = {change.path: (change.first, change.second) for change in rule_changes(rules(expansions={}), rules(expansions=gone))}
    assert changes == {
        f"spec.expansions.steps[0: skill].{field}": ("–", said)
        for field, said in (("target", "skill"), ("after", "40s"), ("disable", "true"))
    }


@pytest.mark.parametrize(
    ("first", "second", "better", "expected"),
    [
        (10, 5, "lower", "better"),
        (10, 5, "higher", "worse"),
        (10, 5, "neither", "different"),
        (10, 10.05, "lower", "equal"),
        (np.nan, 1, "lower", "different"),
    ],
)
def test_verdicts(first, second, better, expected):
    assert verdict(first, second, better) == expected


def test_a_run_without_a_match_still_has_a_report():
    hopeless = rules(teams=[{"name": "side", "quantity": 2, "minPlayers": 300, "maxPlayers": 300}])
    text, summary = page(hopeless)
    assert "0.0 %" in summary
    assert "</html>" in text


def test_ticks_are_round_and_numbers_readable():
    assert Axis("x", 0, 15).ticks() == ["0.0", "2.5", "5.0", "7.5", "10.0", "12.5", "15.0"]
    assert Axis("x", 0, 1000).ticks() == ["0", "200", "400", "600", "800", "1\u202f000"]
    assert number(-1234.56, 1) == "\u22121\u202f234.6"
    assert number(float("nan")) == "–"


def run(*words):
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


def test_the_command_writes_the_same_bytes_in_every_process(tmp_path):
    """Another hash seed means another order of sets and another id for everything."""
    pages = []
    for seed in ("1", "2"):
        out = tmp_path / f"{seed}.html"
        script = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_simulation as t; sys.exit(t.run(*sys.argv[1:]))"
        )
        arguments = [POOLS / "squads.yaml", "--players", "800", "--seed", "9", "--compare", POOLS / "squads.yaml", "--out", out]
        subprocess.run(
            [sys.executable, "-c", script, *map(str, arguments)], env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True
        )
        pages.append(out.read_bytes())
    assert pages[0] == pages[1]


def test_the_command_prints_a_summary_and_keeps_stderr_clean(tmp_path, capsys):
    out = tmp_path / "report.html"
    assert run(POOLS / "duel.yaml", "--players", 200, "--out", out) == 0
    printed = capsys.readouterr()
    assert "wait, p95" in printed.out
    assert str(out) in printed.out
    assert printed.err == ""
    assert out.read_text().startswith("<!doctype html>")


def test_the_progress_bar_is_for_terminals(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run(POOLS / "duel.yaml", "--players", 2000) == 0
    shown = capsys.readouterr().err
    assert shown.startswith("\rduel [")
    assert shown.endswith("] 100%\n")
    assert shown.count("100%") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("missing.yaml",),
        ("POOL", "--arrivals", "50/s"),
        ("POOL", "--hours", "-1"),
        ("POOL", "--hours", "nan"),
        ("POOL", "--players", "0"),
        ("POOL", "--round-every", "0"),
        ("POOL", "--round-every", "0.0001"),
        ("POOL", "--seed", "-1"),
        ("POOL", "--out", "/nowhere/report.html"),
        ("POOL", "--out", "/tmp"),
        ("POOL", "--compare", "missing.yaml"),
        ("POOL", "--compare", str(POOLS / "examples" / "faf-2v2.yaml")),
        ("POOL", "--hours", "0.0000001", "--arrivals", "poisson:1/h"),
        (str(Path(__file__)),),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words, capsys):
    assert run(*(str(POOLS / "duel.yaml") if word == "POOL" else word for word in words)) == 2
    error = capsys.readouterr().err
    assert error.startswith("matchmaking simulate: ")
    assert error.count("\n") == 1
