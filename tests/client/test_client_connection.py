"""The client against a scripted gateway on a real socket: what it sends, what it hands out, when it comes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from matchmaking.client import (
    Backoff,
    Client,
    ClientEvent,
    ConnectionEndedError,
    JoinRefusedError,
    LeaveRefusedError,
    MatchFoundData,
    QueueLeftData,
    QueueUpdateData,
    RawEvent,
    RefusedError,
    SnapshotData,
)
from matchmaking.client.opening import socket_url
from matchmaking.protocol.messages import ErrorData, HelloData, QueueJoinedData, QueuePlace, ReconnectData, TeamData

T = TypeVar("T")
PLACE = ("t1", "duel", "local", "ranked")


SOON = Backoff(base=0.02)


def match(ticket: str = "t1") -> MatchFoundData:
    teams = [TeamData("side-1", ["alice"]), TeamData("side-2", ["bob"])]
    return MatchFoundData("m1", "bob", "2031-05-06T07:08:09.123Z", teams, "duel", "local", "ranked", ticket, 0.9, 1.5)


@asynccontextmanager
async def connected(gateway: Any, **options: Any) -> AsyncIterator[tuple[Client, Any]]:
    """A client whose first connection the gateway has greeted, and that connection."""
    accepting = asyncio.ensure_future(gateway.accept())
    async with Client.connect(gateway.url, "alice", **({"token": "secret", "backoff": SOON} | options)) as client:
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
        await peer.send(ErrorData("busy", "several joins", op_id, 2.0))
        with pytest.raises(JoinRefusedError) as refused:
            await soon(asking)
        assert (refused.value.code, refused.value.retry_after) == ("busy", 2.0)


async def test_what_the_store_left_undecided_is_asked_again_under_the_same_operation(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        asking = asyncio.ensure_future(client.join("duel"))
        first = await peer.receive("queue_join")
        await peer.send(ErrorData("unavailable", "no store", first["data"]["op_id"], 0.05))
        assert await peer.receive("queue_join") == first
        await peer.send(QueueJoinedData(*PLACE, first["data"]["op_id"]))
        assert (await soon(asking)).ticket_id == "t1"


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


async def test_messages_of_a_newer_server_come_raw(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await peer.say("from_the_future", 1, x=1)
        await peer.say("from_the_future", 1, x=1)
        await peer.say("match_found", 2, entirely="different")
        assert await next_event(client) == RawEvent("from_the_future", {"x": 1})
        assert await next_event(client) == RawEvent("match_found", {"entirely": "different"})


async def test_accepting_is_answered_by_the_next_news_of_the_match(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        asking = asyncio.ensure_future(client.accept("m1"))
        request = await peer.receive("match_accept")
        assert request["data"] == {"match_id": "m1", "op_id": request["data"]["op_id"]}
        await peer.say("game_state_update", 1, session_id="m2", state={}, timestamp="")
        await peer.say("game_state_update", 2, session_id="m1", state={"phase": "accepted"}, timestamp="")
        answer = await soon(asking)
        assert answer.session_id == "m1"
        assert [(await next_event(client)).session_id for _ in range(2)] == ["m2", "m1"]


async def test_who_is_queued_again_after_a_cancelled_match_has_a_ticket(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await joined(client, peer)
        await peer.send(match(), 1)
        assert await next_event(client) == match()
        place = {"ticket_id": "t1", "pool": "duel", "region": "local", "mode": "ranked"}
        await peer.say("match_cancelled", 2, match_id="m1", reason="declined", requeued=True, **place)
        await next_event(client)
        assert client.ticket == QueuePlace(*PLACE)


async def test_declining_too_late_is_refused(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        asking = asyncio.ensure_future(client.decline("m1"))
        op_id = (await peer.receive("match_decline"))["data"]["op_id"]
        await peer.say("error", code="too_late", message="the match was accepted", op_id=op_id)
        with pytest.raises(RefusedError, match="too_late"):
            await soon(asking)


async def test_any_request_is_answered_by_its_operation(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        asking = asyncio.ensure_future(client.request("party_create", pool="duel"))
        op_id = (await peer.receive("party_create"))["data"]["op_id"]
        await peer.say("party_update", party_id="p1", op_id=op_id)
        assert await soon(asking) == RawEvent("party_update", {"party_id": "p1", "op_id": op_id})


async def test_callbacks_by_type_and_for_all(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        matches, everything, slowly = [], asyncio.Queue[Any](), []

        async def slow(event: Any) -> None:
            await asyncio.sleep(0.01)
            slowly.append(event)

        client.on("match_found", matches.append)
        client.on("match_found", slow)
        client.on("*", everything.put_nowait)
        await peer.send(match("t1"), 1)
        await peer.say("from_the_future", 2)
        assert await soon(everything.get()) == match("t1")
        assert await soon(everything.get()) == RawEvent("from_the_future", {})
        assert matches == slowly == [match("t1")]
        assert (await peer.receive("ack"))["data"] == {"seq": 2}
        with pytest.raises(RuntimeError, match="callbacks"):
            await next_event(client)


async def test_a_callback_that_fails_is_reported_and_the_others_are_called(fake_gateway: Any) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    async with connected(fake_gateway) as (client, peer):
        heard = asyncio.Queue[Any]()
        client.on("match_found", lambda _: 1 / 0)
        end = client.on("match_found", heard.put_nowait)
        await peer.send(match(), 1)
        await soon(heard.get())
        assert isinstance(reported[0]["exception"], ZeroDivisionError)
        end()
        await peer.socket.close(4409)
        with pytest.raises(ConnectionEndedError):
            await soon(client.closed())


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


async def test_asks_to_resume_and_goes_on_without_a_gap_or_a_repeat(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await joined(client, peer)
        await peer.say("announcement", 1, message="one")
        await next_event(client)
        peer.socket.transport.abort()
        back = await fake_gateway.accept(seq=1, resumed=True)
        assert back.socket.request.headers["Sec-WebSocket-Protocol"] == "gsm.v1, resume.e1.1.t0ken"
        await back.say("announcement", 1, message="one")
        await back.say("announcement", 2, message="two")
        await back.send(match(), 3)
        assert [getattr(await next_event(client), "message", "match") for _ in range(2)] == ["two", "match"]
        assert (client.ticket, client.connections, client.resumed) == (None, 2, 1)
        assert (await back.receive("ack"))["data"] == {"seq": 3}


async def test_what_is_unacknowledged_at_a_cut_is_acknowledged_after_resuming(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await peer.say("announcement", 1, message="one")
        await next_event(client)
        peer.socket.transport.abort()
        back = await fake_gateway.accept(seq=1, resumed=True)
        assert (await back.receive("ack"))["data"] == {"seq": 1}


async def test_another_epoch_starts_another_numbering(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await peer.say("announcement", 7, message="old")
        await next_event(client)
        peer.socket.transport.abort()
        back = await fake_gateway.accept(seq=2, epoch="e2")
        await back.say("announcement", 3, message="new")
        assert (await next_event(client)).message == "new"


async def test_a_session_that_begins_anew_on_its_socket(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await joined(client, peer)
        await peer.say("announcement", 7, message="old")
        await peer.greet(HelloData("alice", 30.0, "e2", 3, 2))
        await peer.send(SnapshotData())
        await peer.say("announcement", 4, message="new")
        told = [await next_event(client) for _ in range(4)]
        assert [getattr(event, "message", type(event).__name__) for event in told] == ["old", "QueueLeftData", "SnapshotData", "new"]
        assert told[1] == QueueLeftData(*PLACE, "lost")
        assert (await peer.receive("ack"))["data"] == {"seq": 4}
        assert (client.connections, client.ticket) == (1, None)
        peer.socket.transport.abort()
        back = await fake_gateway.accept(seq=4, epoch="e2", resumed=True)
        assert back.socket.request.headers["Sec-WebSocket-Protocol"] == "gsm.v1, resume.e2.4.t0ken"


async def test_a_join_that_is_answered_after_its_match_leaves_no_ticket(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        asking = asyncio.ensure_future(client.join("duel", "local", "ranked"))
        op_id = (await peer.receive("queue_join"))["data"]["op_id"]
        peer.socket.transport.abort()
        back = await fake_gateway.accept(resumed=True)
        await back.send(match("t1"), 1)
        await back.receive("queue_join")
        await back.send(QueueJoinedData(*PLACE, op_id))
        assert (await soon(asking)).ticket_id == "t1"
        assert client.ticket is None
        assert await next_event(client) == match("t1")


async def test_gateways_are_tried_in_turn(fake_gateway: Any) -> None:
    accepting = asyncio.ensure_future(fake_gateway.accept())
    async with Client.connect(["ws://127.0.0.1:9", fake_gateway.url], "alice", token="secret", backoff=SOON) as client:
        await accepting
        assert client.connected


async def test_a_gateway_that_says_no_hello_is_given_up(fake_gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matchmaking.client.link.HELLO_TIMEOUT", 0.1)
    silent = asyncio.ensure_future(fake_gateway.accept(greet=False))
    connecting = asyncio.ensure_future(Client.connect(fake_gateway.url, "alice", token="x", backoff=SOON).__aenter__())
    await silent
    await fake_gateway.accept()
    assert (await soon(connecting)).connected
    connecting.result()._link.end()


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


async def test_a_ticket_that_is_gone_is_reported_as_lost(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await joined(client, peer)
        peer.socket.transport.abort()
        back = await fake_gateway.accept()
        await back.send(SnapshotData())
        assert await next_event(client) == QueueLeftData(*PLACE, "lost")


async def test_a_ticket_that_still_waits_stays(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        await joined(client, peer)
        peer.socket.transport.abort()
        back = await fake_gateway.accept()
        await back.send(SnapshotData(ticket=QueuePlace(*PLACE)))
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


async def test_replaced_by_an_own_lost_attempt_means_come_back_once(fake_gateway: Any) -> None:
    async with connected(fake_gateway) as (client, peer):
        peer.socket.transport.abort()
        ghost = await fake_gateway.accept(greet=False)
        ghost.socket.transport.abort()
        back = await fake_gateway.accept()
        await back.socket.close(4409)
        again = await fake_gateway.accept()
        await again.socket.close(4409)
        with pytest.raises(ConnectionEndedError):
            await next_event(client)


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
