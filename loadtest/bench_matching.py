"""How fast the matching is, beside its floor, on one core: `python loadtest/bench_matching.py [--quick] [--json FILE]`.

Each figure is the best of several runs, and the floor is measured in the same run just before it. What is counted:

- A *round* is everything between a queue view that knows its tickets and the complete list of who plays with whom: ages, windows, program,
  pairs. `sorted anew` adds sorting the columns from nothing, which a matcher does once in its life. Decoding tickets and reading them into
  the view is counted apart (`taken in`), and so is turning pairs into `Match` objects with win chances and sentences (`written out`),
  which a matcher does at the pace at which it commits them.
- `incremental` is the other way round: 1 % of the tickets leave, as many come, and a round; a *full* one takes in all of them and makes a round.
"""

import argparse
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import networkx as nx
import numpy as np

from matchmaking.core.balance import seatings
from matchmaking.core.matching import find_matches
from matchmaking.core.pool import MatchmakingPool, PoolRules, load_pool
from matchmaking.core.queue import QueueView
from matchmaking.core.team_columns import most_even
from matchmaking.core.ticket import Player, Ticket

NOW = 1_700_000_000.0
DUEL = {
    "teams": [{"name": "side", "quantity": 2}],
    "rules": [{"name": "skill", "type": "distance", "maxDistance": 50}],
    "expansions": {"steps": [{"target": "skill.maxDistance", "every": "10s", "by": 25, "limit": 200}]},
}
SPARSE = {**DUEL, "rules": [{"name": "skill", "type": "distance", "maxDistance": 20}]}
FIVES = {
    "teams": [{"name": "side", "quantity": 2, "minPlayers": 5, "maxPlayers": 5}],
    "party": {"maxSize": 5},
    "rules": [
        {"name": "skill", "type": "distance", "maxDistance": 200},
        {"name": "balance", "type": "teamDistance", "maxDistance": 50},
    ],
    "expansions": {"steps": [{"target": "skill.maxDistance", "after": "15s", "value": 400}]},
}


def pool(spec: dict[str, Any]) -> PoolRules:
    """Rules from a spec; one region, one mode."""
    whole = {"regions": [{"name": "eu"}], "modes": ["ranked"], **spec}
    manifest = {"apiVersion": "gamesessions.dev/v1alpha1", "kind": "MatchmakingPool", "metadata": {"name": "bench"}, "spec": whole}
    loaded: MatchmakingPool = load_pool(manifest)
    return loaded.spec


def tickets_of(count: int, sizes: tuple[int, ...] = (1,), spread: float = 350.0, seed: int = 1, name: str = "t") -> list[Ticket]:
    """Tickets with normal ratings that have waited up to a minute, until there are `count` players."""
    random, found, players = Random(seed), [], 0
    while players < count:
        size = random.choice(sizes)
        rating = random.gauss(1500, spread)
        members = tuple(Player(f"{name}{players + k}", rating + random.gauss(0, 50) * (size > 1), 80.0) for k in range(size))
        found.append(Ticket(f"{name}{players}", "eu", "ranked", members, NOW - random.random() * 60))
        players += size
    return found


def best(run: Callable[[], Any], times: int) -> float:
    """Seconds of the fastest of several runs."""
    fastest = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        run()
        fastest = min(fastest, time.perf_counter() - started)
    return fastest


class Sheet:
    """Prints each figure beside its target, and keeps them."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def row(self, what: str, measured: float, unit: str, target: float | None = None, *, at_least: bool = False) -> None:
        """One figure."""
        held = None if target is None else (measured >= target if at_least else measured <= target)
        sign = "≥" if at_least else "≤"
        mark = "" if held is None else f"   target {sign} {target:g}{unit}   {'held' if held else 'MISSED'}"
        print(f"{what:<66}{measured:>12.4g}{unit:<4}{mark}", flush=True)
        self.rows.append({"what": what, "measured": measured, "unit": unit, "target": target, "held": held})


def duels(sheet: Sheet, count: int, times: int) -> None:
    """1v1 with windows that widen ticket by ticket."""
    rules, tickets, random = pool(DUEL), tickets_of(count), Random(1)
    ratings = np.array([ticket.players[0].rating for ticket in tickets])
    view = QueueView(tickets)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    started = time.perf_counter()
    view.columns(rules)
    taken_in = time.perf_counter() - started
    memory = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    bucket = view.columns(rules).buckets["eu", "ranked"]
    shuffle = np.random.default_rng(1).permutation(count)

    def anew() -> None:
        bucket.sort()
        find_matches(view, rules, NOW, random)

    bucket._take(shuffle)  # noqa: SLF001 - the sort must have something to do
    floor = best(lambda: np.argsort(ratings), times)
    anew_time = float("inf")
    for _ in range(times):
        bucket._take(shuffle)  # noqa: SLF001
        anew_time = min(anew_time, best(anew, 1))
    kept_time = best(lambda: find_matches(view, rules, NOW, random), times)
    found = find_matches(view, rules, NOW, random)
    some = min(2000, len(found.matches))
    written = best(lambda: found.matches[:some], 1) / some
    print(f"\n1v1, {count:,} waiting: {len(found.matches):,} matches; floor: numpy argsort {floor * 1000:.2f} ms")
    sheet.row(f"1v1 {count:,}: round, sorted anew / argsort", anew_time / floor, "x", 3.0)
    sheet.row(f"1v1 {count:,}: round, columns kept / argsort", kept_time / floor, "x", 3.0)
    sheet.row(f"1v1 {count:,}: round, columns kept", kept_time * 1000, "ms")
    sheet.row(f"1v1 {count:,}: columns, memory per ticket", memory, "B", 200.0)
    sheet.row(f"1v1 {count:,}: taken in, per ticket (tracing memory)", taken_in / count * 1e6, "µs")
    sheet.row(f"1v1 {count:,}: written out, per match", written * 1e6, "µs")


def incremental(sheet: Sheet, count: int, times: int) -> None:
    """A round after 1 % of the tickets changed."""
    rules, tickets, random = pool(DUEL), tickets_of(count), Random(1)

    def full() -> None:
        find_matches(QueueView(tickets), rules, NOW, random)

    view = QueueView(tickets)
    find_matches(view, rules, NOW, random)
    kept = best(lambda: find_matches(view, rules, NOW, random), times)
    fresh = tickets_of(count // 100, seed=2, name="n")
    leaving = random.sample(tickets, count // 100)

    def changed() -> None:
        for ticket in leaving:
            view.remove(ticket.id)
        for ticket in fresh:
            view.add(ticket)
        find_matches(view, rules, NOW, random)

    fastest = float("inf")
    for _ in range(times):
        fastest = min(fastest, best(changed, 1))
        for ticket in fresh:
            view.remove(ticket.id)
        for ticket in leaving:
            view.add(ticket)
        find_matches(view, rules, NOW, random)
    whole = best(full, 2)
    print(f"\nincremental, {count:,} waiting, {len(fresh):,} left and {len(fresh):,} came")
    sheet.row("incremental: round after 1 % changed / full one", fastest / whole, "x", 0.2)
    sheet.row("incremental: round after 1 % changed", fastest * 1000, "ms")
    sheet.row("incremental: the same over a round after no change", fastest / kept, "x")


def fives(sheet: Sheet, count: int, times: int) -> None:
    """5v5 with parties and balance."""
    rules, random = pool(FIVES), Random(1)
    view = QueueView(tickets_of(count, (1, 1, 1, 2, 2, 3, 4, 5)))
    view.columns(rules)
    found = find_matches(view, rules, NOW, random)
    took = best(lambda: find_matches(view, rules, NOW, random), times)
    matches = len(found.matches)
    started = time.perf_counter()
    written = found.matches[:1000]
    writing = (time.perf_counter() - started) / len(written)
    imbalance = sorted(match.imbalance for match in written)
    print(
        f"\n5v5 with parties, {count:,} players waiting: {matches:,} matches, {len(found.reasons):,} tickets left; median imbalance {imbalance[len(imbalance) // 2]:.1f}"
    )
    sheet.row("5v5: round, per 1,000 matches", took / matches * 1e6, "ms", 60.0)
    sheet.row("5v5: with every match written out, per 1,000 matches", (took / matches + writing) * 1e6, "ms")
    ratings = np.random.default_rng(1).normal(1500, 100, (4096, 10))
    ways = seatings(((5, 5, 0), (5, 5, 0)), (1,) * 10)
    sheet.row(
        f"5v5: exact balance ({len(ways)} ways), per match", best(lambda: most_even(ratings, ways, 2, 5), times) / 4096 * 1e6, "µs", 2.0
    )


def oracle_pairs(rules: PoolRules, tickets: list[Ticket]) -> tuple[int, float]:
    """Pairs of a minimum-weight maximum matching, and its time: the rules told again, for a `distance` with linear widening."""
    step, base = rules.expansions.steps[0], 20.0
    windows = [min(200.0, base + (step.by or 0) * (ticket.age(NOW) // 10)) for ticket in tickets]
    graph: nx.Graph[int] = nx.Graph()
    for i, a in enumerate(tickets):
        for j in range(i):
            gap = abs(a.players[0].rating - tickets[j].players[0].rating)
            if gap <= (windows[i] if a.age(NOW) >= tickets[j].age(NOW) else windows[j]):
                graph.add_edge(i, j, weight=1e6 - gap)
    started = time.perf_counter()
    pairs = nx.max_weight_matching(graph, maxcardinality=True)
    return len(pairs), time.perf_counter() - started


def quality(sheet: Sheet, *, quick: bool) -> None:
    """Sparse pools against the oracle; spread so that a ticket has some four others in its window."""
    rules = pool(SPARSE)
    print("\nsparse pools against networkx' minimum-weight maximum matching")
    for count, seeds in ((50, 40), (200, 20), (1000, 1 if quick else 3)):
        ours = theirs = 0
        our_time = their_time = 0.0
        for seed in range(seeds):
            tickets = tickets_of(count, spread=count * 12.0, seed=seed)
            ours += len(find_matches(QueueView(tickets), rules, NOW, Random(1)).matches)
            our_time += best(lambda tickets=tickets: find_matches(QueueView(tickets), rules, NOW, Random(1)), 3)  # type: ignore[misc]
            pairs, took = oracle_pairs(rules, tickets)
            theirs, their_time = theirs + pairs, their_time + took
        sheet.row(f"sparse {count:,}: our pairs / the oracle's ({theirs})", 100.0 * ours / theirs, "%", 99.5, at_least=True)
        target = 1.0 if count == 1000 else None
        sheet.row(f"sparse {count:,}: our time / the oracle's", 100.0 * our_time / their_time, "%", target)


FRESH = """
import sys, time, msgspec
sys.path[:0] = {path!r}
data = open({file!r}, "rb").read()
started = time.perf_counter()
from random import Random
from matchmaking.core.matching import find_matches
from matchmaking.core.pool import decode_rules
from matchmaking.core.queue import QueueView
from matchmaking.core.ticket import Ticket
imported = time.perf_counter()
rules, tickets = decode_rules({rules!r}), msgspec.msgpack.decode(data, type=list[Ticket])
found = find_matches(QueueView(tickets), rules, {now!r}, Random(1))
print(imported - started, time.perf_counter() - imported, len(found.matches), "numpy" in sys.modules)
"""


def fresh(sheet: Sheet, scratch: Path) -> None:
    """1,000 waiting in a process that has just started."""
    from matchmaking.core.pool import encode_rules

    rules = pool(DUEL)
    file = scratch / "tickets.msgpack"
    file.write_bytes(msgspec.msgpack.encode(tickets_of(1000)))
    code = FRESH.format(path=sys.path, file=str(file), rules=encode_rules(rules), now=NOW)
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() for _ in range(5)]
    imports, first = min(float(run[0]) for run in runs), min(float(run[1]) for run in runs)
    numpy = subprocess.run(
        [sys.executable, "-c", "import time; t = time.perf_counter(); import numpy; print(time.perf_counter() - t)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    print(f"\n1,000 waiting in a fresh process: {runs[0][2]} matches; numeric library loaded: {runs[0][3]}")
    sheet.row("fresh: importing the core", imports * 1000, "ms")
    sheet.row("fresh: first round, tickets decoded and matches written out", first * 1000, "ms")
    sheet.row("fresh: what importing numpy would have cost", float(numpy.stdout) * 1000, "ms")


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the million, fewer repeats")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    sheet, times = Sheet(), 3 if arguments.quick else 7
    duels(sheet, 100_000, times * 3)
    if not arguments.quick:
        duels(sheet, 1_000_000, 3)
    incremental(sheet, 100_000, times)
    fives(sheet, 100_000, times)
    quality(sheet, quick=arguments.quick)
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        fresh(sheet, Path(scratch))
    missed = [row["what"] for row in sheet.rows if row["held"] is False]
    print(f"\n{len(missed)} target(s) missed" + "".join(f"\n  {what}" for what in missed))
    if arguments.json:
        arguments.json.write_text(json.dumps(sheet.rows, indent=2))


if __name__ == "__main__":
    main()
