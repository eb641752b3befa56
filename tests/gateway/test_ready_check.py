"""The ready check over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from matchmaking.store.connect import open_store
from support.arena import found, put_arena
from support.gateways import Gateway, gateway, matcher
from support.matches import waiting
from support.tokens import Signer


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


@pytest.fixture
async def served(redis_url: str, signer: Signer) -> AsyncIterator[Gateway]:
    async with gateway(redis_url, signer) as opened:
        yield opened


async def state(player: Any, status: str) -> dict[str, Any]:
    while True:
        update: dict[str, Any] = await player.receive("game_state_update")
        if update["data"]["state"]["status"] == status:
            return update


async def test_both_accept_and_are_free_again_where_there_is_no_server(served: Gateway, redis_url: str) -> None:
    await put_arena(redis_url)
    async with served.player("alice") as alice, served.player("bob") as bob, matcher(redis_url, "arena"):
        await alice.join(pool="arena")
        await bob.join(pool="arena")
        match = await alice.receive("match_found")
        await bob.receive("match_found")
        assert match["data"]["accept_by"] > match["data"]["timestamp"]
        await alice.send("match_accept", match_id=match["data"]["match_id"], op_id="a")
        progress = await bob.receive("game_state_update")
        assert progress["data"]["state"] == {"status": "proposed", "accepted": 1, "players": 2}
        assert "seq" not in progress
        refused = await alice.join(pool="duel", op_id="2")
        assert refused["data"]["code"] == "in_session"
        await bob.send("match_accept", match_id=match["data"]["match_id"], op_id="b")
        for player in (alice, bob):
            assert (await state(player, "active"))["data"]["session_id"] == match["data"]["match_id"]
        assert (await alice.join(pool="duel", op_id="3"))["type"] == "queue_joined"


async def test_who_declines_pays_and_the_other_waits_on(served: Gateway, redis_url: str) -> None:
    async with found(served, redis_url, "alice", "bob") as (match, (alice, bob)):
        await alice.send("match_accept", match_id=match, op_id="a")
        await bob.send("match_decline", match_id=match, op_id="b")
        mine, theirs = await alice.receive("match_cancelled"), await bob.receive("match_cancelled")
        assert mine["data"] | {"ticket_id": "", "waited": 0} == {
            "match_id": match, "reason": "declined", "requeued": True, "ticket_id": "", "retry_after": None,
            "pool": "arena", "region": "local", "mode": "ranked", "waited": 0,
        }  # fmt: skip
        assert (theirs["data"]["requeued"], 29 < theirs["data"]["retry_after"] <= 30) == (False, True)
        update = await alice.receive("queue_update")
        assert (update["data"]["ticket_id"], update["data"]["position"]) == (mine["data"]["ticket_id"], 1)
        refused = await bob.join(pool="arena", op_id="2")
        assert refused["data"]["code"] == "cooldown"
        assert 0 < refused["data"]["retry_after"] <= 30
        assert (await bob.join(pool="duel", op_id="3"))["type"] == "queue_joined", "the pause is the pool's own"
        async with served.player("carol") as carol:
            await carol.join(pool="arena")
            again = await carol.receive("match_found")
            assert again["data"]["opponent"] == "alice"
            assert (await alice.receive("match_found"))["data"]["ticket_id"] == mine["data"]["ticket_id"]


async def test_one_of_ten_declines_and_nine_are_matched_first(served: Gateway, redis_url: str) -> None:
    teams = [{"name": "side", "quantity": 2, "minPlayers": 5, "maxPlayers": 5}]
    names = [f"p{n}" for n in range(10)]
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(redis_url))
        await put_arena(redis_url, teams=teams)
        players = {name: await stack.enter_async_context(served.player(name)) for name in (*names, "early", "late")}
        for name in names:
            await players[name].join(pool="arena")
        before = {ticket.players[0].id: ticket.enqueued for ticket in await waiting(store)}
        async with matcher(redis_url, "arena"):
            (match,) = {(await players[name].receive("match_found"))["data"]["match_id"] for name in names}
        for name in ("early", "late"):
            await players[name].join(pool="arena")
            await asyncio.sleep(0.002)  # within one millisecond the order would be the ids'
        for name in names[:9]:
            await players[name].send("match_accept", match_id=match)
        await players["p9"].send("match_decline", match_id=match, op_id="d")

        told = {name: (await players[name].receive("match_cancelled"))["data"] for name in names}
        assert [told[name]["requeued"] for name in names] == [True] * 9 + [False]
        async with asyncio.timeout(10):
            while len(queue := await waiting(store)) < 11:  # they are told a moment before
                await asyncio.sleep(0.02)
        assert {ticket.players[0].id: ticket.enqueued for ticket in queue[:9]} == {name: before[name] for name in names[:9]}
        assert [ticket.players[0].id for ticket in queue[9:]] == ["early", "late"]
        assert 29 < told["p9"]["retry_after"] <= 30
        refused = await players["p9"].join(pool="arena", op_id="again")
        assert (refused["type"], refused["data"]["code"], refused["data"]["op_id"]) == ("error", "cooldown", "again")
        assert 0 < refused["data"]["retry_after"] <= 30
        async with matcher(redis_url, "arena"):
            found_again = [(await players[name].receive("match_found"))["data"] for name in (*names[:9], "early")]
        assert len({found["match_id"] for found in found_again}) == 1
        assert {found["ticket_id"] for found in found_again[:9]} == {told[name]["ticket_id"] for name in names[:9]}
        assert [ticket.players[0].id for ticket in await waiting(store)] == ["late"]


async def test_who_says_nothing_pays_after_the_deadline(served: Gateway, redis_url: str) -> None:
    rules = {"acceptance": {"required": True, "timeout": "1s", "cooldowns": ["10s"]}}
    async with found(served, redis_url, "alice", "bob", **rules) as (match, (alice, bob)):
        await alice.send("match_accept", match_id=match)
        told = await alice.receive("match_cancelled"), await bob.receive("match_cancelled")
        assert [message["data"]["reason"] for message in told] == ["timeout", "timeout"]
        assert [message["data"]["requeued"] for message in told] == [True, False]
        await bob.send("match_accept", match_id=match, op_id="late")
        assert (await bob.receive("error"))["data"]["code"] == "too_late"


async def test_a_foreign_or_unknown_match_cannot_be_accepted(served: Gateway, redis_url: str) -> None:
    async with found(served, redis_url, "alice", "bob") as (match, _), served.player("mallory") as mallory:
        for name, kind in ((match, "match_accept"), (match, "match_decline"), ("nothing", "match_accept")):
            await mallory.send(kind, match_id=name, op_id="x")
            refused = await mallory.receive("error")
            assert (refused["data"]["code"], refused["data"]["op_id"]) == ("unknown_match", "x")
        await mallory.send("match_accept", match_id="{x}")
        assert (await mallory.receive("error"))["data"]["code"] == "invalid_message"


async def test_a_proposed_match_survives_a_lost_connection(served: Gateway, redis_url: str) -> None:
    async with found(served, redis_url, "alice", "bob") as (match, (alice, bob)):
        await bob.send("match_accept", match_id=match)
        await alice.receive("game_state_update")
        await alice.socket.close()
        again = await served.open("alice")
        async with again.socket:
            snapshot = (await again.receive("snapshot"))["data"]
            assert snapshot["session"] == {"session_id": match, "state": {"status": "proposed", "accepted": 1, "players": 2}}
            assert snapshot["match"]["accept_by"]
            await again.send("match_accept", match_id=match)
            await state(again, "active")
            await state(bob, "active")


async def test_the_deadline_is_kept_when_the_gateway_of_the_match_is_gone(redis_url: str, signer: Signer) -> None:
    rules = {"acceptance": {"required": True, "timeout": "1s"}}
    async with gateway(redis_url, signer) as first, found(first, redis_url, "alice", "bob", **rules):
        pass
    await asyncio.sleep(1)
    async with gateway(redis_url, signer) as second, second.player("alice") as alice:
        async with asyncio.timeout(10):
            while (await alice.join(pool="duel", op_id="next"))["type"] == "error":
                await asyncio.sleep(0.1)
