"""The JavaScript client in Node: against a scripted gateway with Node's own WebSocket and with the package `ws`, against a real one, and its types by the compiler."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import matchmaking.client
from matchmaking.protocol.messages import ErrorData, QueueJoinedData, QueueLeftData, QueuePlace, ReconnectData, SnapshotData
from support.gateways import gateway, matcher
from support.node import node, package
from support.tokens import Signer

CLIENT = Path(matchmaking.client.__file__).parent / "js" / "gsm.js"
HERE = Path(__file__).parent / "js"
PLACE = ("t1", "duel", "local", "ranked")


class Driven:
    """A session in a Node process, and what it tells."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def do(self, command: str, *words: Any) -> None:
        """Tell it to do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps([command, words])}\n".encode())

    async def tells(self, key: str, **expected: Any) -> Any:
        """What it tells next under a key, with the fields expected."""
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            while line := await self._process.stdout.readline():
                said = json.loads(line)
                assert "unhandled" not in said, said
                if key in said and said.items() >= expected.items():
                    return said[key]
        raise AssertionError("node has ended")

    async def next(self, type_: str) -> Any:
        """The data of the next event of a type."""
        while (event := await self.tells("event"))["type"] != type_:
            pass
        return event["data"]

    async def event(self, type_: str) -> Any:
        """The next event's data; it must have the type."""
        event = await self.tells("event")
        assert event["type"] == type_, event
        return event["data"]


@asynccontextmanager
async def driven(implementation: str = "", **options: Any) -> AsyncIterator[Driven]:
    words = [
        node(),
        "--experimental-websocket",
        "--no-warnings",
        str(HERE / "driven.mjs"),
        str(CLIENT),
        json.dumps({"player": "alice"} | options),
    ]
    if implementation:
        words.append(str(package(implementation) / "wrapper.mjs"))
    process = await asyncio.create_subprocess_exec(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield Driven(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 20)


def match(ticket: str = "t1") -> dict[str, Any]:
    return {"match_id": "m1", "opponent": "bob", "ticket_id": ticket}


@pytest.mark.parametrize("implementation", ["", "ws"])
async def test_a_session_over_two_connections(fake_gateway: Any, implementation: str) -> None:
    async with driven(implementation, url=fake_gateway.url, ticket="secret") as session:
        session.do("connect")
        session.do("read")
        peer = await fake_gateway.accept()
        assert peer.socket.request.path == "/ws/alice"
        assert peer.socket.request.headers["Sec-WebSocket-Protocol"].replace(" ", "") == "gsm.v1,ticket.secret"
        session.do("ask", "join", {"pool": "duel", "latency": {"local": 12}})
        request = await peer.receive("queue_join")
        peer.socket.transport.abort()
        back = await fake_gateway.accept(resumed=True)
        assert back.socket.request.headers["Sec-WebSocket-Protocol"].replace(" ", "") == "gsm.v1,ticket.secret,resume.e1.0.t0ken"
        assert await back.receive("queue_join") == request
        await back.send(QueueJoinedData(*PLACE, request["data"]["op_id"]))
        assert (await session.tells("answer"))["ticket_id"] == "t1"
        for seq in (1, 1):
            await back.say("from_the_future", seq, x=1)
        await back.say("match_found", 2, **match())
        assert await session.event("from_the_future") == {"x": 1}
        assert await session.event("match_found") == match()
        assert (await back.receive("ack"))["data"] == {"seq": 2}
        session.do("look")
        assert await session.tells("ticket", connections=2, resumed=1) is None


async def test_requests_their_answers_and_refusals(fake_gateway: Any) -> None:
    async with driven(url=fake_gateway.url, ticket="secret") as session:
        session.do("connect")
        peer = await fake_gateway.accept()
        session.do("ask", "leave")
        op_id = (await peer.receive("queue_leave"))["data"]["op_id"]
        await peer.send(QueueLeftData(*PLACE, "left", op_id), 1)
        assert (await session.tells("answer"))["reason"] == "left"
        session.do("ask", "accept", "m1")
        request = await peer.receive("match_accept")
        await peer.send(ErrorData("unavailable", "no store", request["data"]["op_id"], 0.02))
        assert await peer.receive("match_accept") == request
        await peer.say("game_state_update", 2, session_id="m1", state={"phase": "ready"})
        assert (await session.tells("answer"))["session_id"] == "m1"
        session.do("ask", "decline", "m1")
        op_id = (await peer.receive("match_decline"))["data"]["op_id"]
        await peer.send(ErrorData("too_late", "no", op_id, 7.0))
        assert await session.tells("refused", retryAfter=7) == "too_late"
        for method, words, type_, data in (
            ("createParty", [], "party_create", {}),
            ("joinParty", ["abc-def"], "party_join", {"invite": "abc-def"}),
            ("kick", ["bob"], "party_kick", {"player_id": "bob"}),
            ("promote", ["bob"], "party_promote", {"player_id": "bob"}),
            ("newInvite", [], "party_invite", {}),
            ("leaveParty", [], "party_leave", {}),
        ):
            session.do("ask", method, *words)
            asked = (await peer.receive(type_))["data"]
            op_id = asked.pop("op_id")
            assert asked == data
            await peer.say("party_update", party_id=type_, op_id=op_id)
            assert (await session.tells("answer"))["party_id"] == type_
        session.do("ask", "request", "party_create", {"pool": "duel"})
        op_id = (await peer.receive("party_create"))["data"]["op_id"]
        await peer.say("party_update", party_id="p1", op_id=op_id)
        assert (await session.tells("answer"))["party_id"] == "p1"


async def test_what_became_of_the_ticket_comes_from_the_snapshot(fake_gateway: Any) -> None:
    async with driven(url=fake_gateway.url, ticket="secret") as session:
        session.do("connect")
        session.do("read")
        peer = await fake_gateway.accept()
        session.do("ask", "join", {"pool": "duel"})
        op_id = (await peer.receive("queue_join"))["data"]["op_id"]
        await peer.send(QueueJoinedData(*PLACE, op_id))
        await session.tells("answer")
        peer.socket.transport.abort()
        back = await fake_gateway.accept(seq=7)
        await back.send(SnapshotData(ticket=QueuePlace(*PLACE)))
        await session.event("snapshot")
        back.socket.transport.abort()
        back = await fake_gateway.accept(seq=7)
        await back.send(SnapshotData())
        assert await session.event("queue_left") == {
            "ticket_id": "t1",
            "pool": "duel",
            "region": "local",
            "mode": "ranked",
            "reason": "lost",
        }


async def test_waits_as_the_server_asks_and_stays_away_when_told(fake_gateway: Any) -> None:
    async with driven(url=["ws://127.0.0.1:9", fake_gateway.url], ticket="secret") as session:
        session.do("connect")
        session.do("read")
        await session.tells("state", state="retrying")
        peer = await fake_gateway.accept()
        await peer.send(ReconnectData(0.2))
        await peer.socket.close(1012)
        await session.tells("state", state="live")
        assert await session.tells("retryIn", code=1012) >= 0.2
        back = await fake_gateway.accept()
        await back.socket.close(4403)
        await session.tells("state", state="ended", code=4403)
        assert await session.tells("ended") == "ended"
        assert fake_gateway.sockets.empty()


async def test_replaced_by_an_own_lost_attempt_means_come_back_once(fake_gateway: Any) -> None:
    async with driven(url=fake_gateway.url, ticket="secret") as session:
        session.do("connect")
        ghost = await fake_gateway.accept(greet=False)
        ghost.socket.transport.abort()
        for _ in range(2):
            back = await fake_gateway.accept()
            await back.socket.close(4409)
        await session.tells("state", state="ended", code=4409)


async def test_two_players_meet_on_a_real_gateway(redis_url: str, tmp_path: Path) -> None:
    async with (
        gateway(redis_url, signer := Signer(tmp_path)) as running,
        matcher(redis_url),
        driven(url=running.url, token=signer.token("alice")) as alice,
        driven(url=running.url, token=signer.token("bob"), player="bob") as bob,
    ):
        for session in (alice, bob):
            session.do("connect")
            session.do("read")
            session.do("ask", "join", {"pool": "duel", "region": "local", "mode": "ranked"})
        one, other = [await session.next("match_found") for session in (alice, bob)]
        assert (one["opponent"], other["opponent"], one["match_id"]) == ("bob", "alice", other["match_id"])


async def test_a_token_that_is_no_good_ends_it_after_one_more_try(redis_url: str, tmp_path: Path) -> None:
    async with gateway(redis_url, Signer(tmp_path)) as running, driven(url=running.url, token="nonsense") as session:
        session.do("connect")
        await session.tells("state", state="retrying")
        await session.tells("state", state="ended", code=4401)


def test_the_types_hold() -> None:
    compiler = package("typescript") / "bin" / "tsc"
    words = [
        node(),
        str(compiler),
        "--noEmit",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "nodenext",
        "--lib",
        "es2022,dom",
        str(HERE / "types.ts"),
    ]
    compiled = subprocess.run(words, capture_output=True, text=True, check=False)
    assert compiled.returncode == 0, compiled.stdout
