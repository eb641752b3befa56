"""What counting costs a gateway: CPU per message of two gateways under the same messages, one that counts and one that does not.

Both get the same messages from the same client in turn, so that what else the machine does weighs on both alike; CPU is what the
processes used, not how long it took, divided by the answers that came. Two kinds of load: heartbeats alone, the cheapest message there is, of which counting is
the largest part; and players who join, are told their place, and leave. Prometheus is played by a scrape every fifteen seconds, as the chart has it.

    python loadtest/bench_metrics.py [--seconds 20] [--clients 100]
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from deployment import Deployment, GatewayProcess, Table, deployment
from wire import HEARTBEAT, Wire, open_wire, upgrade

MOST = 3.0  # % more CPU
SCRAPE_EVERY = 15.0  # s; the chart's `monitoring.podMonitor.interval`
BURST = 0.5  # s between two messages of a client
BLOCKS = 10


def heartbeats(_player: int, _turn: int) -> bytes:
    """The cheapest message."""
    return HEARTBEAT


def queueing(player: int, turn: int) -> bytes:
    """Join, two heartbeats, leave; in a pool for five against five, which a single player never fills."""
    step = turn % 4
    if step in (1, 2):
        return HEARTBEAT
    data = {"op_id": f"{player}-{turn}"} | ({"pool": "squads", "region": "local", "mode": "casual"} if step == 0 else {})
    return json.dumps({"type": "queue_join" if step == 0 else "queue_leave", "data": data}).encode()


class Side:
    """One gateway with its clients; `answers` counts what they were sent."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway, self.answers = gateway, 0
        self.wires: list[Wire] = []

    async def connect(self, running: Deployment, prefix: str, clients: int) -> None:
        """Sign in."""
        port = self.gateway.port
        for name in (f"{prefix}-{i}" for i in range(clients)):
            self.wires.append(await open_wire(port, upgrade(port, f"/ws/{name}", running.keys.token(name)), self._answered))

    def _answered(self, _text: bytes) -> None:
        self.answers += 1

    async def load(self, message: Callable[[int, int], bytes], pause: float, seconds: float) -> None:
        """Every client sends in turn."""
        turn, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            for i, wire in enumerate(self.wires):
                wire.send(message(i, turn))
            turn += 1
            await asyncio.sleep(pause)

    def close(self) -> None:
        """Everybody goes."""
        if any(wire.closed.done() for wire in self.wires):
            raise SystemExit("the gateway closed connections: the load was not what was meant")
        for wire in self.wires:
            wire.abort()


async def scrape(gateways: list[GatewayProcess]) -> None:
    """As Prometheus does."""
    while True:
        await asyncio.sleep(SCRAPE_EVERY)
        for gateway in gateways:
            await asyncio.to_thread(gateway.metrics)


async def measure(
    running: Deployment, name: str, message: Callable[[int, int], bytes], pause: float, arguments: argparse.Namespace, table: Table
) -> None:
    """Both gateways under the same load."""
    sides = [Side(gateway) for gateway in running.gateways]  # one counts, the other does not
    for i, side in enumerate(sides):
        await side.connect(running, f"{name}-{i}", arguments.clients)
    scraping = asyncio.ensure_future(scrape(running.gateways))
    await asyncio.gather(*(side.load(message, pause, 2) for side in sides))
    cpu, answers = [0.0, 0.0], [0, 0]
    for block in range(BLOCKS):  # in turn, each as often first as second
        for i in (0, 1) if block % 2 else (1, 0):
            before = sides[i].gateway.cpu(), sides[i].answers
            await sides[i].load(message, pause, arguments.seconds / BLOCKS)
            await asyncio.sleep(0.2)
            cpu[i] += sides[i].gateway.cpu() - before[0]
            answers[i] += sides[i].answers - before[1]
    scraping.cancel()
    with suppress(asyncio.CancelledError):
        await scraping
    for side in sides:
        side.close()
    costs = [used / number * 1e6 for used, number in zip(cpu, answers, strict=True)]
    table.line(f"{name}: CPU per message, counting", costs[0], "µs")
    table.line(f"{name}: CPU per message, not counting", costs[1], "µs")
    table.line(f"{name}: what counting adds", (costs[0] / costs[1] - 1) * 100, "%", MOST)


def main() -> int:
    """Measure both loads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--clients", type=int, default=500)
    arguments = parser.parse_args()
    table = Table()
    with deployment(0) as running:
        running.add_gateway()
        running.add_gateway(metrics="false")

        async def run() -> None:
            await measure(running, "queueing", queueing, 0.5, arguments, table)
            await measure(running, "heartbeats", heartbeats, BURST, arguments, table)

        asyncio.run(run())
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
