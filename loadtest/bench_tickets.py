"""Tickets from the join to the match, at rising rates, over the wire; and a full queue that one matcher empties.

    python loadtest/bench_tickets.py [--rates 100 1000 3000] [--seconds 10] [--waiting 50000] [--seed 1]

One gateway, one matcher and one Redis run beside the load generator. Players are connected beforehand: what is counted is `queue_join` → `queue_joined` →
`match_found`, and what goes on in between; not connecting. Prints for each rate the waits (from the moment the join was due) and the CPU seconds per 1,000
tickets by process (the load generator's beside them, not counted); and for the full queue the time from the matcher's exec until all its tickets are matched
and committed, and until all players' outboxes hold their match. The tickets of the full queue are put in through the store itself, as a gateway does it: no
black box, like `bench_store.py`.

Stops by itself, and sends nothing beyond loopback.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from random import Random

import psutil
import uvloop

from deployment import Deployment, Table, deployment, percentile
from matchmaking.core.ticket import Player, Ticket
from matchmaking.store.connect import open_store
from matchmaking.store.interface import Store
from matchmaking.store.joining import Join, join
from swarm import Swarms

WARM_UP = 2.0  # s of load before the counting begins
SWARMS = 1
IN_PLAY = 1.5  # s of joins for which there are players
ALL, P99 = 0.30, 100.0  # s of CPU per 1,000 tickets in all; ms at PROMISED joins/s
PROMISED = 1000
COMMITTED, DELIVERED = 1.0, 2.5  # s, of 50,000 waiting tickets
FEW = 10  # tickets without anybody near enough
LOOK = 0.005  # s between looks at a queue that empties
QUEUE, OUTBOX = "pool:{duel}:queue:local:ranked:waiting", "pool:{duel}:outbox"


def rating(random: Random) -> float:
    """As ratings are spread among people."""
    return min(3000.0, max(0.0, random.gauss(1500.0, 300.0)))


class Processes:
    """CPU seconds of what runs, by name."""

    def __init__(self, running: Deployment, matcher: int, swarms: Sequence[int]) -> None:
        redis = next(child for child in psutil.Process().children() if "redis-server" in child.name())
        self._named = {"gateway": [running.gateways[0].seen], "matcher": [psutil.Process(matcher)], "Redis": [redis]}
        self._load = [psutil.Process(pid) for pid in swarms]

    def cpu(self) -> dict[str, float]:
        """So far."""
        named = {**self._named, "load": self._load}
        return {name: sum(sum(process.cpu_times()[:2]) for process in processes) for name, processes in named.items()}


def name_ratings(running: Deployment, names: Sequence[str], seed: int) -> None:
    """Give players ratings, as results would have."""
    random, pipeline = Random(seed), running.redis.pipeline(transaction=False)
    for name in names:
        pipeline.hset(f"player:{{{name}}}:profile", mapping={"rating:duel:ranked": f"{rating(random):.1f}", "sigma:duel:ranked": "80.0"})
    pipeline.execute()


async def at_rate(table: Table, rate: int, seconds: float, seed: int) -> None:
    """One rate, with processes of its own."""
    names = [f"d{i}" for i in range(max(200, int(rate * IN_PLAY)))]
    with deployment() as running:
        name_ratings(running, names, seed)
        matcher = running.add_matcher()
        async with Swarms(SWARMS, __file__.replace("bench_tickets", "duellists")) as swarms:
            tokens = {name: running.keys.token(name) for name in names}
            await swarms.connect(running.gateways[0].port, tokens, interval=15.0)
            await asyncio.sleep(1.0)
            processes = Processes(running, matcher.pid, swarms.pids)
            load = asyncio.ensure_future(swarms.do("duel", rate=rate / SWARMS, seconds=seconds, warm_up=WARM_UP, seed=seed))
            await asyncio.sleep(WARM_UP)
            before = processes.cpu()
            await asyncio.sleep(seconds)
            after = processes.cpu()
            result = await load
    waits, spent = result["waits"], {name: after[name] - before[name] for name in after}
    per = 1000 / max(1, result["joins"])
    came = f"{result['joins']} joined, {len(waits)} matched, {result['skipped']} joins without a free player"
    print(f"--- {rate} joins/s for {seconds:g} s: {came}; errors {result['errors']}; heard {result['heard']}")
    for q in (50, 95, 99):
        target = P99 if q == 99 and rate == PROMISED else None
        table.line(f"{rate}/s: join due → match_found, p{q}", percentile(waits, q) * 1000, "ms", target)
    for name in ("gateway", "matcher", "Redis"):
        table.line(f"{rate}/s: CPU per 1,000 tickets: {name}", spent[name] * per, "s")
    total = sum(spent.values()) - spent["load"]
    table.line(f"{rate}/s: CPU per 1,000 tickets: all", total * per, "s", ALL)
    table.line(f"{rate}/s: CPU per 1,000 tickets: load generator (not counted)", spent["load"] * per, "s")


async def fill(store: Store, count: int, seed: int) -> None:
    """Put tickets into the queue."""
    random = Random(seed)

    async def one(i: int) -> None:
        request = Join((f"w{i}",), 0, f"o{i}", "duel", "local", "ranked")
        of = Player(f"w{i}", rating(random), 80.0)
        await join(store, request, lambda place, _: Ticket(place.ticket, place.region, place.mode, (of,), 0.0))

    for first in range(0, count, 2000):
        await asyncio.gather(*(one(i) for i in range(first, min(first + 2000, count))))


async def full_queue(table: Table, count: int, seed: int) -> None:
    """A matcher meets a full queue."""
    with deployment(0) as running:
        running.redis.execute_command("CONFIG", "RESETSTAT")
        names = [f"w{i}" for i in range(count)]
        pipeline = running.redis.pipeline(transaction=False)
        for name in names:
            pipeline.hset(f"player:{{{name}}}:connection", mapping={"generation": 0})
        pipeline.execute()
        async with open_store(running.redis_url) as store:
            await fill(store, count, seed)
            await store.touch("duel", [ticket.decode() for ticket in running.redis.zrange(QUEUE, 0, -1)])  # their players are there
        waiting = running.redis.zcard(QUEUE)
        redis = next(child for child in psutil.Process().children() if "redis-server" in child.name())
        redis_before = sum(redis.cpu_times()[:2])
        began = time.perf_counter()
        matcher = psutil.Process(running.add_matcher().pid)
        committed = delivered = read = 0.0
        while not delivered and time.perf_counter() - began < 60:
            await asyncio.sleep(LOOK)
            looked = time.perf_counter() - began
            left, entries = running.redis.zcard(QUEUE), running.redis.xlen(OUTBOX)
            read = read or (looked if left < count else 0.0)
            committed = committed or (looked if left <= FEW else 0.0)
            delivered = looked if committed and not entries else 0.0
        spent, redis_spent = sum(matcher.cpu_times()[:2]), sum(redis.cpu_times()[:2]) - redis_before
        matches = int(running.redis.hget("pool:{duel}:statistics:local:ranked", "matches") or 0)
    print(
        f"--- {waiting} tickets wait, a matcher starts: {matches} matches, {left} left, {entries} to relay, {time.perf_counter() - began:.1f} s"
    )
    table.line("exec → the first match committed", read, "s")
    table.line("exec → all matched and committed", committed, "s", COMMITTED)
    table.line("exec → all delivered", delivered, "s", DELIVERED)
    table.line("CPU per 1,000 tickets: matcher", spent / count * 1000, "s")
    table.line("CPU per 1,000 tickets: Redis", redis_spent / count * 1000, "s")


async def main(arguments: argparse.Namespace) -> int:
    """Everything in turn."""
    table = Table()
    for rate in arguments.rates:
        await at_rate(table, rate, arguments.seconds, arguments.seed)
    if arguments.waiting:
        await full_queue(table, arguments.waiting, arguments.seed)
    return table.missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rates", type=int, nargs="*", default=[100, 1000, 3000], help="joins per second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--waiting", type=int, default=50_000, help="tickets that wait; 0: leave that out")
    parser.add_argument("--seed", type=int, default=1)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(parser.parse_args()))
