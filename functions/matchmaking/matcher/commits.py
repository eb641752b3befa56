"""From proposed matches to committed and delivered ones."""

import asyncio
import secrets
import time
from collections.abc import Sequence

import msgspec

from matchmaking.core.pool import PoolRules
from matchmaking.core.round import Match, TeamResult
from matchmaking.core.session import Arrival, opened
from matchmaking.core.ticket import BackfillSlots, Ticket
from matchmaking.protocol.events import MATCH_READY, MatchReadyData, rfc3339
from matchmaking.protocol.messages import TeamData
from matchmaking.store import values
from matchmaking.store.interface import Store
from matchmaking.store.relay import relay
from matchmaking.telemetry.traces import NO_TRACES, NoTraces

from .counting import Tally, of_match

CHUNK = 500  # matches under way at once; more only wait in the client
_json = msgspec.json.Encoder()


async def commit_all(
    store: Store, pool: str, matcher: str, matches: Sequence[Match], rules: PoolRules, now: float, traces: NoTraces = NO_TRACES
) -> Tally:
    """Commit each match, and relay what was committed at once.

    Raises:
        StoreUnavailableError: some may have been committed; what the pool's outbox holds is relayed by others.
    """
    tally = Tally()
    for i in range(0, len(matches), CHUNK):
        results = await asyncio.gather(
            *(_commit(store, pool, matcher, match, rules, now, tally, traces) for match in matches[i : i + CHUNK]), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
    return tally


async def _commit(
    store: Store, pool: str, matcher: str, match: Match, rules: PoolRules, now: float, tally: Tally, traces: NoTraces
) -> None:
    entry = match_ready(pool, secrets.token_hex(12), match, rules, now)
    with traces.match(pool, entry.match, match) as noted:
        noted.outcome = await _propose(store, pool, matcher, match, entry, rules, now, tally)


async def _propose(
    store: Store, pool: str, matcher: str, match: Match, entry: values.RelayEntry, rules: PoolRules, now: float, tally: Tally
) -> str:
    """Commit a match and relay it; what the commit said."""
    tickets = match.tickets
    proposed = [
        values.CommitTicket(ticket.id, ticket.region, ticket.mode, round(ticket.enqueued * 1000), ticket.backfill is None)
        for ticket in tickets
    ]
    commitment = await store.commit(
        pool, matcher, entry.match, proposed, float(rules.ticket.reconnect_grace), entry, of_match(match, rules, now)
    )
    tally.committed_at = time.perf_counter()
    if commitment.status != "committed":
        tally.conflicts += 1
        tally.ghosts += commitment.status == "ghost"
        tally.gone.update(commitment.gone)
        return commitment.status
    tally.matches += 1
    tally.tickets += len(tickets)
    tally.gone.update(ticket.id for ticket in tickets)
    if commitment.entry:
        tally.relay_began = tally.relay_began or time.perf_counter()
        await relay(store, values.PendingEntry(commitment.entry, entry))
        tally.relayed_at = time.perf_counter()
    return commitment.status


def match_ready(pool: str, match_id: str, match: Match, rules: PoolRules, now: float) -> values.RelayEntry:
    """The event that tells a match's players of it, and the session that comes of it."""
    tickets = match.tickets
    holders = {player.id: ticket.id for ticket in tickets for player in ticket.players}
    seed = opened(match_id, pool, match, rules, now)
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
    return values.RelayEntry(pool, holders, MATCH_READY, event, data.timestamp, match_id, msgspec.Raw(_json.encode(seed)), holds, filled)


def _players(team: TeamResult, slots: BackfillSlots | None) -> list[str]:
    """Who is in the team, those first who are there already."""
    present = slots.teams.get(team.name, ()) if slots else ()
    return [player.id for player in present] + [player.id for ticket in team.tickets for player in ticket.players]


def _waited(ticket: Ticket, now: float) -> float:
    return round(max(0.0, now - ticket.enqueued), 3)
