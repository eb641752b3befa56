"""Matches brought about on a store without a matcher: joined, committed, relayed."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence

import msgspec

from matchmaking.core.pool import PoolRules
from matchmaking.core.round import Match, TeamResult
from matchmaking.core.ticket import Player, Ticket
from matchmaking.matcher.commits import match_ready
from matchmaking.store import keys, values
from matchmaking.store.interface import Store
from matchmaking.store.joining import Join, JoinOutcome, join
from matchmaking.store.relay import relay
from matchmaking.store.sessions import attend

POOL, REGION, MODE = "arena", "local", "ranked"
_operations = itertools.count()


async def connect(store: Store, player: str) -> int:
    """A player's new connection; its generation."""
    return (await store.take_over(player, "gw-1")).generation


async def join_arena(store: Store, *party: str, op_id: str | None = None) -> JoinOutcome:
    """A party waits."""
    generation = (await store.take_over(party[0], "gw-1")).generation
    request = Join(party, generation, op_id or f"op{next(_operations)}", POOL, REGION, MODE)
    return await join(store, request, lambda place, _: Ticket(place.ticket, REGION, MODE, tuple(Player(name) for name in party), 0.0))


async def waiting(store: Store) -> list[Ticket]:
    """The queue as a matcher sees it, oldest first."""
    page = await store.page(POOL, REGION, MODE, None, 1000)
    found = []
    for waiter in page.waiters:
        ticket = msgspec.msgpack.decode(waiter.record or b"", type=Ticket)
        found.append(msgspec.structs.replace(ticket, id=waiter.ticket, enqueued=waiter.enqueued_ms / 1000))
    return found


async def now(store: Store) -> float:
    """The store's clock, seconds."""
    return (await store.page(POOL, REGION, MODE, None, 1)).now


async def commit_one(
    store: Store,
    pool: str,
    tickets: Sequence[values.CommitTicket],
    entry: values.RelayEntry,
    counts: Mapping[str, int] | None = None,
    grace: float = 30.0,
) -> values.Commitment:
    """Commit a single match."""
    (commitment,) = await store.commit(pool, "matcher-1", [values.Proposal(entry.match, tickets, entry, counts or {})], grace)
    return commitment


async def commit(store: Store, match: str, rules: PoolRules, teams: Sequence[Sequence[Ticket]]) -> values.PendingEntry | None:
    """Commit a match of these tickets, as the process does that may die right afterwards; None: it met a conflict."""
    results = tuple(TeamResult(f"side-{i + 1}", tuple(team)) for i, team in enumerate(teams))
    entry = match_ready(POOL, match, Match(results, REGION), rules, await now(store))
    tickets = [values.CommitTicket(t.id, REGION, MODE, round(t.enqueued * 1000)) for team in teams for t in team]
    commitment = await commit_one(store, POOL, tickets, entry)
    return values.PendingEntry(commitment.entry, entry) if commitment.status == "committed" and commitment.entry else None


async def matched(store: Store, match: str, rules: PoolRules, *sides: Sequence[str]) -> None:
    """These lone players are matched and told."""
    for name in itertools.chain(*sides):
        assert (await join_arena(store, name)).status == "joined"
    tickets = {ticket.players[0].id: ticket for ticket in await waiting(store)}
    pending = await commit(store, match, rules, [[tickets[name] for name in side] for side in sides])
    assert pending is not None
    await relay(store, pending)


async def pass_time(store: Store, rounds: int = 1, ahead: float = 0.0) -> int:
    """Attend to what is due, as gateways do; how many matches that were."""
    count = 0
    for _ in range(rounds):
        await store.gateway_lives("gw-1")
        for shard in keys.timer_shards():
            for timer in await store.timer_take(shard, ahead, 100):
                await attend(store, timer)
                count += 1
        await asyncio.sleep(0)
    return count
