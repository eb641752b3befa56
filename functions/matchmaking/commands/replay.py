"""`matchmaking replay LOG --pool NEW.yaml`: what recorded tickets would have come to under other rules."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Which log, which rules."""
    parser.add_argument("log", type=Path, help="a log that `matchmaking matcher --record FOLDER` has written")
    parser.add_argument("--pool", type=Path, required=True, metavar="FILE", help="the manifest whose rules are tried")


def run(arguments: argparse.Namespace) -> int:
    """Replay, and show both sides."""
    from rich.console import Console
    from rich.table import Table

    from matchmaking.simulation.replay import ReplayError, happened, read_log, replay

    from .simulate import load_manifest

    try:
        log = read_log(arguments.log.read_bytes().splitlines())
    except OSError as problem:
        raise ReplayError(f"{arguments.log}: {problem.strerror}") from problem
    rules = load_manifest(arguments.pool).spec
    then, now = happened(log), replay(log, rules)
    table = Table("", "then", f"by {arguments.pool.name}", title=str(arguments.log))
    table.add_row("matches", str(len(then.matches)), str(len(now.matches)))
    table.add_row("the same matches", "", str(len(set(map(frozenset, then.matches)) & set(map(frozenset, now.matches)))))
    table.add_row("tickets matched", str(len(then.waits)), str(len(now.waits)))
    for share in (0.5, 0.95):
        table.add_row(f"wait p{share * 100:.0f}", f"{_at(then.waits, share):.1f} s", f"{_at(now.waits, share):.1f} s")
    table.add_row("left by themselves", str(then.left), str(now.left))
    table.add_row("expired", "", str(now.expired))
    table.add_row("still waiting", str(then.waiting), str(now.waiting))
    table.add_row("mean quality", "", f"{_mean(now.qualities):.3f}")
    table.add_row("mean rating gap", "", f"{_mean(now.gaps):.1f}")
    Console().print(table)
    return 0


def _at(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
