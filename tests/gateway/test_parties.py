"""Parties over the wire: everybody sees the same party, the leader queues it whole, and no disconnection or death loses anybody's news."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from matchmaking.core.duration import Duration
from matchmaking.core.pool import Acceptance, LatencyRule, Party, PoolRules, TicketLife
from matchmaking.store.connect import open_store
from matchmaking.store.redis_store import RedisStore
from support.gateways import Gateway, Player, gateway, matcher, shipped_pool
from support.tokens import Signer

PAIRS = {"pool": "pairs", "region": "local", "mode": "ranked"}


def pairs(**changes: Any) -> PoolRules:
    """Two against two, in parties of at most two."""
    squads = shipped_pool("squads")
    teams = tuple(msgspec.structs.replace(team, min_players=2, max_players=2) for team in squads.teams)
    return msgspec.structs.replace(squads, **{"teams": teams, "party": Party(max_size=2)} | changes)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


@pytest.fixture
async def served(redis_url: str, signer: Signer) -> AsyncIterator[Gateway]:
    async with gateway(redis_url, signer) as opened, open_store(redis_url) as store:
        await store.put_pool("pairs", pairs())
        yield opened


async def answer(player: Player, type_: str, **data: Any) -> dict[str, Any]:
    """Ask; what is answered."""
    await player.send(type_, **{"op_id": f"{type_}-1", **data})
    while True:
        message = await player.receive()
        if message["type"] in ("party_update", "error", "queue_joined") and message["data"].get("op_id"):
            return message["data"]


async def told(player: Player, reason: str) -> dict[str, Any]:
    """The party as the player is told of it, for this reason."""
    while True:
        message = await player.receive("party_update", within=10)
        if message["data"]["reason"] == reason and "seq" in message:
            return message["data"]


@asynccontextmanager
async def party(gateways: list[Gateway], *names: str) -> AsyncIterator[list[Player]]:
    """A party of these players, the leader first, over these gateways in turn."""
    async with AsyncExitStack() as stack:
        players = [await stack.enter_async_context(gateways[i % len(gateways)].player(name)) for i, name in enumerate(names)]
        created = await answer(players[0], "party_create")
        for player in players[1:]:
            assert (await answer(player, "party_join", invite=created["invite"]))["party_id"] == created["party_id"]
        for player in players[:-1]:  # the last one has the answer
            while len((await told(player, "joined"))["members"]) < len(names):
                pass
        yield players


async def test_a_party_on_two_gateways(served: Gateway, redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer) as other, party([served, other], "alice", "bob", "carol") as (alice, bob, carol):
        left = await answer(alice, "party_leave")
        assert (left["members"], left["op_id"]) == ([], "party_leave-1")
        for player in (bob, carol):
            now = await told(player, "left")
            assert (now["leader"], [member["player_id"] for member in now["members"]]) == ("bob", ["bob", "carol"])
        assert (await answer(carol, "party_kick", player_id="bob"))["code"] == "not_party_leader"
        await answer(bob, "party_kick", player_id="carol")
        assert (await told(carol, "kicked"))["members"] == []
        assert (await answer(carol, "party_leave", op_id="x"))["code"] == "not_in_party"
        assert (await answer(carol, "party_join", invite=left["party_id"], op_id="y"))["code"] == "unknown_invite"


async def test_the_leader_queues_the_party_and_it_is_matched_whole(served: Gateway, redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer) as other, party([served, other], "alice", "bob") as (alice, bob):
        refused = await answer(bob, "queue_join", **PAIRS)
        assert (refused["code"], "alice" in refused["message"]) == ("not_party_leader", True)
        ticket = (await answer(alice, "queue_join", **PAIRS))["ticket_id"]
        assert (await bob.receive("queue_joined"))["data"]["ticket_id"] == ticket
        assert (await bob.receive("queue_update", within=10))["data"]["position"] == 1
        async with party([served], "carol", "dan") as (carol, dan), matcher(redis_url, "pairs"):
            await answer(carol, "queue_join", **PAIRS)
            for player in (alice, bob, carol, dan):
                found = (await player.receive("match_found", within=15))["data"]
                assert sorted(sorted(team["players"]) for team in found["teams"]) == [["alice", "bob"], ["carol", "dan"]]
        assert (await answer(alice, "queue_join", **PAIRS, op_id="again"))["ticket_id"] != ticket


@pytest.mark.parametrize("how", ["leave", "kick", "queue_leave"])
async def test_a_queued_party_that_changes_leaves_the_queue(served: Gateway, how: str) -> None:
    async with party([served], "alice", "bob") as (alice, bob):
        await answer(alice, "queue_join", **PAIRS)
        await bob.receive("queue_joined")
        if how == "kick":
            await alice.send("party_kick", player_id="bob")
        else:
            await bob.send("party_leave" if how == "leave" else "queue_leave")
        for player in (alice, bob):
            reason = (await player.receive("queue_left"))["data"]["reason"]
            assert reason == ("left" if how == "queue_leave" else "party_changed")
        if how == "queue_leave":
            await told(alice, "unqueued")
        assert (await answer(alice, "queue_join", **PAIRS, op_id="again"))["ticket_id"]


async def test_a_party_whose_match_is_declined_by_others_waits_on_as_a_party(served: Gateway, redis_url: str) -> None:
    async with party([served], "alice", "bob") as (alice, bob), party([served], "carol", "dave") as (carol, dave):
        async with open_store(redis_url) as store:
            await store.put_pool("pairs", pairs(acceptance=Acceptance(required=True)))
        for leader in (alice, carol):
            await answer(leader, "queue_join", **PAIRS)
        async with matcher(redis_url, "pairs"):
            match = {(await player.receive("match_found"))["data"]["match_id"] for player in (alice, bob, carol, dave)}.pop()
            await dave.send("match_decline", match_id=match)
            back = [(await player.receive("match_cancelled"))["data"] for player in (alice, bob)]
            assert [each["requeued"] for each in back] == [True, True]
            for player in (alice, bob):
                while (now := await told(player, "queued"))["queued"] is None or now["queued"]["ticket_id"] != back[0]["ticket_id"]:
                    pass
            assert (await carol.receive("match_cancelled"))["data"]["requeued"] is False, "her party's ticket has ended"
        await bob.send("party_leave")
        assert (await alice.receive("queue_left"))["data"]["reason"] == "party_changed", "nobody goes before the ticket has ended"


async def test_what_does_not_fit_the_pool_is_refused_by_name(served: Gateway) -> None:
    async with party([served], "alice", "bob", "carol") as (alice, _, carol):
        assert (await answer(alice, "queue_join", **PAIRS))["code"] == "party_too_large"
        await answer(carol, "party_leave")
        await carol.join()
        assert (await answer(carol, "party_join", invite="nonsense", op_id="j"))["code"] == "unknown_invite"
    async with party([served], "erin", "frank") as (erin, frank), open_store(served.settings.redis_url.get_secret_value()) as store:
        await store.put_pool("near", pairs(rules=(*latency_rule(), *pairs().rules)))
        refused = await answer(erin, "queue_join", pool="near", region="local", mode="ranked", latency={"local": 20.0})
        assert refused["code"] == "missing_latency"
        assert "frank" in refused["message"]
        await prefer(served, "frank", latency={"local": 30.0})
        assert "ticket_id" in await answer(
            erin, "queue_join", pool="near", region="local", mode="ranked", latency={"local": 20.0}, op_id="2"
        )
        await frank.receive("queue_joined")


def latency_rule() -> tuple[Any, ...]:
    return (LatencyRule(name="ping", max_latency_ms=80, on_missing="reject"),)


async def prefer(served: Gateway, player: str, **preferences: Any) -> None:
    async with httpx.AsyncClient(base_url=served.url, headers={"Authorization": f"Bearer {served.signer.token(player)}"}) as client:
        (await client.post("/api/v1/matchmaking/preferences", json=preferences)).raise_for_status()


async def test_a_member_with_another_ticket_blocks_by_name(served: Gateway) -> None:
    async with served.player("alice") as alice, served.player("bob") as bob:
        await bob.join()
        created = await answer(alice, "party_create")
        await answer(bob, "party_join", invite=created["invite"])
        refused = await answer(alice, "queue_join", **PAIRS)
        assert refused["code"] == "already_queued"
        assert "`bob` waits already" in refused["message"]


async def test_a_party_survives_reconnects(served: Gateway) -> None:
    async with party([served], "alice", "bob") as (alice, bob):
        await answer(alice, "queue_join", **PAIRS)
        await bob.receive("queue_joined")
        await bob.socket.close()
        away = await told(alice, "presence")
        assert [(member["player_id"], member["connected"]) for member in away["members"]] == [("alice", True), ("bob", False)]
        async with served.player("bob") as again:
            assert again.snapshot is not None
            shown = again.snapshot["party"]
            assert (shown["leader"], shown["invite"], shown["queued"]) == ("alice", away["invite"], away["queued"])
            assert again.snapshot["ticket"]["ticket_id"] == shown["queued"]["ticket_id"]
            assert all(member["connected"] for member in (await told(alice, "presence"))["members"])


async def test_a_resumed_member_gets_what_was_missed(served: Gateway) -> None:
    async with party([served], "alice", "bob") as (alice, bob):
        seq = (await served_outbox(served, "bob"))[-1]
        await bob.socket.close()
        await answer(alice, "party_kick", player_id="bob")
        again = await served.open("bob", subprotocols=["gsm.v1", bob.resuming(seq)])
        async with again.socket:
            await again.greeted()
            assert again.hello["resumed"]
            assert (await told(again, "kicked"))["members"] == []


async def served_outbox(served: Gateway, player: str) -> list[int]:
    async with open_store(served.settings.redis_url.get_secret_value()) as store:
        return [event.seq for event in (await store.outbox(player, 0)).events]


async def test_a_member_who_stays_away_ends_the_ticket(served: Gateway, store: RedisStore) -> None:
    await store.put_pool("brief", pairs(ticket=TicketLife(reconnect_grace=Duration(6))))
    async with party([served], "alice", "bob") as (alice, bob):
        await answer(alice, "queue_join", **PAIRS | {"pool": "brief"})
        await bob.receive("queue_joined")
        await bob.socket.close()
        assert (await alice.receive("queue_left", within=15))["data"]["reason"] == "party_changed"
        assert (await told(alice, "unqueued"))["queued"] is None


async def test_what_a_dead_process_did_not_tell_is_told_by_the_gateways(served: Gateway, redis_url: str) -> None:
    async with served.player("alice") as alice, open_store(redis_url) as store:
        created = await answer(alice, "party_create")
        now = (await store.take_over("bob", "gw-dead")).generation
        await store.presence(["bob"])
        party_id, secret = created["invite"].split("-")
        binding = await store.party_bind("bob", now, "1", party_id, "0" * 12)
        await store.party_admit(party_id, "bob", binding.membership, secret, "x" * 10)  # and dies
        assert [member["player_id"] for member in (await told(alice, "joined"))["members"]] == ["alice", "bob"]


async def test_regions_go_by_preference_within_the_longest_latency(served: Gateway) -> None:
    async with served.player("alice") as alice:
        far = {"latency": {"local": 90.0, "eu-west": 40.0, "us-east": 40.0}, "modes": ["casual"]}
        for n, (preferences, region) in enumerate(
            (
                ({"regions": ["local", "us-east"]}, "local"),
                ({"regions": ["local", "us-east"], "max_latency": 50.0}, "us-east"),
                ({"max_latency": 50.0}, "eu-west"),
                ({}, "eu-west"),
            )
        ):
            await prefer(served, "alice", **far | preferences)
            assert (await answer(alice, "queue_join", pool="squads", op_id=f"j{n}"))["region"] == region
            await alice.send("queue_leave")
            await alice.receive("queue_left")
        await prefer(served, "alice", **far | {"max_latency": 10.0})
        refused = await answer(alice, "queue_join", pool="squads", op_id="far")
        assert refused["code"] == "no_near_region"
        assert "eu-west 40 ms" in refused["message"]
        assert (await answer(alice, "queue_join", pool="squads", region="local", op_id="named"))["mode"] == "casual", (
            "a region that is named is taken"
        )


async def test_a_partys_region_is_near_enough_for_everybody(served: Gateway) -> None:
    async with party([served], "alice", "bob") as (alice, _):
        await prefer(served, "alice", regions=["local", "us-east"], modes=["ranked"])
        await prefer(served, "bob", latency={"local": 90.0, "us-east": 40.0}, max_latency=50.0)
        assert (await answer(alice, "queue_join", pool="pairs"))["region"] == "us-east"
