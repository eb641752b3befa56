"""How fast the simulator is: 100,000 players on each shipped pool, and how much of that is the core.

    python loadtest/bench_simulation.py [--players 100000] [--arrivals poisson:50/s] [POOL.yaml ...]

The floor is the time inside `find_matches`; what is over it is the simulator's own. The target is a minute for each pool on one core.
"""

import argparse
import time
from pathlib import Path
from random import Random

import yaml

from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules, load_pool
from matchmaking.core.queue import QueueView
from matchmaking.core.round import Round
from matchmaking.simulation.arrivals import Arrivals
from matchmaking.simulation.report import report
from matchmaking.simulation.scenario import Scenario
from matchmaking.simulation.subject import subjects_of

POOLS = Path(__file__).parents[1] / "pools"
TARGET = 60.0  # s


class TimedCore:
    """The core with a stopwatch: adds up the seconds inside `find_matches`."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, queue: QueueView, rules: PoolRules, now: float, random: Random) -> Round:
        started = time.perf_counter()
        found = find_matches(queue, rules, now, random)
        self.seconds += time.perf_counter() - started
        return found


def measure(name: str, rules: PoolRules, scenario: Scenario) -> None:
    """Run once and print one line."""
    core = TimedCore()
    started = time.perf_counter()
    population = scenario.population([rules])
    populated = time.perf_counter()
    trace = scenario.run(rules, population, find=core)
    ran = time.perf_counter()
    page = report(subjects_of([name], [trace]), scenario)
    written = time.perf_counter()
    total = written - started
    own = total - core.seconds
    print(
        f"{name:<10} {scenario.players:>9,} players  {trace.rounds:>7,} rounds  {len(trace.matches):>7,} matches  total {total:6.2f} s"
        f"  (target {TARGET:g} s: {'kept' if total <= TARGET else 'MISSED'})  core {core.seconds:6.2f} s  own {own:5.2f} s ({own / total:.0%})"
        f"  population {populated - started:.2f} s  report {written - ran:.2f} s, {len(page) // 1024} KiB"
    )


def main() -> None:
    """Measure each pool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pools", nargs="*", type=Path, default=[POOLS / "duel.yaml", POOLS / "squads.yaml"])
    parser.add_argument("--players", type=int, default=100_000)
    parser.add_argument("--arrivals", type=Arrivals.parse, default=Arrivals("poisson", 50.0))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    scenario = Scenario(players=arguments.players, arrivals=arguments.arrivals, hours=6, seed=arguments.seed)
    for path in arguments.pools:
        pool = load_pool(yaml.safe_load(path.read_text(encoding="utf-8")))
        measure(pool.name, pool.spec, scenario)


if __name__ == "__main__":
    main()
