"""A gateway under ten thousand connections, beside its targets and its peers.

    python loadtest/bench_gateway.py [--connections 10000] [--beats 40000]

Starts a Redis and a gateway process on free ports of the loopback address, clients in two further processes, and prints

- KiB of the gateway per idle browser-like connection (one that offers permessage-deflate);
- CPU of one announcement per connection, and when it had arrived;
- all connections cut at once and reconnecting at once: until 95 % are greeted, how many of them resumed;
- CPU per heartbeat and its answer, against raw ASGI on Hypercorn, Starlette on Uvicorn and `websockets`, in the same run;
- CPU per store call at 256 concurrent ones, from `bench_store.py`.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import uvloop

from deployment import GatewayProcess, Table, deployment, free_port, percentile
from swarm import Swarms
from wire import GREETING, HEARTBEAT, Wire, open_wire, upgrade

HERE = Path(__file__).parent
ANNOUNCEMENTS = 5
WARM = 50  # connections before the counting
SOCKETS = 200  # in the heartbeat benchmark
TARGETS = {"memory": 32.0, "fan-out": 20.0, "reconnect": 10.0, "heartbeat": 1.2}  # KiB, µs, s, times Hypercorn


async def crowd(table: Table, connections: int) -> None:
    """Idle memory, fan-out, and everybody coming back at once."""
    with deployment(1, heartbeat_interval="120") as running:
        gateway = running.gateways[0]
        tokens = {f"player-{i}": running.keys.token(f"player-{i}") for i in range(connections)}
        async with Swarms(2) as swarms:
            await swarms.connect(gateway.port, {f"warm-{i}": running.keys.token(f"warm-{i}") for i in range(WARM)})
            before = gateway.memory()
            await swarms.connect(gateway.port, tokens)
            await asyncio.sleep(3)
            table.line(
                f"memory per idle connection, {connections} of them",
                (gateway.memory() - before) / 1024 / connections,
                "KiB",
                TARGETS["memory"],
            )
            await fan_out(table, gateway, swarms, connections + WARM, running.announce)
            await swarms.do("drop")
            cpu = gateway.cpu()
            back = await swarms.connect(gateway.port, tokens)
            table.line("all reconnect at once: 95 % greeted after", percentile(back["done"], 95), "s", TARGETS["reconnect"])
            table.line("all reconnect at once: not resumed", connections - back["resumed"], "", 0)
            table.line("all reconnect at once: CPU per connection", (gateway.cpu() - cpu) / connections * 1e6, "µs")
            if back["failures"]:
                print(f"  attempts that failed: {back['failures']}")


async def fan_out(table: Table, gateway: GatewayProcess, swarms: Swarms, connections: int, announce: object) -> None:
    """Announcements to everybody."""
    assert callable(announce)
    cpu, delays = gateway.cpu(), []
    for _ in range(ANNOUNCEMENTS):
        said = time.time()
        announce("maintenance at noon")
        heard = (await swarms.do("heard", count=connections // 2))["heard"]
        delays += [at - said for at in heard]
    table.line("announcement: not delivered", ANNOUNCEMENTS * connections - len(delays), "")
    table.line("announcement: CPU per connection", (gateway.cpu() - cpu) / ANNOUNCEMENTS / connections * 1e6, "µs", TARGETS["fan-out"])
    table.line("announcement: p99 until it arrived", percentile(delays, 99) * 1000, "ms")


class Beating:
    """Sockets that beat as fast as they are answered, until the count is reached."""

    def __init__(self, count: int) -> None:
        self.left, self.finished = count, asyncio.get_running_loop().create_future()
        self.wires: list[Wire] = []

    async def open(self, port: int, token: str, path: str, *, greets: bool) -> None:
        """One more socket; it waits for the greeting where there is one."""
        greeted = asyncio.get_running_loop().create_future()

        def on_text(text: bytes) -> None:
            if text.startswith(b'{"type":"heartbeat_ack"'):
                self.left -= 1
                if self.left > 0:
                    wire.send(HEARTBEAT)
                elif not self.finished.done():
                    self.finished.set_result(None)
            elif text.startswith(GREETING) and not greeted.done():
                greeted.set_result(None)

        wire = await open_wire(port, upgrade(port, path, token, deflate=False), on_text)
        if greets:
            await greeted
        self.wires.append(wire)

    async def run(self) -> None:
        """Beat."""
        for wire in self.wires:
            wire.send(HEARTBEAT)
        await asyncio.wait_for(self.finished, 60)
        for wire in self.wires:
            wire.abort()


async def heartbeats(table: Table, beats: int) -> None:
    """CPU per heartbeat of the gateway and of its peers, twice each in turn; the better run counts."""
    best: dict[str, float] = {}
    for _ in range(2):
        for name in ("hypercorn", "uvicorn", "websockets"):
            port = free_port()
            process = subprocess.Popen([sys.executable, str(HERE / "echo_peers.py"), name, str(port)])
            try:
                await until_open(port)
                best[name] = min(best.get(name, 1e9), await cost(psutil.Process(process.pid), port, beats, lambda _: "", greets=False))
            finally:
                process.kill()
                process.wait()
        with deployment(1, heartbeat_interval="120") as running:
            gateway = running.gateways[0]
            best["gateway"] = min(best.get("gateway", 1e9), await cost(gateway.seen, gateway.port, beats, running.keys.token, greets=True))
    for name, spent in best.items():
        table.line(f"CPU per heartbeat and answer: {name}", spent, "µs")
    table.line("gateway against raw ASGI on Hypercorn", best["gateway"] / best["hypercorn"], "times", TARGETS["heartbeat"])


async def cost(process: psutil.Process, port: int, beats: int, token: object, *, greets: bool) -> float:
    """CPU per heartbeat, µs."""
    assert callable(token)
    beating = Beating(beats)
    for i in range(SOCKETS):
        name = f"beat-{i}"
        await beating.open(port, token(name), f"/ws/{name}", greets=greets)
    await asyncio.sleep(0.5)
    before = sum(process.cpu_times()[:2])
    await beating.run()
    return float((sum(process.cpu_times()[:2]) - before) / beats * 1e6)


async def until_open(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(200):
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"nobody listens on {port}")


async def main(arguments: argparse.Namespace) -> int:
    """Run everything, and print the table."""
    table = Table()
    await crowd(table, arguments.connections)
    await heartbeats(table, arguments.beats)
    return table.missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--beats", type=int, default=40_000)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        missed = runner.run(main(parser.parse_args()))
    subprocess.run([sys.executable, str(HERE / "bench_store.py")], check=False)
    sys.exit(1 if missed else 0)
