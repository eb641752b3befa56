"""A player has one connection: the latest. Whatever an older one asks for, on whichever gateway and however late, comes to nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import websockets

from matchmaking.gateway import arrival
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.store import bus as bus_module
from support.freezing_proxy import FreezingProxy
from support.gateways import Gateway, Player, gateway, matcher
from support.redis_server import RedisServer
from support.tokens import Signer

RACES = 200
AT_ONCE = 20
OFF = {"limit_connection": "off", "limit_player": "off", "limit_address": "off", "heartbeat_interval": 120.0}  # nobody beats


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


async def many(race: Callable[[str], Awaitable[None]]) -> None:
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> None:
        async with slots:
            await race(name)

    await asyncio.gather(*(one(f"racer-{i}") for i in range(RACES)))


async def hammer(player: Player) -> tuple[int, str]:
    """Join and leave without a pause until the socket is closed; how it was."""

    async def ask() -> None:
        with suppress(websockets.ConnectionClosed):
            for i in count():
                await player.send("queue_join", pool="duel", region="local", mode="ranked", op_id=f"stale-{i}")
                await player.send("queue_leave", op_id=f"stale-leave-{i}")
                await asyncio.sleep(0.002)

    asking = asyncio.ensure_future(ask())
    closed = await player.closed(within=60)
    await asking
    return closed


async def leave(player: Player, op_id: str) -> list[str]:
    """Leave; the tickets whose end was told up to the answer."""
    await player.send("queue_leave", op_id=op_id)
    ended = []
    while True:
        message = await player.receive(within=60)
        if message["type"] == "queue_left":
            ended.append(message["data"]["ticket_id"])
        if message["type"] in ("queue_left", "error") and message["data"]["op_id"] == op_id:
            return ended


async def test_what_an_older_connection_asks_for_in_the_moment_of_the_takeover_comes_to_nothing(redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer, **OFF) as one, gateway(redis_url, signer, **OFF) as other:

        async def race(name: str) -> None:
            async with one.player(name) as older:
                hammering = asyncio.ensure_future(hammer(older))
                await asyncio.sleep(0.01)
                async with other.player(name) as newer:
                    held = newer.snapshot["ticket"]
                    ended = await leave(newer, "mine")
                    while held and not ended:  # a leave of the older one was under way: its end is told, too
                        ended = [(await newer.receive("queue_left", within=60))["data"]["ticket_id"]]
                    assert ended == ([held["ticket_id"]] if held else []), "the snapshot told the truth"
                    assert await hammering == (CloseCode.REPLACED, "replaced")
                    assert await leave(newer, "mine-again") == [], "the older connection has joined"

        await many(race)


async def test_of_those_who_come_at_once_one_stays(redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer, **OFF) as one, gateway(redis_url, signer, **OFF) as other:

        async def come(served: Gateway, name: str) -> Player:
            player = await served.open(name)
            with suppress(websockets.ConnectionClosed):  # replaced before it was greeted
                await player.greeted()
            return player

        async def race(name: str) -> None:
            players = await asyncio.gather(*(come(served, name) for served in (one, other, one)))
            *older, latest = sorted(players, key=lambda player: player.hello.get("generation", 0))
            for player in older:
                assert await player.closed(within=60) == (CloseCode.REPLACED, "replaced")
            joined = await latest.join()
            assert joined["type"] == "queue_joined"
            assert await leave(latest, "x") == [joined["data"]["ticket_id"]], "events come to the one that stays"
            await latest.socket.close()

        await many(race)


async def test_arrivals_may_overtake_each_other(redis_url: str, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older one's handshake takes longer than the newer one's: it must not push the newer one out."""
    begun, goes_on, look = asyncio.Event(), asyncio.Event(), arrival.current_session

    async def slow(store: Any, player: str) -> Any:
        if player == "alice" and not begun.is_set():
            begun.set()
            await goes_on.wait()
        return await look(store, player)

    monkeypatch.setattr(arrival, "current_session", slow)
    async with gateway(redis_url, signer) as served, matcher(redis_url), served.player("bob") as bob:
        older = await served.open("alice")
        await asyncio.wait_for(begun.wait(), 20)
        async with served.player("alice") as newer:
            goes_on.set()
            assert await older.closed(within=20) == (CloseCode.REPLACED, "replaced")
            await newer.join()
            await bob.join()
            await newer.receive("match_found", within=20)


@pytest.mark.parametrize("asked", ["queue_join", "queue_leave", "party_create"])
async def test_a_gateway_that_has_not_heard_of_a_takeover_cannot_act_for_the_older_connection(
    redis_server: RedisServer, redis_url: str, signer: Signer, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    with FreezingProxy("127.0.0.1", redis_server.port) as proxy:
        through = f"redis://127.0.0.1:{proxy.port}/0"
        async with gateway(through, signer) as unaware, gateway(redis_url, signer) as other, unaware.player("alice") as older:
            monkeypatch.setattr(bus_module, "CANARY_LATE", 3600.0)
            assert proxy.freeze(b"SUBSCRIBE") == 1
            async with other.player("alice") as newer:
                if asked == "queue_leave":
                    joined = await newer.join()
                where = {"pool": "duel", "region": "local", "mode": "ranked"} if asked == "queue_join" else {}
                await older.send(asked, op_id="stale", **where)
                assert await older.closed(within=20) == (CloseCode.REPLACED, "replaced")
                if asked == "party_create":
                    await newer.send("party_create", op_id="mine")
                    while (answer := await newer.receive())["data"].get("op_id") != "mine":
                        pass  # members are told by an event, too
                    assert answer["type"] == "party_update", "there was no party yet"
                else:
                    assert await leave(newer, "mine") == ([joined["data"]["ticket_id"]] if asked == "queue_leave" else [])


async def test_a_subscription_that_died_without_a_word_delays_events_and_loses_none(
    redis_server: RedisServer, redis_url: str, signer: Signer
) -> None:
    """How long they are delayed follows from the canary's period and patience (`store/bus.py`)."""
    with FreezingProxy("127.0.0.1", redis_server.port) as proxy:
        through = f"redis://127.0.0.1:{proxy.port}/0"
        async with (
            gateway(through, signer) as deaf,
            gateway(redis_url, signer) as other,
            matcher(redis_url),
            deaf.player("alice") as alice,
            other.player("bob") as bob,
        ):
            await alice.join()
            assert proxy.freeze(b"SUBSCRIBE") == 1
            await bob.join()
            told = await bob.receive("match_found", within=20)
            assert (await alice.receive("match_found", within=20))["data"]["match_id"] == told["data"]["match_id"]
