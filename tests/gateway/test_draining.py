"""What becomes of plain HTTP connections when a gateway goes away."""

import asyncio
from pathlib import Path

import pytest

from matchmaking.gateway import draining
from support.gateways import Gateway, gateway
from support.tokens import Signer

BODY = b'{"region": "local", "mode": "ranked"}'


async def connect(served: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", served.settings.port)


async def probe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """`/readyz` on a connection that stays open; its status."""
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    await reader.readexactly(length)
    return head.split()[1]


async def until_its_end(reader: asyncio.StreamReader) -> bytes:
    said = b""
    async with asyncio.timeout(20):
        try:
            while data := await reader.read(65536):
                said += data
        except ConnectionError:
            pass
    return said


async def test_requests_under_way_are_answered_and_nobody_new_comes_in(
    redis_url: str, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "REQUESTS_GRACE", 30.0)
    async with gateway(redis_url, signer, drain_seconds=60.0) as served:
        idle, under_way = await connect(served), await connect(served)
        assert await probe(*idle) == b"200"
        head = (
            f"POST /api/v1/matchmaking/preferences HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {signer.token('alice')}\r\nContent-Length: {len(BODY)}\r\n\r\n"
        )
        under_way[1].write(head.encode() + BODY[:10])
        await asyncio.sleep(0.2)  # until it has arrived; if it has not, it is none under way, and the test says nothing
        served.stop.set()
        async with asyncio.timeout(20):
            while await probe(*idle) == b"200":
                await asyncio.sleep(0.01)
        while (await late(served)).startswith(b"HTTP"):  # until the sockets have had their turn, probes are still answered
            await asyncio.sleep(0.01)
        under_way[1].write(BODY[10:])
        assert b" 200 " in (await until_its_end(under_way[0])).split(b"\r\n", 1)[0]
        await until_its_end(idle[0])
        for _, writer in (idle, under_way):
            writer.close()


async def late(served: Gateway) -> bytes:
    """What somebody hears who comes while the gateway goes."""
    try:
        reader, writer = await connect(served)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        said = await until_its_end(reader)
        writer.close()
    except ConnectionError:
        return b""
    return said


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)
