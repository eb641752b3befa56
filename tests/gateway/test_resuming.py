"""Resuming: what a client missed comes exactly once and in order, or it gets a whole snapshot; never anything in between."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from matchmaking.store.connect import open_store
from support.gateways import Gateway, Player, gateway, matcher
from support.redis_server import RedisServer
from support.tokens import Signer


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


@pytest.fixture
async def served(redis_url: str, signer: Signer) -> AsyncIterator[Gateway]:
    async with gateway(redis_url, signer) as opened:
        yield opened


async def meet(served: Gateway, alice: Player, op_id: str) -> None:
    """Let alice and somebody else wait."""
    await alice.join(op_id=op_id)
    async with served.player(f"rival-{op_id}") as rival:
        await rival.join()
        await rival.receive("match_found", within=15)


async def come_back(served: Gateway, *offers: str) -> Player:
    player = await served.open("alice", subprotocols=["gsm.v1", *offers])
    await player.greeted()
    return player


async def cut_after_a_match(served: Gateway) -> tuple[Player, dict[str, Any]]:
    """A session of alice's that was sent one match, and is gone."""
    async with served.player("alice") as alice:
        await meet(served, alice, "1")
        return alice, await alice.receive("match_found")


async def test_missed_events_follow_once_and_in_order(served: Gateway, redis_url: str, signer: Signer) -> None:
    async with matcher(redis_url), gateway(redis_url, signer) as other:
        alice, first = await cut_after_a_match(served)
        again = await come_back(other, alice.resuming(0))
        async with again.socket:
            assert (again.hello["resumed"], again.hello["seq"], again.snapshot) == (True, 0, None)
            assert await again.receive() == first
            await meet(other, again, "2")
            assert (await again.receive("match_found"))["seq"] == 2, "and then it is live"


async def test_nothing_is_repeated_to_who_missed_nothing(served: Gateway, redis_url: str) -> None:
    async with matcher(redis_url):
        alice, _ = await cut_after_a_match(served)
        again = await come_back(served, alice.resuming(1))
        async with again.socket:
            assert again.hello["resumed"] is True
            await again.send("heartbeat")
            assert (await again.receive())["type"] == "heartbeat_ack"


async def test_the_ticket_goes_on_under_the_same_operation_id(served: Gateway) -> None:
    async with served.player("alice") as alice:
        joined = await alice.join(op_id="x")
    again = await come_back(served, alice.resuming(0))
    async with again.socket:
        assert again.hello["resumed"] is True
        assert (await again.receive("queue_update"))["data"]["position"] == 1, "it is told how it stands"
        assert (await again.join(op_id="x"))["data"] == joined["data"]


@pytest.mark.parametrize("case", ["token", "other's token", "epoch", "ahead", "trimmed", "used twice", "unreadable", "no offer"])
async def test_who_cannot_prove_it_gets_a_whole_snapshot(served: Gateway, redis_url: str, case: str) -> None:
    async with matcher(redis_url):
        alice, found = await cut_after_a_match(served)
    good = alice.resuming(0)
    _, epoch, seq, token = good.split(".")
    async with served.player("eve") as eve:
        offers = {
            "token": f"resume.{epoch}.{seq}.{token[::-1]}",
            "other's token": eve.resuming(0),
            "epoch": f"resume.0{epoch[1:]}x.{seq}.{token}",
            "ahead": f"resume.{epoch}.7.{token}",
            "unreadable": "resume.a.b.c.d",
        }
    if case == "trimmed":
        async with open_store(redis_url) as store:
            await store.trim("alice", 1)
    if case == "used twice":
        second = await come_back(served, good)
        await second.socket.close()
        await (await come_back(served, second.resuming(0))).socket.close()  # whoever uses the second token had it: the first one is spent
    again = await come_back(served, *([] if case == "no offer" else [offers.get(case, good)]))
    async with again.socket:
        assert (again.hello["resumed"], again.hello["seq"]) == (False, 1)
        assert again.snapshot is not None
        assert again.snapshot["match"]["match_id"] == found["data"]["match_id"]
        assert set(again.snapshot) == {"ticket", "match", "session", "party"}
        await again.send("heartbeat")
        assert (await again.receive())["type"] == "heartbeat_ack", "and nothing else"


async def test_a_hello_that_was_lost_costs_nothing(served: Gateway, redis_url: str) -> None:
    async with matcher(redis_url):
        alice, found = await cut_after_a_match(served)
    for _ in range(3):  # each takes the session over, but its new token never arrives
        await (await served.open("alice", subprotocols=["gsm.v1", alice.resuming(0)])).socket.close()
    again = await come_back(served, alice.resuming(0))
    async with again.socket:
        assert await again.receive() == found


async def test_a_resume_token_signs_nobody_in(served: Gateway) -> None:
    async with served.player("alice") as alice:
        refused = await served.open("alice", additional_headers={}, subprotocols=["gsm.v1", alice.resuming(0)])
        async with refused.socket:
            assert (await refused.closed())[0] == 4401


@pytest.mark.parametrize("case", ["empty", "restarted"])
async def test_a_store_that_may_have_been_rolled_back_is_told_on_the_same_socket(tmp_path: Path, signer: Signer, case: str) -> None:
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server:
        async with gateway(server.url, signer) as served, served.player("alice") as alice:
            joined = await alice.join()
            if case == "empty":
                with server.client() as client:
                    client.flushall()
            else:
                server.kill()
                server.start()
            before = alice.hello
            while (message := await alice.receive(within=20))["type"] != "hello":
                pass
            assert message["data"]["resumed"] is False
            assert message["data"]["epoch"] != before["epoch"]
            snapshot = await alice.receive()
            assert snapshot["type"] == "snapshot"
            ticket = snapshot["data"]["ticket"]
            assert ticket is None if case == "empty" else ticket["ticket_id"] == joined["data"]["ticket_id"]
            await alice.send("queue_leave")
            answer = await alice.receive("error" if case == "empty" else "queue_left")
            assert answer["data"].get("code", "left") in ("not_queued", "left"), "the session can act again"
            await alice.socket.close()
            again = await come_back(served, f"resume.{before['epoch']}.0.{before['resume_token']}")
            async with again.socket:
                assert again.hello["resumed"] is False


async def test_events_that_were_trimmed_away_are_made_up_for_by_a_snapshot(
    served: Gateway, redis_url: str, redis_server: RedisServer
) -> None:
    async with served.player("alice") as alice, matcher(redis_url):
        await meet(served, alice, "1")
        await alice.receive("match_found")
        with redis_server.client() as client:  # as if more had come than an outbox keeps while the bus was down
            client.hincrby("player:{alice}:connection", "seq", 5)
        await alice.join(op_id="2")
        await alice.send("queue_leave", op_id="3")
        hello = await alice.receive("hello")
        assert (hello["data"]["seq"], hello["data"]["resumed"]) == (7, False)
        assert (await alice.receive())["type"] == "snapshot"
        assert (await alice.join(op_id="4"))["type"] == "queue_joined"
