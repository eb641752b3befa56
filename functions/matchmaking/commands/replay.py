"""`matchmaking replay LOG --pool NEW.yaml`: what recorded tickets would have come to under other rules."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matchmaking.core.pool import PoolRules
    from matchmaking.simulation.replay import Log, Outcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Which logs, which rules, where the report goes."""
    parser.add_argument(
        "log", type=Path, nargs="+", help="logs of a pool's matchers, see `recording` in its manifest and `matchmaking matcher --record`"
    )
    parser.add_argument("--pool", type=Path, required=True, metavar="FILE", help="the manifest whose rules are tried")
    parser.add_argument("--out", metavar="REPORT.html", type=Path, help="where the report goes; without it only the summary is printed")


def run(arguments: argparse.Namespace) -> int:
    """Replay, and show both sides."""
    from rich.console import Console
    from rich.table import Table

    from matchmaking.simulation.replay import ReplayError, happened, read_log, replay
    from matchmaking.simulation.trace import EXPIRED, LEFT

    from .simulate import BadInputError, check_writable, load_manifest

    try:
        rules = load_manifest(arguments.pool).spec
        if arguments.out is not None:
            check_writable(arguments.out)
    except BadInputError as problem:
        raise ReplayError(str(problem)) from problem
    try:
        log = read_log(*(file.read_bytes().splitlines(keepends=True) for file in arguments.log))
    except OSError as problem:
        raise ReplayError(f"{problem.filename}: {problem.strerror}") from problem
    then, now = happened(log), replay(log, rules)
    title = arguments.log[0].name if len(arguments.log) == 1 else f"{len(arguments.log)} logs"
    table = Table("", "then", f"by {arguments.pool.name}", title=title)
    table.add_row("matches", str(len(then.matches)), str(len(now.matches)))
    table.add_row("the same matches", "", str(len(set(map(frozenset, then.matches)) & set(map(frozenset, now.matches)))))
    table.add_row("tickets matched", str(len(then.waits)), str(len(now.waits)))
    for share in (0.5, 0.95):
        table.add_row(f"wait p{share * 100:.0f}", f"{_at(then.waits, share):.1f} s", f"{_at(now.waits, share):.1f} s")
    table.add_row("left by themselves", str(then.count(LEFT)), str(now.count(LEFT)))
    table.add_row("expired", str(then.count(EXPIRED)), str(now.count(EXPIRED)))
    table.add_row("still waiting", str(then.waiting), str(now.waiting))
    for name, column, digits in (("mean quality", 2, 3), ("mean rating gap", 3, 1)):
        table.add_row(name, *(f"{_mean([row[column] for row in side.rows]):.{digits}f}" for side in (then, now)))
    Console().print(table)
    if arguments.out is not None:
        arguments.out.write_text(_report(title, arguments.pool, log, rules, (then, now)), encoding="utf-8")
        Console().print(f"report: {arguments.out}")
    return 0


def _report(title: str, pool: Path, log: "Log", rules: "PoolRules", outcomes: "tuple[Outcome, Outcome]") -> str:
    from matchmaking.simulation.recorded import trace
    from matchmaking.simulation.report import replay_report
    from matchmaking.simulation.subject import Subject

    then, now = (trace(log, obeyed, outcome) for obeyed, outcome in zip((log.rules, rules), outcomes, strict=True))
    return replay_report(title, Subject("then", "a", then), Subject(pool.name, "b", now))


def _at(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
