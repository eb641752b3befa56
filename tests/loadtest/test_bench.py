"""The headline table: what is read of the benchmarks, what is made of it, and that the documents say what the last committed result says."""

import json
import math
from pathlib import Path

import pytest

import bench_scale
import bench_table
from bench import figures_of

ROOT = Path(__file__).parents[2]
RESULT = json.loads((ROOT / "loadtest" / "results" / "headline.json").read_text())


def test_readmes_table_is_the_last_committed_results() -> None:
    readme = (ROOT / "README.md").read_text()
    assert bench_table.write(readme, RESULT) == readme, "run: python loadtest/bench_table.py"


def test_what_large_crowds_need_is_computed_from_the_last_committed_result() -> None:
    scale = (ROOT / "loadtest" / "SCALE.md").read_text()
    assert bench_scale.write(scale, RESULT) == scale, "run: python loadtest/bench_scale.py"


def test_figures_are_read_as_the_benchmarks_print_them(capsys: pytest.CaptureFixture[str]) -> None:
    from bench_matching import Sheet
    from deployment import Table

    Table().line("3000/s: CPU per 1,000 tickets: all", 0.25, "s", 0.3)
    Table().line("overload: tickets and players matched twice", 0, "", 0)
    Sheet().row("1v1 100,000: round, sorted anew / argsort", 2.345, "x", 3.0)
    print("--- 100 joins/s for 10 s: nobody's figure")
    assert figures_of(capsys.readouterr().out) == {
        "3000/s: CPU per 1,000 tickets: all": 0.25,
        "overload: tickets and players matched twice": 0.0,
        "1v1 100,000: round, sorted anew / argsort": 2.345,
    }


def test_a_missed_target_and_a_missing_figure_are_told() -> None:
    rows = {row.name: row for row in bench_table.headlines({"1000/s: join due → match_found, p99": 180.0})}
    assert rows["p99 from join to match at 1,000/s"].verdict == "falls short"
    assert rows["overload: tickets lost"].verdict == "not measured"


def test_a_rate_is_sustained_only_if_all_lower_ones_are() -> None:
    waits = {500: 90.0, 1000: 400.0, 2000: 120.0}
    assert bench_table.sustained({f"{rate}/s: join due → match_found, p99": p99 for rate, p99 in waits.items()}) == 500
    assert bench_table.sustained({"500/s: join due → match_found, p99": 0.0}) == 0  # nobody was matched


def test_the_exponent_is_the_slope_of_the_logarithms() -> None:
    assert math.isclose(bench_table.exponent([(10, 3 * 10**1.5), (100, 3 * 100**1.5), (1000, 3 * 1000**1.5)]), 1.5)
