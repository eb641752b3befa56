"""`find_matches`: one round over one queue.

1. Tickets that no round can take are set aside (`admission.flaw`); they stop nobody.
2. The rest is put in buckets that can never meet: by mode, and by region until a ticket may spill to its neighbours.
3. Each bucket is matched: pairs of lone tickets by `duel`, everything else by `teams`. What is left of a region is then offered,
   together with what spills into it, a second time.
4. For what is left, reasons are computed when somebody asks.

A round is a function of its arguments: no clock, no randomness of its own, and the order in which tickets came into the view does not matter.
"""

from collections.abc import Iterable, Sequence
from random import Random

from .admission import flaw
from .candidate import Entry, empty_sides, ticket_number
from .duel import is_duel, pair_up, rating_order, seat
from .evaluate import Frame
from .explain import Reasons, Suspended, describe
from .pool import PoolRules
from .queue import QueueView
from .round import Match, Round
from .teams import team_up
from .ticket import Ticket


def find_matches(queue: QueueView, rules: PoolRules, now: float, random: Random) -> Round:
    """Put waiting tickets together.

    Args:
        queue: the tickets; if it names a region, matches are played there, and tickets of its neighbours join once they may spill.
        rules: the pool's.
        now: seconds since the epoch, on the clock of the tickets' `enqueued`.
        random: the source of whatever must not be the same in each round (large queues: where the order is cut).

    Returns:
        matches, the reasons of those left waiting, and the tickets that no round can take.
    """
    del random
    if rules.suspend:
        return Round((), Suspended([ticket.id for ticket in queue]))
    sound, poisoned = _sound(queue, rules)
    matches: list[Match] = []
    left: list[tuple[Frame, Sequence[Entry]]] = []
    for mode in rules.modes:
        waiting: dict[str, list[Entry]] = {region.name: [] for region in rules.regions}
        for ticket in sound:
            if ticket.mode == mode:
                waiting[ticket.region].append(_entry(ticket, rules, now))
        _match_mode(rules, now, [queue.region] if queue.region else list(waiting), waiting, matches)
        left += [(Frame(rules, region, now), entries) for region, entries in waiting.items() if entries]
    return Round(tuple(matches), Reasons(left), poisoned)


def _sound(queue: Iterable[Ticket], rules: PoolRules) -> tuple[list[Ticket], dict[str, str]]:
    """The tickets that can be matched, and what is wrong with the others. Of two tickets of one player the older one counts."""
    sound, poisoned = [], {}
    held: dict[str, str] = {}
    for ticket in sorted(queue, key=lambda ticket: (ticket.enqueued, ticket.id)):
        found = flaw(ticket, rules)
        if found is not None:
            poisoned[ticket.id] = str(found)
            continue
        twice = next((i for i, player in enumerate(ticket.players) if player.id in held), None)
        if twice is not None:
            player = ticket.players[twice].id
            poisoned[ticket.id] = f"players[{twice}].id: `{player[:80]}` waits already, in ticket {held[player]}"
            continue
        held.update((player.id, ticket.id) for player in ticket.players)
        sound.append(ticket)
    return sound, poisoned


def _entry(ticket: Ticket, rules: PoolRules, now: float) -> Entry:
    if ticket.backfill is None:
        rating = ticket_number(ticket, "rating", rules.party.rating_aggregation) or 0.0
    else:
        there = [player.rating for players in ticket.backfill.teams.values() for player in players]
        rating = sum(there) / len(there) if there else rules.rating.initial.mu
    return Entry(ticket, ticket.age(now), rating)


def _match_mode(rules: PoolRules, now: float, regions: Sequence[str], waiting: dict[str, list[Entry]], matches: list[Match]) -> None:
    """Match each region's own tickets, then what is left of it together with what spills into it. `waiting` keeps who is left."""
    for name in regions:
        taken = _match_bucket(Frame(rules, name, now), waiting[name], matches)
        waiting[name] = [entry for entry in waiting[name] if entry.ticket.id not in taken]
    for name in regions:
        spilling = {
            region.name: [entry for entry in waiting[region.name] if entry.age >= region.spill_after]
            for region in rules.regions
            if name in region.neighbors
        }
        if not any(spilling.values()):
            continue
        bucket = [*waiting[name], *(entry for entries in spilling.values() for entry in entries)]
        taken = _match_bucket(Frame(rules, name, now), bucket, matches)
        for region in (name, *spilling):
            waiting[region] = [entry for entry in waiting[region] if entry.ticket.id not in taken]


def _match_bucket(frame: Frame, bucket: Sequence[Entry], matches: list[Match]) -> set[str]:
    """Match tickets that may meet; returns the ids of those that were."""
    sides = empty_sides(frame.rules)
    taken: set[str] = set()
    lone = is_duel(sides) and all(entry.size == 1 for entry in bucket)
    if lone:
        for a, b in pair_up(frame, bucket):
            seated, _ = seat(frame, sides, a, b)
            if seated is not None:
                matches.append(describe(frame, seated))
                taken.update((a.ticket.id, b.ticket.id))
        return taken
    for teams, _, backfill in team_up(frame, rating_order(bucket)):
        matches.append(describe(frame, teams, backfill))
        taken.update(ticket.id for ticket in matches[-1].tickets)
    return taken
