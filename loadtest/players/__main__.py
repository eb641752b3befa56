"""`python -m loadtest.players SCENARIO`: see the package."""

import argparse
import asyncio
import sys
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # the programmes beside us import each other by bare names

import msgspec
import uvloop
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from .ledger import Books, percentile
from .rates import Rate
from .report import as_json, lines_of, report
from .run import Options, Outcome, run
from .scenarios import SCENARIOS

RECENT = 5.0  # s that the progress bar's percentile looks back


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m loadtest.players", description="Play players against a deployment, and report what it did."
    )
    top.add_argument(
        "scenario", choices=SCENARIOS, metavar="SCENARIO", help="; ".join(f"{name}: {each.what}" for name, each in SCENARIOS.items())
    )
    top.add_argument("--rate", help="arrivals per second: `200`, rising `50..500`, or in steps `50,200,500` (default: the scenario's)")
    top.add_argument("--seconds", type=float, default=60.0, help="of arrivals (default 60)")
    top.add_argument(
        "--settle", type=float, default=10.0, help="seconds in which those who still wait may be matched, before they leave (default 10)"
    )
    top.add_argument("--players", type=int, help="connected beforehand (default: the scenario's)")
    top.add_argument("--processes", type=int, default=2, help="of players (default 2)")
    top.add_argument("--seed", type=int, default=1)
    top.add_argument("--out", type=Path, help="the report, HTML; its figures go beside it as JSON. None: no files")
    top.add_argument("--json-only", action="store_true", help="print the figures as JSON on stdout, for machines")
    there = top.add_argument_group("a deployment that runs (else one is started here, on the loopback address)")
    there.add_argument("--url", action="append", default=[], help="a gateway's address; repeat it for several")
    there.add_argument(
        "--metrics", action="append", default=[], help="the address of a gateway's metrics, for CPU, memory and queues; repeat it"
    )
    there.add_argument(
        "--tokens",
        default="",
        help="a file with a player and a token in each line. Without it tokens are signed as `matchmaking token` does: with the key of `matchmaking dev`, "
        "or the one that MATCHMAKING_SIGNING_KEY_FILE names",
    )
    there.add_argument("--gateways", type=int, help="of a deployment started here (default: the scenario's)")
    return top


def options_of(arguments: argparse.Namespace) -> Options:
    """What the command line asks for.

    Raises:
        ValueError: a rate that is none.
    """
    scenario = SCENARIOS[arguments.scenario]
    rate = arguments.rate or scenario.rate
    Rate.parse(rate)
    players = scenario.players if arguments.players is None else arguments.players
    gateways = arguments.gateways or scenario.gateways
    return Options(
        *(arguments.scenario, rate, arguments.seconds, arguments.seed, players, arguments.processes, gateways, arguments.settle),
        url=tuple(url.rstrip("/") for url in arguments.url),
        metrics=tuple(arguments.metrics),
        tokens=arguments.tokens,
    )


class Bar:
    """The progress bar, and what matters beside it."""

    def __init__(self, progress: Progress, options: Options) -> None:
        self._progress, self._options = progress, options
        self._task = progress.add_task("connecting", total=options.seconds, what="")
        self._counts: Counter[str] = Counter()
        self._pages = 0

    def show(self, seconds: float, books: Books) -> None:
        """Draw."""
        for page in books.pages[self._pages :]:
            self._counts.update(page.counts)
        self._pages = len(books.pages)
        recent = sorted(ms for page in books.pages[-50:] if page.at > seconds - RECENT for ms in page.latencies.get("match found", []))
        waiting = sum({page.worker: page.waiting for page in books.pages[-20:]}.values())
        refused = sum(times for what, times in self._counts.items() if what.startswith("refused"))
        told = f"joined {self._counts['joined']:,}  waiting {waiting:,}  refused {refused:,}  p99 {percentile(recent, 99):,.0f} ms"
        settling = seconds > self._options.seconds
        self._progress.update(
            self._task, completed=max(0.0, seconds), description="settling" if settling else self._options.scenario, what=told
        )


def main() -> int:
    """Run, report, and say by the exit code whether the promises were kept."""
    top = parser()
    arguments = top.parse_args()
    try:
        options = options_of(arguments)
    except ValueError as error:
        top.error(str(error))
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[what]}"))
    with (
        Progress(*columns, disable=arguments.json_only or not sys.stderr.isatty()) as progress,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        outcome: Outcome = runner.run(run(options, Bar(progress, options).show))
    figures = as_json(outcome)
    if arguments.json_only:
        print(msgspec.json.encode(figures).decode())
    else:
        print("\n".join(lines_of(outcome)))
    if arguments.out:
        arguments.out.write_text(report(outcome))
        beside = arguments.out.with_suffix(".json")
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1))
        print(f"report: {arguments.out}, figures: {beside}", file=sys.stderr)
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main())
