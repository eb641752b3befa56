"""What a hostile peer can cost a gateway process: a bounded amount of memory, and none of the others' connections."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from deployment import Deployment, deployment
from prove_attacks import Growth, bombs, fragments, signed_in

MOST = 8.0  # MiB that an attack may take
FRAGMENTS = 64  # MiB that the attacker wants to send
CROWD = 400  # connections at once; servers that leave it to their library accept a hundred


@pytest.fixture(scope="module")
def running() -> Iterator[Deployment]:
    with deployment(1) as started:
        yield started


async def test_fragments_without_end_take_no_memory_and_are_cut(running: Deployment) -> None:
    gateway = running.gateways[0]
    (await signed_in(running, gateway, "warm")).abort()
    growth = Growth(gateway)
    try:
        _, sent = await fragments(running, gateway, FRAGMENTS)
        assert sent < FRAGMENTS, "it was listened to up to the end"
        assert growth.mebibytes() < MOST
    finally:
        growth.stop()


async def test_compressed_bombs_take_no_memory_and_are_cut(running: Deployment) -> None:
    gateway = running.gateways[0]
    growth = Growth(gateway)
    try:
        assert await bombs(running, gateway, 5) == 0, "attackers are still connected"
        assert growth.mebibytes() < MOST
    finally:
        growth.stop()


async def test_a_crowd_that_comes_while_the_gateway_is_busy_is_not_refused(running: Deployment) -> None:
    gateway = running.gateways[0]
    gateway.process.send_signal(signal.SIGSTOP)  # as busy as can be: what connects now waits in the backlog
    writers: list[asyncio.StreamWriter] = []
    try:
        async with asyncio.timeout(30):
            for _ in range(CROWD):
                _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                writers.append(writer)
    finally:
        gateway.process.send_signal(signal.SIGCONT)
        for writer in writers:
            writer.transport.abort()


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (PREFACE, b"HTTP/1.1 505"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", b"HTTP/1.1 505"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + UPGRADE + b"\r\n", b"HTTP/1.1 200"),
    ],
)
async def test_nobody_gets_http_2(running: Deployment, request_: bytes, status: bytes) -> None:
    loop = asyncio.get_running_loop()
    with closing(socket.create_connection(("127.0.0.1", running.gateways[0].port))) as peer:
        peer.setblocking(False)
        await loop.sock_sendall(peer, request_)
        answer = b""
        async with asyncio.timeout(20):
            while data := await loop.sock_recv(peer, 65536):
                answer += data
    assert answer.startswith(status)
