"""A client that is cut at random moments, on two gateways in turn, receives every event once, in order.

    python loadtest/prove_cuts.py [--cuts 1000] [--seed 1]

Starts a Redis, two gateways and a matcher on free ports of the loopback address. Between the client and the gateways stands a proxy that sends each connection to
the other gateway than the last one, and aborts it after a random time: in the handshake, between frames, within a frame. Meanwhile the client queues all the time:
sometimes it leaves again, sometimes a partner with a sound connection is there and a match is found. Each ticket must have exactly one end, told once and in
the order of the tickets, and the number of events must be the server's own count.
"""

import argparse
import asyncio
import sys
from collections import Counter
from contextlib import suppress
from random import Random

import uvloop

from deployment import Deployment, Table, deployment
from matchmaking.client import Backoff, Client, ClientEvent, JoinRefusedError, LeaveRefusedError, MatchFoundData, QueueLeftData

LONGEST = 0.12  # s that a connection lives; a handshake takes a few ms, a round trip less
PATIENCE = 60.0  # s for a ticket's end
EAGER = Backoff(base=0.005, cap=0.02, stable=0.0)


class CuttingProxy:
    """Forwards each connection to the next gateway, and aborts it after a random time."""

    def __init__(self, ports: list[int], cuts: int, random: Random) -> None:
        self.left, self._ports, self._random, self._turn = cuts, ports, random, 0
        self._pumps: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> asyncio.Server:
        """Listen."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._turn += 1
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._ports[self._turn % len(self._ports)])
        pumps = [asyncio.ensure_future(self._pump(*ends)) for ends in ((reader, there), (there_reader, writer))]
        self._pumps.update(pumps)
        if self.left > 0:
            await asyncio.wait(pumps, timeout=self._random.uniform(0, LONGEST), return_when=asyncio.FIRST_COMPLETED)
            self.left -= 1
            for pump in pumps:
                pump.cancel()
            for end in (writer, there):
                end.transport.abort()
        await asyncio.gather(*pumps, return_exceptions=True)
        self._pumps.difference_update(pumps)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if self.left > 0 and self._random.random() < 0.02:  # within a frame
                    target.write(data[: self._random.randrange(len(data))])
                    target.transport.abort()
                    return
                target.write(data)
                await target.drain()
        target.close()


class Witness:
    """Notes what the client is told."""

    def __init__(self) -> None:
        self.tickets: list[str] = []
        self.ends: list[str] = []
        self.kinds: Counter[str] = Counter()
        self.changed = asyncio.Event()

    def heard(self, event: ClientEvent) -> None:
        """An event."""
        self.kinds[event.reason if isinstance(event, QueueLeftData) else type(event).__name__] += 1
        if isinstance(event, MatchFoundData | QueueLeftData):
            self.ends.append(event.ticket_id)
            self.changed.set()

    async def ended(self, ticket: str) -> None:
        """Wait for a ticket's end."""
        while ticket not in self.ends[-3:]:
            self.changed.clear()
            await self.changed.wait()


async def partner(client: Client, wanted: asyncio.Event) -> None:
    """Is there whenever a match is wanted."""
    while True:
        await wanted.wait()
        try:
            await client.join("duel", "local", "ranked")
        except JoinRefusedError as error:  # it waits already, or its last match is on its way
            await asyncio.sleep(error.retry_after or 0.05)
        else:
            wanted.clear()


async def play(client: Client, witness: Witness, proxy: CuttingProxy, wanted: asyncio.Event, random: Random) -> int:
    """Queue until all cuts were made; the events that the SDK made itself, which have no number."""
    while proxy.left > 0:
        try:
            joined = await client.join("duel", "local", "ranked")
        except JoinRefusedError as error:
            await asyncio.sleep(error.retry_after or 0.05)  # `already_matched`, `busy`: the end of the last ticket is on its way
            continue
        witness.tickets.append(joined.ticket_id)
        if random.random() < 0.5:
            wanted.set()
        else:
            await asyncio.sleep(random.uniform(0, 0.05))
            with suppress(LeaveRefusedError):
                await client.leave()
        try:
            async with asyncio.timeout(PATIENCE):
                await witness.ended(joined.ticket_id)
        except TimeoutError:
            print(
                f"ticket {joined.ticket_id} has no end after {PATIENCE} s: {client.connected=} {client.ticket=} {client.seq=} {wanted.is_set()=}"
            )
            return witness.kinds["lost"]
    return witness.kinds["lost"]


async def prove(running: Deployment, cuts: int, seed: int) -> Table:
    """Cut, and compare."""
    table, random, witness, wanted = Table(), Random(seed), Witness(), asyncio.Event()
    proxy = CuttingProxy([gateway.port for gateway in running.gateways], cuts, random)
    server = await proxy.start()
    sound = running.gateways[0].url
    async with (
        Client.connect(f"ws://127.0.0.1:{proxy.port}", "alice", token=running.keys.token("alice"), backoff=EAGER, random=random) as alice,
        Client.connect(sound, "bob", token=running.keys.token("bob")) as bob,
    ):
        alice.on("*", witness.heard)
        bob.on("match_found", lambda _: None)
        keeping = asyncio.create_task(running.keep_matcher())
        partnering = asyncio.create_task(partner(bob, wanted))
        lost = await play(alice, witness, proxy, wanted, random)
        partnering.cancel()
        keeping.cancel()
        if set(witness.tickets) - set(witness.ends):
            look_closer(running, bob)
        ends, connections, resumed, seq = witness.ends, alice.connections, alice.resumed, alice.seq
    server.close()
    print(f"events: {dict(witness.kinds)}")
    table.line("cuts", cuts - proxy.left, "")
    table.line("connections that were greeted", connections, "")
    table.line("of these by a snapshot instead of resuming, the first one excepted", connections - resumed - 1, "")
    table.line("tickets that were acknowledged", len(set(witness.tickets)), "")
    table.line("tickets without an end", len(set(witness.tickets) - set(ends)), "", 0)
    table.line("ends told twice", len(ends) - len(set(ends)), "", 0)
    known = [ticket for ticket in ends if ticket in set(witness.tickets)]
    table.line("ends out of order", sum(one != other for one, other in zip(known, dict.fromkeys(witness.tickets), strict=False)), "", 0)
    table.line("events that the server numbered and the client did not hear", abs(seq - (len(ends) - lost)), "", 0)
    return table


def look_closer(running: Deployment, bob: Client) -> None:
    """Something is missing: what the store knows of it."""
    print(f"bob: {bob.connected=} {bob.ticket=} {bob.seq=}")
    for key in sorted(running.redis.scan_iter("*", count=1000)):
        kind = running.redis.type(key).decode()
        shown = {
            "hash": lambda key=key: running.redis.hgetall(key),
            "zset": lambda key=key: running.redis.zrange(key, 0, 3, withscores=True),
            "stream": lambda key=key: running.redis.xrevrange(key, count=2),
        }.get(kind, str)()
        if b"pool" in key[:5] or b"player" in key[:7]:
            print(f"  {key.decode()} {kind} {str(shown)[:400]}")
    for gateway in running.gateways:
        print(gateway.log.read_text()[-1500:])


def main(cuts: int, seed: int) -> int:
    """Prove it."""
    with deployment(2) as running, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(prove(running, cuts, seed)).missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sys.exit(1 if main(arguments.cuts, arguments.seed) else 0)
