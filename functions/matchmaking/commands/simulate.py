"""`matchmaking simulate POOL.yaml`: what a pool's rules do to players, before players feel it."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matchmaking.core.pool import MatchmakingPool
    from matchmaking.simulation.scenario import Scenario

BAR = 32  # characters
BAD_INPUT = 2
SHORTEST_ROUND = 0.01  # s between rounds; a run of shorter ones takes for ever and says nothing else

DESCRIPTION = """\
Let a seeded population queue in a pool, on a virtual clock around the same core that matches real players, and write a report.

--players distinct players arrive in all, each once, in tickets (parties) at the rate of --arrivals. The run ends when all of them have
been matched or have expired, or when --hours of virtual time are over, whichever comes first. The same arguments give the same bytes."""


class BadInputError(Exception):
    """Something in the arguments cannot be used; the message is for the person who typed them."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("pool", metavar="POOL.yaml", type=Path, help="the pool's manifest")
    parser.add_argument(
        "--players", type=int, default=10_000, help="distinct players that arrive in all, unless --hours end first (%(default)s)"
    )
    parser.add_argument(
        "--arrivals", default="poisson:10/s", help="tickets: poisson:RATE/s (follows the day) or uniform:RATE/s; also /m, /h (%(default)s)"
    )
    parser.add_argument("--hours", type=float, default=None, help="virtual hours after which the run ends in any case (no end)")
    parser.add_argument("--seed", type=int, default=1, help="names the population and every choice (%(default)s)")
    parser.add_argument("--round-every", type=float, default=1.0, metavar="SECONDS", help="virtual seconds between rounds (%(default)s)")
    parser.add_argument("--compare", metavar="OTHER.yaml", type=Path, help="a second pool for the same players, put beside the first")
    parser.add_argument("--out", metavar="REPORT.html", type=Path, help="where the report goes; without it only the summary is printed")


def run(arguments: argparse.Namespace) -> int:
    """Simulate, print the summary, write the report. Returns the exit code."""
    from matchmaking.core.errors import MatchmakingError

    try:
        _simulate(arguments)
    except (BadInputError, MatchmakingError) as problem:
        print(f"matchmaking simulate: {problem}", file=sys.stderr)  # noqa: T201 - a command's output
        return BAD_INPUT
    return 0


def _simulate(arguments: argparse.Namespace) -> None:
    scenario = _scenario(arguments)
    pools = [load_manifest(path) for path in (arguments.pool, arguments.compare) if path is not None]
    if arguments.out is not None:
        check_writable(arguments.out)
    from matchmaking.simulation.report import report, text_summary
    from matchmaking.simulation.subject import subjects_of

    rules = [pool.spec for pool in pools]
    population = scenario.population(rules)
    traces = [scenario.run(pool.spec, population, _progress(pool.name)) for pool in pools]
    subjects = subjects_of(_names(arguments, pools), traces)
    if arguments.out is not None:
        arguments.out.write_text(report(subjects, scenario), encoding="utf-8")
    print(text_summary(subjects) + (f"\n\nreport: {arguments.out}" if arguments.out is not None else ""))  # noqa: T201


def _names(arguments: argparse.Namespace, pools: "list[MatchmakingPool]") -> list[str]:
    """The pools' names; two versions of one pool go by their files' names."""
    names = [pool.name for pool in pools]
    return names if len(set(names)) == len(names) else [arguments.pool.stem, arguments.compare.stem]


def _scenario(arguments: argparse.Namespace) -> "Scenario":
    from matchmaking.simulation.arrivals import Arrivals
    from matchmaking.simulation.scenario import Scenario

    for name, value, least in (
        ("--players", arguments.players, 1),
        ("--hours", arguments.hours, 0),
        ("--round-every", arguments.round_every, 0),
    ):
        if value is not None and not (value >= least and 0 < value < 1e9):
            raise BadInputError(f"{name}: expected a number over {max(0, least - 1)}, got {value:g}")
    if arguments.round_every < SHORTEST_ROUND:
        raise BadInputError(f"--round-every: expected {SHORTEST_ROUND:g} seconds or more, got {arguments.round_every:g}")
    try:
        arrivals = Arrivals.parse(arguments.arrivals)
    except ValueError as problem:
        raise BadInputError(f"--arrivals: {problem}") from problem
    if arguments.seed < 0:
        raise BadInputError(f"--seed: expected 0 or more, got {arguments.seed}")
    return Scenario(
        players=arguments.players, arrivals=arrivals, hours=arguments.hours, seed=arguments.seed, round_every=arguments.round_every
    )


def load_manifest(path: Path) -> "MatchmakingPool":
    from matchmaking.core.errors import InvalidPoolError
    from matchmaking.core.pool import load_pool

    from .lint import read_documents

    try:
        documents = read_documents(path)
    except (OSError, ValueError) as problem:
        raise BadInputError(f"{path}: {problem}") from problem
    if len(documents) > 1:
        raise BadInputError(f"{path}: holds {len(documents)} documents; one run takes one pool")
    try:
        return load_pool(documents[0])
    except InvalidPoolError as problem:
        raise BadInputError(f"{path}: {problem}") from problem


def check_writable(path: Path) -> None:
    """Before a long run, not after it."""
    if path.is_dir():
        raise BadInputError(f"--out: {path} is a directory; name a file in it")
    if not path.parent.is_dir():
        raise BadInputError(f"--out: the directory {path.parent} does not exist")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise BadInputError(f"--out: {path} cannot be written")


def _progress(name: str) -> Callable[[float], None]:
    """A bar on a terminal; silence elsewhere."""
    if not sys.stderr.isatty():
        return lambda _: None

    def show(share: float) -> None:
        done = round(share * BAR)
        print(f"\r{name} [{'#' * done}{'.' * (BAR - done)}] {share:4.0%}", end="\n" if share >= 1 else "", file=sys.stderr, flush=True)  # noqa: T201

    return show
