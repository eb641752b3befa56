"""What attackers can cost a gateway, while other players play on it.

    python loadtest/prove_attacks.py [--megabytes 120] [--deaf 1000]

Starts a Redis and a gateway process on free ports of the loopback address; 100 bystanders send a heartbeat each half second and note how long its answer takes.

- fragments: continuation frames without a final one. The attacker must be cut within a second, the gateway grow by less than 8 MiB.
- bombs: compressed frames that would grow a thousandfold, on connections that offered compression.
- deaf: clients that never read, while everybody is sent announcements of 4 KiB; and clients that send without reading the answers.

Prints the gateway's growth in all (at its highest), and the bystanders' p99 during the attacks beside that before.
"""

import argparse
import asyncio
import socket
import sys
import time
import zlib
from contextlib import suppress

import uvloop

from deployment import Deployment, GatewayProcess, Table, deployment, percentile
from wire import HEARTBEAT, Wire, open_wire, upgrade

BYSTANDERS = 100
QUIET = 5.0  # s of undisturbed bystanders
CHUNK = b"\x00\xfe\x40\x00" + bytes(4) + b"x" * 0x4000  # a continuation frame of 16 KiB, masked with zeros
ANNOUNCEMENTS = 60  # of 4 KiB: 240 KiB to each connection


class Bystanders:
    """Players who only want to play."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.lost = 0

    async def start(self, running: Deployment, gateway: GatewayProcess) -> None:
        """Connect, and beat."""
        for i in range(BYSTANDERS):
            self._tasks.append(asyncio.create_task(self._beat(running, gateway, f"bystander-{i}")))

    async def _beat(self, running: Deployment, gateway: GatewayProcess, name: str) -> None:
        answered = asyncio.Event()
        wire = await open_wire(
            gateway.port, upgrade(gateway.port, f"/ws/{name}", running.keys.token(name)), lambda text: _note(text, answered)
        )
        while not wire.closed.done():
            answered.clear()
            began = time.perf_counter()
            wire.send(HEARTBEAT)
            with suppress(TimeoutError):
                await asyncio.wait_for(answered.wait(), 10)
            self.waits.append(time.perf_counter() - began)
            await asyncio.sleep(0.5)
        self.lost += 1

    def take(self) -> list[float]:
        """The waits since the last time."""
        taken, self.waits = self.waits, []
        return taken

    def stop(self) -> None:
        """No more."""
        for task in self._tasks:
            task.cancel()


def _note(text: bytes, answered: asyncio.Event) -> None:
    if text.startswith(b'{"type":"heartbeat_ack"'):
        answered.set()


class Growth:
    """The gateway's memory at its highest."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway, self.before = gateway, gateway.memory()
        self.highest = self.before
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            self.highest = max(self.highest, self._gateway.memory())
            await asyncio.sleep(0.02)

    def mebibytes(self) -> float:
        """Growth at its highest since the last time."""
        self.highest = max(self.highest, self._gateway.memory())
        grown, self.before = (self.highest - self.before) / 2**20, self._gateway.memory()
        self.highest = self.before
        return grown

    def stop(self) -> None:
        """No more."""
        self._task.cancel()


async def signed_in(running: Deployment, gateway: GatewayProcess, name: str) -> Wire:
    """An attacker with a good token."""
    return await open_wire(gateway.port, upgrade(gateway.port, f"/ws/{name}", running.keys.token(name)), lambda _: None)


async def fragments(running: Deployment, gateway: GatewayProcess, megabytes: int) -> tuple[float, float]:
    """Continuation frames; seconds until cut, and megabytes that were taken."""
    wire = await signed_in(running, gateway, "endless")
    await asyncio.sleep(0.5)
    assert wire.transport is not None
    began, sent = time.perf_counter(), 0
    wire.send_frame(1, b"x", final=False)
    while sent < megabytes * 2**20 and not wire.closed.done():
        wire.transport.write(CHUNK)
        sent += len(CHUNK)
        while wire.transport.get_write_buffer_size() > 2**20 and not wire.closed.done():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(wire.closed), 5)
    return time.perf_counter() - began, sent / 2**20


async def bombs(running: Deployment, gateway: GatewayProcess, count: int) -> int:
    """Compressed frames; how many attackers are still connected."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = (packer.compress(b"\0" * 15_000_000) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4][:16_000]
    wires = [await signed_in(running, gateway, f"bomb-{i}") for i in range(count)]
    for wire in wires:
        wire.send_frame(1, bomb, rsv1=True)
    await asyncio.sleep(2)
    return sum(not wire.closed.done() for wire in wires)


async def deaf(running: Deployment, gateway: GatewayProcess, count: int) -> list[socket.socket]:
    """Sockets whose clients never read, with as small a buffer as the system grants."""
    loop, sockets = asyncio.get_running_loop(), []
    for i in range(count):
        endpoint = socket.socket()
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        endpoint.setblocking(False)
        await loop.sock_connect(endpoint, ("127.0.0.1", gateway.port))
        await loop.sock_sendall(endpoint, upgrade(gateway.port, f"/ws/deaf-{i}", running.keys.token(f"deaf-{i}")))
        sockets.append(endpoint)
    await asyncio.sleep(3)
    return sockets


async def talk(sockets: list[socket.socket], rounds: int) -> None:
    """The deaf talk: requests whose answers they do not read."""
    beat = b"\x81" + bytes((128 | len(HEARTBEAT),)) + bytes(4) + HEARTBEAT
    for _ in range(rounds):
        for endpoint in sockets:
            with suppress(OSError):
                endpoint.send(beat * 10)
        await asyncio.sleep(0.1)


async def prove(running: Deployment, megabytes: int, count: int) -> int:
    """All attacks, one after the other."""
    table, gateway, bystanders = Table(), running.gateways[0], Bystanders()
    await bystanders.start(running, gateway)
    await asyncio.sleep(3)
    bystanders.take()
    await asyncio.sleep(QUIET)
    quiet = percentile(bystanders.take(), 99) * 1000
    table.line("bystanders' p99 before", quiet, "ms")
    growth, grown = Growth(gateway), []
    took, sent = await fragments(running, gateway, megabytes)
    grown.append(growth.mebibytes())
    table.line("fragments: until the attacker was cut", took, "s", 1)
    table.line("fragments: sent until then", sent, "MiB")
    table.line("fragments: growth", grown[-1], "MiB", 8)
    left = await bombs(running, gateway, 100)
    grown.append(growth.mebibytes())
    table.line("bombs: attackers that are still connected", left, "", 0)
    table.line("bombs: growth", grown[-1], "MiB")
    waits = bystanders.take()
    table.line("bystanders' p99 meanwhile", percentile(waits, 99) * 1000, "ms")
    sockets = await deaf(running, gateway, count)
    waits += (coming := bystanders.take())
    table.line(f"{count} that never read come: bystanders' p99", percentile(coming, 99) * 1000, "ms")
    await talk(sockets, 20)
    await asyncio.sleep(1)
    waits += (talking := bystanders.take())
    table.line(f"{count} that never read talk: bystanders' p99", percentile(talking, 99) * 1000, "ms")
    for i in range(ANNOUNCEMENTS):
        running.announce(f"{i} " + "x" * 4096)
        await asyncio.sleep(0.1)
    await asyncio.sleep(8)
    grown.append(growth.mebibytes())
    table.line(f"{count} that never read: growth", grown[-1], "MiB")
    table.line("growth in all", sum(grown), "MiB", 64)
    waits += (announced := bystanders.take())
    table.line(f"{count} that never read are sent to: bystanders' p99", percentile(announced, 99) * 1000, "ms")
    attacked = percentile(waits, 99) * 1000
    table.line("bystanders' p99 under attack", attacked, "ms", max(2 * quiet, 20))
    table.line("bystanders who lost their connection", bystanders.lost, "", 0)
    for endpoint in sockets:
        endpoint.close()
    bystanders.stop()
    growth.stop()
    return table.missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=120)
    parser.add_argument("--deaf", type=int, default=1000)
    arguments = parser.parse_args()
    with (
        deployment(1, heartbeat_interval="60", limit_connection="20/100", limit_player="20/100") as running,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        missed = runner.run(prove(running, arguments.megabytes, arguments.deaf))
    sys.exit(1 if missed else 0)
