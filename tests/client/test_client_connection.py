"""The client against a scripted gateway on a real socket: what it sends, what it hands out, when it comes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from matchmaking.client import (
    Client,
    ClientEvent,
    ConnectionEndedError,
    JoinRefusedError,
    LeaveRefusedError,
    MatchFoundData,
    QueueLeftData,
    QueueUpdateData,
    SnapshotData,
    reconnect,
)
from matchmaking.client.opening import socket_url
from matchmaking.protocol.messages import ErrorData, QueueJoinedData, QueuePlace, ReconnectData, TeamData

T = TypeVar("T")
PLACE = ("t1", "duel", "local", "ranked")


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect, "BASE", 0.02)


def match(ticket: str = "t1") -> MatchFoundData:
    teams = [TeamData("side-1", ["alice"]), TeamData("side-2", ["bob"])]
    return MatchFoundData("m1", "bob", "2031-05-06T07:08:09.123Z", teams, "duel", "local", "ranked", ticket, 0.9, 1.5)


@asynccontextmanager
async def connected(gateway: Any, **options: Any) -> AsyncIterator[tuple[Client, Any]]:
    """A client whose first connection the gateway has greeted, and that connection."""
    accepting = asyncio.ensure_future(gateway.accept())
    async with Client.connect(gateway.url, "alice", **({"token": "secret"} | options)) as client:
        yield client, await accepting


async def soon(awaitable: Awaitable[T]) -> T:
    return await asyncio.wait_for(awaitable, 5)


async def next_event(client: Client) -> ClientEvent:
    events = client.events()
    return await soon(anext(aiter(events)))


async def joined(client: Client, peer: Any) -> None:
    asking = asyncio.ensure_future(client.join("duel", "local", "ranked"))
    request = await peer.receive("queue_join")
    await peer.send(QueueJoinedData(*PLACE, request["data"]["op_id"]))
    await soon(asking)


async def test_signs_in_with_subprotocol_and_bearer(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        assert peer.socket.request.path == "/ws/alice"
        assert peer.socket.request.headers["Authorization"] == "Bearer secret"
        assert peer.socket.subprotocol == "gsm.v1"
        assert client.connected


async def test_join_returns_the_acknowledged_ticket(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        asking = asyncio.ensure_future(client.join("duel", "local", "ranked", latency={"local": 12.0}))
        request = await peer.receive()
        assert request["type"] == "queue_join"
        assert request["data"] | {"op_id": ""} == {
            "pool": "duel",
            "region": "local",
            "mode": "ranked",
            "op_id": "",
            "latency": {"local": 12.0},
            "roles": [],
            "attributes": {},
        }
        await peer.send(QueueJoinedData(*PLACE, request["data"]["op_id"]))
        assert (await soon(asking)).ticket_id == "t1"
        assert client.ticket == QueuePlace(*PLACE)


async def test_a_refused_join_says_why_and_when_to_try_again(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        asking = asyncio.ensure_future(client.join("duel"))
        op_id = (await peer.receive())["data"]["op_id"]
        await peer.send(ErrorData("unavailable", "no store", op_id, 2.0))
        with pytest.raises(JoinRefusedError) as refused:
            await soon(asking)
        assert (refused.value.code, refused.value.retry_after) == ("unavailable", 2.0)


async def test_an_unreadable_request_is_refused_though_the_error_has_no_operation(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        asking = asyncio.ensure_future(client.join("x" * 100))
        await peer.receive()
        await peer.send(ErrorData("invalid_message", "too long"))
        with pytest.raises(JoinRefusedError, match="too long"):
            await soon(asking)


async def test_leave_returns_the_end_and_hands_it_out_as_an_event(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await joined(client, peer)
        asking = asyncio.ensure_future(client.leave())
        op_id = (await peer.receive("queue_leave"))["data"]["op_id"]
        left = QueueLeftData(*PLACE, "left", op_id)
        await peer.send(left, 1)
        assert await soon(asking) == left
        assert await next_event(client) == left
        assert client.ticket is None


async def test_leaving_without_a_ticket_is_refused(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        asking = asyncio.ensure_future(client.leave())
        op_id = (await peer.receive())["data"]["op_id"]
        await peer.send(ErrorData("not_queued", "you do not wait", op_id))
        with pytest.raises(LeaveRefusedError):
            await soon(asking)


async def test_repeats_are_dropped_and_one_acknowledgement_covers_all(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await peer.send(match("t1"), 1)
        await peer.send(match("t1"), 1)
        await peer.send(match("t2"), 2)
        tickets = []
        async for event in client.events():
            assert isinstance(event, MatchFoundData)
            tickets.append(event.ticket_id)
            if len(tickets) == 2:
                break
        assert tickets == ["t1", "t2"]
        assert (await peer.receive("ack"))["data"] == {"seq": 2}


async def test_unread_queue_updates_give_way_to_newer_ones(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        for position in (3, 2, 1):
            await peer.send(QueueUpdateData(*PLACE, position, 3, 1.0))
        await peer.send(match(), 1)
        await asyncio.sleep(0.1)
        first, second = await next_event(client), await next_event(client)
        assert isinstance(first, QueueUpdateData)
        assert first.position == 1
        assert isinstance(second, MatchFoundData)


async def test_beats_within_the_interval(fake_gateway: Any) -> None:
    fake_gateway.interval = 0.1
    async with connected(fake_gateway) as (_, peer):
        for _ in range(3):
            assert (await peer.receive())["type"] == "heartbeat"
            await peer.send(ErrorData("any", "sign of life"))


async def test_a_silent_server_counts_as_lost(fake_gateway: Any) -> None:
    fake_gateway.interval = 0.1
    async with connected(fake_gateway) as (client, _):
        fake_gateway.interval = 30.0
        await fake_gateway.accept()
        await asyncio.sleep(0.05)
        assert client.connections == 2


async def test_unknown_messages_are_ignored(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await peer.socket.send('{"type": "from_the_future", "data": {"x": 1}}')
        await peer.send(match(), 1)
        assert isinstance(await next_event(client), MatchFoundData)


# --- coming back -------------------------------------------------------------------------------------------------------


async def test_comes_back_after_a_lost_connection_and_asks_again_under_the_same_operation(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        asking = asyncio.ensure_future(client.join("duel", "local", "ranked"))
        first = await peer.receive("queue_join")
        peer.socket.transport.abort()
        back = await fake_gateway.accept()
        again = await back.receive("queue_join")
        assert again == first
        await back.send(QueueJoinedData(*PLACE, again["data"]["op_id"]))
        await soon(asking)
        assert client.connections == 2


async def test_a_match_that_was_missed_comes_from_the_snapshot_as_an_event(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await joined(client, peer)
        await peer.socket.close(1012)
        back = await fake_gateway.accept(seq=7)
        await back.send(SnapshotData(match=match()))
        await back.send(match(), 7)  # a repeat of what the snapshot told
        assert await next_event(client) == match()
        assert isinstance(await next_event(client), SnapshotData)
        assert client.ticket is None


async def test_a_ticket_that_is_gone_without_a_word_is_reported_as_lost(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await joined(client, peer)
        peer.socket.transport.abort()
        back = await fake_gateway.accept()
        assert (await back.receive())["type"] == "heartbeat"
        await back.socket.send('{"type": "heartbeat_ack", "data": {"timestamp": ""}}')
        assert await next_event(client) == QueueLeftData(*PLACE, "lost")


async def test_a_ticket_that_still_waits_stays(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await joined(client, peer)
        peer.socket.transport.abort()
        back = await fake_gateway.accept()
        await back.send(SnapshotData(ticket=QueuePlace(*PLACE)))
        await back.socket.send('{"type": "heartbeat_ack", "data": {"timestamp": ""}}')
        assert isinstance(await next_event(client), SnapshotData)
        assert client.ticket == QueuePlace(*PLACE)


async def test_waits_as_long_as_the_server_asks(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (_, peer):
        loop = asyncio.get_running_loop()
        await peer.send(ReconnectData(0.4))
        await peer.socket.close(1012)
        since = loop.time()
        await fake_gateway.accept()
        assert 0.4 <= loop.time() - since < 1.0  # the close code alone would mean at least a second


async def test_replaced_means_stay_away(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await peer.socket.close(4409)
        with pytest.raises(ConnectionEndedError) as ended:
            await next_event(client)
        assert ended.value.code == 4409
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(fake_gateway.sockets.get(), 0.2)


async def test_a_refused_token_is_renewed_once(fake_gateway: Any) -> None:
    tokens = iter(["old", "new", "newer"])

    async def provide() -> str:
        return next(tokens)

    async def refuse_twice() -> None:
        for _ in range(2):
            back = await fake_gateway.accept(greet=False)
            await back.send(ErrorData("unauthorized", "the token has expired"))
            await back.socket.close(4401)

    refusing = asyncio.ensure_future(refuse_twice())
    with pytest.raises(ConnectionEndedError, match="the token has expired"):
        async with Client.connect(fake_gateway.url, "alice", token_provider=provide):
            pass
    await refusing
    assert next(tokens) == "newer"


async def test_a_fixed_token_that_is_refused_is_not_tried_again(fake_gateway: Any) -> None:
    connecting = asyncio.ensure_future(Client.connect(fake_gateway.url, "alice", token="old").__aenter__())
    peer = await fake_gateway.accept(greet=False)
    await peer.socket.close(4401)
    with pytest.raises(ConnectionEndedError) as ended:
        await soon(connecting)
    assert ended.value.code == 4401


async def test_not_connected_in_time() -> None:
    with pytest.raises(ConnectionEndedError, match=r"not connected to ws://127\.0\.0\.1:9 within 0\.2 s: .*cannot be reached"):
        async with Client.connect("ws://127.0.0.1:9", "alice", token="x", connect_timeout=0.2):
            pass


async def test_events_end_when_the_client_is_closed(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await peer.send(match(), 1)
        await asyncio.sleep(0.05)
    assert [type(event) async for event in client.events()] == [MatchFoundData]


@pytest.mark.parametrize(
    ("base", "player", "expected"),
    [
        ("http://127.0.0.1:8080", "alice", "ws://127.0.0.1:8080/ws/alice"),
        ("https://play.example.org/mm/", "a|b@c", "wss://play.example.org/mm/ws/a%7Cb%40c"),
        ("ws://h", "x", "ws://h/ws/x"),
    ],
)
def test_socket_url(base: str, player: str, expected: str) -> None:
    assert socket_url(base, player) == expected


@pytest.mark.parametrize("base", ["play.example.org", "ftp://x", "ws://"])
def test_an_address_that_is_none(base: str) -> None:
    with pytest.raises(ValueError, match="a gateway's address begins with"):
        socket_url(base, "x")
