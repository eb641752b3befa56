"""Splits a group of tickets into teams as evenly as the rules allow.

Up to `EXACT` ways the split is exact: all ways to seat the parties whole are listed once per signature (team places and party sizes) and
kept; the sums decide. Beyond that Karmarkar and Karp's differencing, in its form for teams of equal size (k tickets of
one size at a time, the largest spread combined against the next largest), followed by swaps between teams while they help.
"""

import heapq
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice

from .candidate import Entry, Side
from .evaluate import Frame, Verdict, judge_sides
from .pool import TeamDistanceRule
from .team_measures import size_bounds
from .windows import RuleSet

EXACT = 1000  # ways to seat a group that are all looked at: 5v5 has 126, 3×3 has 280; beyond, differencing is near enough
JUDGED = 200  # ways, best balance first, that are judged by all rules before the group is given up
_SWAPS = 60  # improving swaps between teams after differencing

Places = tuple[tuple[int, int, int], ...]  # of each team: fewest and most tickets' players to come in, and the kind's number
Seating = tuple[int, ...]  # of each ticket: the team


@lru_cache(maxsize=2048)
def seatings(places: Places, sizes: tuple[int, ...]) -> tuple[Seating, ...]:
    """All ways to seat parties of these sizes, at most `EXACT` + 1; teams of one kind that are still empty are interchangeable."""
    return tuple(islice(_seat(places, sizes, [0] * len(places), ()), EXACT + 1))


def _seat(places: Places, sizes: tuple[int, ...], used: list[int], done: Seating) -> Iterator[Seating]:
    if len(done) == len(sizes):
        if all(count >= fewest for count, (fewest, _, _) in zip(used, places, strict=True)):
            yield done
        return
    size, remaining = sizes[len(done)], sum(sizes[len(done) :])
    if sum(max(0, fewest - count) for count, (fewest, _, _) in zip(used, places, strict=True)) > remaining:
        return
    tried = set()
    for team, (_, most, kind) in enumerate(places):
        if used[team] + size > most or (used[team] == 0 and places[team] in tried):
            continue
        if used[team] == 0 and kind >= 0:
            tried.add(places[team])
        used[team] += size
        yield from _seat(places, sizes, used, (*done, team))
        used[team] -= size


def places_of(sides: Sequence[Side], in_force: RuleSet, joining: int) -> Places:
    """How many players each team still needs and takes; teams with players present are never interchangeable.

    Args:
        joining: players that join all teams together.
    """
    kinds: dict[str, int] = {}
    found = []
    for i, (side, (fewest, most)) in enumerate(zip(sides, size_bounds(sides, in_force.rules, joining), strict=True)):
        there = len(side.present)
        kind = -1 - i if there else kinds.setdefault(side.kind.name, len(kinds))
        found.append((max(0, in_force.minimums[side.kind.name] - there, fewest - there), max(0, most - there), kind))
    return tuple(found)


def split(
    frame: Frame, sides: Sequence[Side], group: Sequence[Entry], in_force: RuleSet, seated_already: Sequence[Side] | None = None
) -> tuple[tuple[Side, ...], Verdict] | None:
    """The most even split of a group that keeps the team rules; None if none was found.

    Args:
        sides: the teams, empty or with players present.
        group: tickets that together keep the rules for groups.
        in_force: the rules at the match's age.
        seated_already: a split that was found while the group was gathered; tried last.
    """
    ordered = sorted(group, key=lambda entry: (-entry.size, -entry.rating, entry.place))
    places = places_of(sides, in_force, sum(entry.size for entry in group))
    ways = seatings(places, tuple([entry.size for entry in ordered]))
    if not ways:
        return None
    if len(ways) > EXACT:
        ways = (*_differenced(places, ordered), *ways[:EXACT])
    best: tuple[tuple[Side, ...], Verdict] | None = None
    splits = (seat_all(sides, ordered, way) for way in _by_balance(sides, ordered, ways)[:JUDGED])
    for seated in chain(splits, () if seated_already is None else (tuple(seated_already),)):
        if best is not None and seated is seated_already:
            break
        verdict = judge_sides(frame, seated, in_force)
        if not verdict.blocked and (best is None or verdict.cost < best[1].cost):
            best = seated, verdict
            if not verdict.broken and not _has_other_measures(frame):
                break
    return best


def _has_other_measures(frame: Frame) -> bool:
    """Whether something other than the rating's balance makes one split better than another."""
    return any(isinstance(rule, TeamDistanceRule) and rule.attribute != "rating" for rule in frame.rules.rules)


def seat_all(sides: Sequence[Side], entries: Sequence[Entry], way: Seating) -> tuple[Side, ...]:
    """The teams with the tickets in them."""
    taken: list[list[Entry]] = [[] for _ in sides]
    for entry, team in zip(entries, way, strict=True):
        taken[team].append(entry)
    return tuple(side.filled(tuple(entries)) for side, entries in zip(sides, taken, strict=True))


def _by_balance(sides: Sequence[Side], entries: Sequence[Entry], ways: Sequence[Seating]) -> list[Seating]:
    """The ways, most even first."""
    there = [(sum(player.rating for player in side.present), len(side.present)) for side in sides]
    weights = [entry.rating * entry.size for entry in entries]

    def imbalance(way: Seating) -> float:
        sums = [total for total, _ in there]
        counts = [count for _, count in there]
        for team, weight, entry in zip(way, weights, entries, strict=True):
            sums[team] += weight
            counts[team] += entry.size
        means = [total / count for total, count in zip(sums, counts, strict=True) if count]
        return max(means) - min(means)

    return sorted(ways, key=imbalance)


def _differenced(places: Places, entries: Sequence[Entry]) -> list[Seating]:
    """Karmarkar-Karp for teams of one size: a near-even way; none if the teams differ or the parties do not come out even."""
    teams = len(places)
    if len(set(places)) != 1 or places[0][2] < 0:
        return []
    taken: list[tuple[float, tuple[int, ...]]] = [(0.0, ()) for _ in range(teams)]
    for size in sorted({entry.size for entry in entries}, reverse=True):
        of_size = [i for i, entry in enumerate(entries) if entry.size == size]
        if len(of_size) % teams:
            return []
        taken = _combine(taken, _difference([entries[i].rating * size for i in of_size], of_size, teams))
    way = [0] * len(entries)
    for team, (_, members) in enumerate(taken):
        for i in members:
            way[i] = team
    return [_swapped(tuple(way), entries, teams)]


Partial = list[tuple[float, tuple[int, ...]]]  # of each team: the sum so far, and who is in it


def _combine(a: Partial, b: Partial) -> Partial:
    """The heaviest of one with the lightest of the other."""
    return [(x[0] + y[0], x[1] + y[1]) for x, y in zip(sorted(a, reverse=True), sorted(b), strict=True)]


def _difference(weights: Sequence[float], members: Sequence[int], teams: int) -> Partial:
    order = sorted(range(len(weights)), key=lambda i: -weights[i])
    heap: list[tuple[float, int, Partial]] = []
    for number, start in enumerate(range(0, len(order), teams)):
        part: Partial = [(weights[i], (members[i],)) for i in order[start : start + teams]]
        heapq.heappush(heap, (part[-1][0] - part[0][0], number, part))
    while len(heap) > 1:
        _, number, a = heapq.heappop(heap)
        _, _, b = heapq.heappop(heap)
        joined = _combine(a, b)
        sums = [total for total, _ in joined]
        heapq.heappush(heap, (min(sums) - max(sums), number, joined))
    return heap[0][2]


def _swapped(way: Seating, entries: Sequence[Entry], teams: int) -> Seating:
    """Swap tickets of one size between the heaviest and the lightest team while it helps."""
    team_of = list(way)
    for _ in range(_SWAPS):
        sums = [0.0] * teams
        for entry, team in zip(entries, team_of, strict=True):
            sums[team] += entry.rating * entry.size
        heavy, light = sums.index(max(sums)), sums.index(min(sums))
        gap = sums[heavy] - sums[light]
        best, gain = None, 1e-9
        for i, one in enumerate(entries):
            for j, other in enumerate(entries):
                if team_of[i] == heavy and team_of[j] == light and one.size == other.size:
                    left = abs(gap - 2 * (one.rating - other.rating) * one.size)
                    if gap - left > gain:
                        best, gain = (i, j), gap - left
        if best is None:
            break
        team_of[best[0]], team_of[best[1]] = light, heavy
    return tuple(team_of)
