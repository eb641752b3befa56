"""Rounds ticket by ticket: each region's own tickets first, then what is left together with what spills in from its neighbours."""

from collections.abc import Sequence
from random import Random

from .candidate import Entry, empty_sides, ticket_number
from .duel import is_duel, pair_up, rating_order, seated
from .equals import divided
from .evaluate import Frame
from .explain import describe
from .pool import PoolRules
from .round import Match
from .teams import team_up
from .ticket import Ticket


def entry_of(ticket: Ticket, rules: PoolRules, now: float) -> Entry:
    """The ticket with its age and rating; a backfill ticket has the average rating of those who are there."""
    if ticket.backfill is None:
        rating = ticket_number(ticket, "rating", rules.party.rating_aggregation) or 0.0
    else:
        there = [player.rating for players in ticket.backfill.teams.values() for player in players]
        rating = sum(there) / len(there) if there else rules.rating.initial.mu
    return Entry(ticket, ticket.age(now), rating)


def match_regions(
    rules: PoolRules, now: float, regions: Sequence[str], waiting: dict[str, list[Entry]], matches: list[Match], random: Random
) -> None:
    """Match tickets of one mode.

    Args:
        regions: where matches are played, in order.
        waiting: region → its tickets; only those still waiting are left in it.
        matches: the matches made are added.
    """
    for name in regions:
        taken = _match_bucket(Frame(rules, name, now), waiting[name], matches, random)
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
        taken = _match_bucket(Frame(rules, name, now), bucket, matches, random)
        for region in (name, *spilling):
            waiting[region] = [entry for entry in waiting[region] if entry.ticket.id not in taken]


def _match_bucket(frame: Frame, bucket: Sequence[Entry], matches: list[Match], random: Random) -> set[str]:
    """Match tickets that may meet; returns the ids of those that were."""
    taken: set[str] = set()
    for part in divided(frame.rules, bucket):
        waiting = [entry for entry in part if entry.ticket.id not in taken]
        if waiting:
            _match_part(frame, waiting, matches, taken, random)
    return taken


def _match_part(frame: Frame, bucket: Sequence[Entry], matches: list[Match], taken: set[str], random: Random) -> None:
    sides = empty_sides(frame.rules)
    if is_duel(sides) and all(entry.size == 1 for entry in bucket):
        for a, b in pair_up(frame, bucket):
            taking = seated(frame, sides, a, b)
            if taking is not None:
                matches.append(describe(frame, taking))
                taken.update((a.ticket.id, b.ticket.id))
        return
    for teams, _, backfill in team_up(frame, rating_order(bucket), random=random):
        matches.append(describe(frame, teams, backfill))
        taken.update(ticket.id for ticket in matches[-1].tickets)
