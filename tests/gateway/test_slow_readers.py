"""Clients that do not read for a while, or never again: they cost a bounded amount of memory, and those that come back find the latest state."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis.asyncio

from matchmaking.gateway import session as session_module
from support.freezing_proxy import FreezingProxy
from support.gateways import Gateway, Player, gateway
from support.tokens import Signer

STATES = 300  # of 40 KB: far more than the system's buffers hold
OFFERED = 64 * 2**20  # bytes that a client wants to say; more than all buffers on the way
STALLED = 3.0  # s without progress; a slow machine may pass for a stall, never a gateway that takes everything for one that does not


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


def small_buffers(served: Gateway) -> socket.socket:
    """A connection whose client takes little before it reads."""
    endpoint = socket.socket()
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    endpoint.connect(("127.0.0.1", served.settings.port))
    endpoint.setblocking(False)
    return endpoint


async def tell(client: Any, player: str, number: int, size: int = 0) -> None:
    """A state of a live session, on the bus as sessions publish it."""
    message = {"type": "session_update", "data": {"session_id": "m", "state": {"n": number, "x": "x" * size}}, "timestamp": "t"}
    await client.publish(f"player:{player}:updates", json.dumps({"channel": f"player:{player}:updates", "message": message}))


async def states(player: Player, last: int) -> list[int]:
    """The numbers of the states that a player gets, up to the last one."""
    numbers: list[int] = []
    while not numbers or numbers[-1] != last:
        numbers.append((await player.receive("game_state_update", within=30))["data"]["state"]["n"])
    return numbers


async def test_who_is_behind_gets_the_latest_state_and_not_all_of_them(
    redis_url: str, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "WRITE_DEADLINE", 3600.0)
    async with (
        gateway(redis_url, signer) as served,
        served.player("slow", sock=small_buffers(served)) as slow,
        served.player("alice") as alice,
        redis.asyncio.Redis.from_url(redis_url) as client,
    ):
        slow.socket.transport.pause_reading()
        for i in range(STATES):
            await tell(client, "slow", i, 40_000)
        await tell(client, "alice", 0)
        await states(alice, 0)  # the gateway has heard all of them
        slow.socket.transport.resume_reading()
        numbers = await states(slow, STATES - 1)
        assert numbers == sorted(numbers)
        assert len(numbers) < STATES
        await slow.send("heartbeat")
        await slow.receive("heartbeat_ack")


async def test_who_takes_no_answers_is_not_listened_to_either(redis_url: str, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WRITE_DEADLINE", "UNSENT_MESSAGES", "UNSENT_BYTES"):
        monkeypatch.setattr(session_module, name, 10**9)
    async with (
        gateway(redis_url, signer) as served,
        served.player("deaf", sock=small_buffers(served)) as deaf,
        served.player("alice") as alice,
        redis.asyncio.Redis.from_url(redis_url) as client,
    ):
        transport = deaf.socket.transport
        transport.pause_reading()
        news = {"type": "announcement", "data": {"message": "x" * 200_000}, "timestamp": "2031-05-06T07:08:09Z"}
        for _ in range(60):  # until something waits for it
            await client.publish("system:announcements", json.dumps({"channel": "system:announcements", "message": news}))
            await alice.receive("announcement", within=30)
        message = b'{"type":"heartbeat","data":{"x":"' + b"x" * 15_000 + b'"}}'
        frame = b"\x81\xfe" + len(message).to_bytes(2) + bytes(4) + message  # masked with zeros
        assert await taken(transport, frame) < OFFERED
        transport.abort()


async def taken(transport: asyncio.Transport, frame: bytes) -> int:
    """How many bytes went out before nothing went any more, or all."""
    offered, least, still = 0, 0, 0.0
    while offered < OFFERED:
        while transport.get_write_buffer_size() < 2**20:
            transport.write(frame)
            offered += len(frame)
        await asyncio.sleep(0.02)
        left = transport.get_write_buffer_size()
        still = still + 0.02 if left >= least else 0.0
        least = left
        if still > STALLED:
            break
    return offered


async def test_a_client_that_vanished_without_a_word_is_given_up(redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer, heartbeat_interval=1.0) as served, httpx.AsyncClient() as client:

        async def connections() -> float:
            page = (await client.get(f"http://127.0.0.1:{served.settings.metrics_port}/metrics")).text
            return next(float(line.split()[1]) for line in page.splitlines() if line.startswith("game_websocket_connections "))

        with FreezingProxy("127.0.0.1", served.settings.port) as proxy:
            endpoint = socket.create_connection(("127.0.0.1", proxy.port))
            async with served.player("alice", sock=endpoint) as alice:
                assert await connections() == 1
                proxy.freeze()
                async with asyncio.timeout(60):
                    while await connections():
                        await asyncio.sleep(0.1)
                alice.socket.transport.abort()
