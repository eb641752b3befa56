"""The client on a real gateway, store and matcher: what it holds on to when its connection does not hold."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest

from matchmaking.client import Backoff, Client, JoinRefusedError, MatchFoundData, QueueLeftData, RefusedError
from support.gateways import Gateway, gateway, matcher
from support.tokens import Signer


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


def connect(running: Gateway, player: str, **options: Any) -> Any:
    return Client.connect(running.url, player, token=running.signer.token(player), **options)


async def event_of(client: Client, kind: type) -> Any:
    async with asyncio.timeout(10):
        async for event in client.events():
            if isinstance(event, kind):
                return event
    raise AssertionError("the events ended")


async def reconnected(client: Client, connections: int = 2) -> None:
    async with asyncio.timeout(10):
        while client.connections < connections or not client.connected:
            await asyncio.sleep(0.01)


async def test_a_lost_connection_keeps_the_place_and_the_match_comes_once(redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer) as running, connect(running, "alice") as alice, connect(running, "bob") as bob:
        ticket = await alice.join("duel", "local", "ranked")
        alice.cut()
        await reconnected(alice)
        async with matcher(redis_url):
            await bob.join("duel", "local", "ranked")
            found, other = await event_of(alice, MatchFoundData), await event_of(bob, MatchFoundData)
        assert (found.opponent, found.ticket_id, other.match_id) == ("bob", ticket.ticket_id, found.match_id)
        assert alice.ticket is None


class TwoSeconds(Backoff, frozen=True):
    """Stays away for so long."""

    def delay(self, attempt: int, wait: float, random: Random) -> float:
        return 2.0


async def test_a_match_made_while_away_is_handed_out_on_return(redis_url: str, signer: Signer) -> None:
    away = TwoSeconds()
    async with gateway(redis_url, signer) as running, connect(running, "alice", backoff=away) as alice, connect(running, "bob") as bob:
        await alice.join("duel", "local", "ranked")
        alice.cut()
        async with matcher(redis_url):
            await bob.join("duel", "local", "ranked")
            await event_of(bob, MatchFoundData)
        assert not alice.connected
        assert (await event_of(alice, MatchFoundData)).opponent == "bob"


async def test_joining_twice_is_refused_and_leaving_ends_the_ticket(redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer) as running, connect(running, "alice") as alice:
        await alice.join("duel", "local", "ranked")
        with pytest.raises(JoinRefusedError) as refused:
            await alice.join("duel", "local", "casual")
        assert refused.value.code == "already_queued"
        left = await alice.leave()
        assert (await event_of(alice, QueueLeftData)) == left
        await alice.join("duel", "local", "casual")


async def test_comes_back_when_the_gateway_was_replaced(redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer) as running:
        port, metrics_port = running.settings.port, running.settings.metrics_port
        connecting = connect(running, "alice")
        alice = await connecting.__aenter__()
        await alice.join("duel", "local", "ranked")
    try:
        async with gateway(redis_url, signer, port=port, metrics_port=metrics_port):
            await reconnected(alice)
            assert alice.ticket is not None
            assert (await alice.leave()).reason == "left"
    finally:
        await connecting.__aexit__(None, None, None)


async def test_a_party_through_the_client(redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer) as running, connect(running, "alice") as alice, connect(running, "bob") as bob:
        party = await alice.create_party()
        joined = await bob.join_party(party.invite)
        assert [member.player_id for member in joined.members] == ["alice", "bob"]
        with pytest.raises(RefusedError, match="only the party's leader"):
            await bob.kick("alice")
        renewed = await alice.new_invite()
        assert (renewed.reason, renewed.invite != party.invite) == ("invite", True)
        async with connect(running, "carol") as carol:
            with pytest.raises(RefusedError) as refused:
                await carol.join_party(party.invite)
            assert refused.value.code == "unknown_invite"
        assert (await alice.promote("bob")).leader == "bob"
        with pytest.raises(RefusedError, match="only the party's leader"):
            await alice.new_invite()
        assert (await bob.promote("alice")).leader == "alice"
        ticket = await alice.join("squads", "local", "ranked")
        async with asyncio.timeout(10):
            while bob.ticket != alice.ticket:
                await asyncio.sleep(0.01)
        assert bob.ticket is not None
        assert bob.ticket.ticket_id == ticket.ticket_id
        bob.cut()
        left = await bob.leave_party()
        assert (left.reason, left.members) == ("left", [])
        assert (await event_of(alice, QueueLeftData)).reason == "party_changed"
