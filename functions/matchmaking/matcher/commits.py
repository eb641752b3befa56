"""From proposed matches to committed and delivered ones."""

import asyncio
import secrets
import time
from collections.abc import Iterator, Sequence

import msgspec

from matchmaking.core.pool import PoolRules
from matchmaking.core.round import Match, TeamResult
from matchmaking.core.session import Arrival, Policy, Session, opened, policy_of
from matchmaking.core.ticket import BackfillSlots, Ticket
from matchmaking.protocol.events import MATCH_READY, MatchReadyData, rfc3339
from matchmaking.protocol.messages import TeamData
from matchmaking.store import values
from matchmaking.store.interface import Store
from matchmaking.store.relay import Seeded, relay_all
from matchmaking.telemetry.traces import NO_TRACES, NotedRound, NoTraces

from .counting import Tally, of_match

Made = tuple[values.RelayEntry, Session | Arrival]
TOGETHER = 64  # matches in one commit: some half a millisecond of Redis' time
WAVE = (
    16 * TOGETHER
)  # matches that are committed while those before are relayed: what a matcher leaves behind if it dies; others take it up after two seconds
ID_BYTES = 12  # of a match's id
UNDER_WAY = 4  # commits at once: while Redis is at one, the next is built
_json = msgspec.json.Encoder()


async def commit_all(
    store: Store, pool: str, matcher: str, matches: Sequence[Match], rules: PoolRules, now: float, traces: NoTraces = NO_TRACES
) -> Tally:
    """Commit matches, and relay those that were committed.

    Raises:
        StoreUnavailableError: some may have been committed; what the pool's outbox holds is relayed by others.
    """
    tally, slots, policy = Tally(), asyncio.Semaphore(UNDER_WAY), policy_of(rules)

    async def some(first: int) -> list[Seeded]:
        async with slots:
            chosen = matches[first : first + TOGETHER]
            ids = secrets.token_hex(ID_BYTES * len(chosen))  # one system call for all
            made = [
                match_made(pool, ids[2 * ID_BYTES * i : 2 * ID_BYTES * (i + 1)], match, rules, now, policy)
                for i, match in enumerate(chosen)
            ]
            for match, (entry, _) in zip(chosen, made, strict=True):
                noted.proposed(entry.match, match)
            proposals = [_proposal(match, entry, rules, now) for match, (entry, _) in zip(chosen, made, strict=True)]
            commitments = await store.commit(pool, matcher, proposals, float(rules.ticket.reconnect_grace))
        tally.committed_at = time.perf_counter()
        return list(_committed(chosen, made, commitments, tally, noted))

    async def tell(committed: Sequence[Seeded]) -> None:
        if committed:
            tally.relay_began = tally.relay_began or time.perf_counter()
            await relay_all(store, pool, committed)
            tally.relayed_at = time.perf_counter()

    with traces.round(pool) as noted:
        telling: asyncio.Task[None] | None = None
        try:
            for wave in range(0, len(matches), WAVE):
                firsts = range(wave, min(wave + WAVE, len(matches)), TOGETHER)
                parts = await asyncio.gather(*(some(first) for first in firsts), return_exceptions=True)
                if telling is not None:
                    await telling
                telling = asyncio.ensure_future(tell([seeded for part in parts if not isinstance(part, BaseException) for seeded in part]))
                for part in parts:
                    if isinstance(part, BaseException):
                        raise part
        finally:
            if telling is not None:
                await telling
    return tally


def _proposal(match: Match, entry: values.RelayEntry, rules: PoolRules, now: float) -> values.Proposal:
    tickets = [
        values.CommitTicket(ticket.id, ticket.region, ticket.mode, round(ticket.enqueued * 1000), ticket.backfill is None)
        for ticket in match.tickets
    ]
    return values.Proposal(entry.match, tickets, entry, of_match(match, rules, now))


def _committed(
    matches: Sequence[Match], made: Sequence[Made], commitments: Sequence[values.Commitment], tally: Tally, noted: NotedRound
) -> Iterator[Seeded]:
    """Count what came of proposals; those to relay."""
    for match, (entry, seed), commitment in zip(matches, made, commitments, strict=True):
        noted.came_of(entry.match, commitment.status)
        if commitment.status != "committed":
            tally.conflicts += 1
            tally.ghosts += commitment.status == "ghost"
            tally.gone.update(commitment.gone)
            continue
        tickets = match.tickets
        tally.matches += 1
        tally.made.append(match)
        tally.tickets += len(tickets)
        tally.gone.update([ticket.id for ticket in tickets])
        if commitment.entry:
            yield values.PendingEntry(commitment.entry, entry), seed


def match_ready(pool: str, match_id: str, match: Match, rules: PoolRules, now: float) -> values.RelayEntry:
    """The event that tells a match's players of it, and the session that comes of it."""
    return match_made(pool, match_id, match, rules, now)[0]


def match_made(pool: str, match_id: str, match: Match, rules: PoolRules, now: float, policy: Policy | None = None) -> Made:
    """The same, and the session once more as it is."""
    tickets = match.tickets
    holders = {player.id: ticket.id for ticket in tickets for player in ticket.players}
    seed = opened(match_id, pool, match, rules, now, policy)
    filled = ""
    if isinstance(seed, Arrival):
        match_id, filled = seed.match, seed.filled
    slots = next((ticket.backfill for ticket in tickets if ticket.backfill), None)
    accept_by = None if isinstance(seed, Arrival) else seed.due.get("accept")
    data = MatchReadyData(
        match_id,
        pool,
        match.region,
        tickets[0].mode,
        [TeamData(team.name, _players(team, slots), round(team.win_chance, 4)) for team in match.teams],
        round(match.quality, 4),
        rfc3339(now),
        holders,
        {ticket.id: _waited(ticket, now) for ticket in tickets},
        round(match.gap, 2),
        round(match.imbalance, 2),
        match.why,
        None if accept_by is None else rfc3339(accept_by),
        {ticket.id: ticket.trace for ticket in tickets if ticket.trace} or msgspec.UNSET,
    )
    event = msgspec.Raw(_json.encode(data))
    holds = isinstance(seed, Arrival) or seed.holds
    packed = msgspec.Raw(_json.encode(seed))
    return values.RelayEntry(pool, holders, MATCH_READY, event, data.timestamp, match_id, packed, holds, filled), seed


def _players(team: TeamResult, slots: BackfillSlots | None) -> list[str]:
    """Who is in the team, those first who are there already."""
    present = slots.teams.get(team.name, ()) if slots else ()
    return [player.id for player in present] + [player.id for ticket in team.tickets for player in ticket.players]


def _waited(ticket: Ticket, now: float) -> float:
    return round(max(0.0, now - ticket.enqueued), 3)
