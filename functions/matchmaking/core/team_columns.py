"""Matches of equal teams in large queues: packed in rating order, checked and split in bulk.

1. Packing: one pass along the rating order puts each ticket into the open team that it fills furthest; a full team waits for the next
   ones, and as many full teams in a row as a match needs are a group. Parties stay whole, and every group can be split by construction.
2. Checking: windows, latency and equal words of all groups at once, over the columns, at the age that counts for each group.
3. Splitting: groups with the same party sizes share one list of all ways to seat them (`balance.seatings`); one product of matrices
   gives the balance of each way of each group, the smallest wins.

Groups that fail are packed again at other cuts. What no pass could place is left to the search around seeds.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .balance import EXACT, Seating, seatings
from .candidate import Side
from .columns import Bucket, Floats, by_equals
from .equals import gives_way, is_equality
from .evaluate import Frame
from .pool import DistanceRule, LatencyRule, Rule, TeamDistanceRule

Places = NDArray[np.intp]

PASSES = 3  # packings, each of what the one before left
_OPEN = 6  # partly filled teams at a time: more would mix ratings that are far apart
_LARGEST = 12  # places in a match: the number that stands for its party sizes must fit 63 bits
_CHUNK = (
    256  # groups split at a time: their balances (126 ways in 5v5) stay within the processor's cache, which makes it several times faster
)


class Groups(Struct):
    """Matches found in bulk, as arrays.

    Attributes:
        members: places in the rating order, group by group.
        starts: where each group begins in `members`.
        team: of each member, the team it is in.
    """

    members: Places
    starts: Places
    team: NDArray[np.int8]


def can_pack(sides: tuple[Side, ...], frame: Frame) -> bool:
    """Whether the pool's matches are equal, full teams without roles, and its minimums stay what they are."""
    kinds = {id(side.kind) for side in sides}
    kind = sides[0].kind
    full = kind.min_players == kind.max_players and not any(step.target.endswith("minPlayers") for step in frame.rules.expansions.steps)
    few_ways = len(seatings(_places(sides), (1,) * (len(sides) * kind.max_players))) <= EXACT if full and len(sides) <= _LARGEST else False
    return len(kinds) == 1 and len(sides) > 1 and full and not kind.roles and len(sides) * kind.max_players <= _LARGEST and few_ways


def _places(sides: tuple[Side, ...]) -> tuple[tuple[int, int, int], ...]:
    return tuple((side.kind.max_players, side.kind.max_players, 0) for side in sides)


def pack_columns(frame: Frame, bucket: Bucket, sides: tuple[Side, ...], free: NDArray[np.bool_]) -> Groups:
    """Find matches among the free places of a queue.

    Args:
        free: by place of the rating order; places that are used are cleared.
    """
    found: list[Groups] = []
    ages = bucket.ages(frame.now)
    sound = _sound(frame, bucket, ages)
    for number in range(PASSES):
        last = number == PASSES - 1
        places = np.flatnonzero(free if last else free & sound)
        if not (last and gives_way(frame.rules)):
            places = by_equals(bucket, frame.rules, places)
        packed, starts = _packed(bucket.size[places], sides, number)
        if len(starts) == 0:
            break
        groups = Groups(places[packed], starts, np.zeros(len(packed), np.int8))
        groups = keep_groups(groups, _Check(frame, bucket, ages, groups).windows())
        groups, imbalance = split_groups(groups, bucket.rating, bucket.size, sides)
        groups = keep_groups(groups, _Check(frame, bucket, ages, groups).balance(imbalance))
        free[groups.members] = False
        found.append(groups)
        if len(groups.starts) * len(sides) * sides[0].kind.max_players < 0.001 * len(places):
            break
    return _joined(found)


def _sound(frame: Frame, bucket: Bucket, ages: Floats) -> NDArray[np.bool_]:
    """Tickets whose latency is within the limit at their own age: others would spoil every group that they are packed into."""
    sound = np.ones(len(bucket), bool)
    for rule in frame.rules.rules:
        if isinstance(rule, LatencyRule) and rule.weight is None and frame.schedule.only_disables(rule.name):
            latency = np.nan_to_num(bucket.extra["highest latency"], nan=np.inf if rule.on_missing == "reject" else 0.0)
            sound &= latency <= frame.schedule.column(rule.name, "maxLatencyMs", rule.max_latency_ms, ages)
    return sound


def _packed(sizes: NDArray[np.int16], sides: tuple[Side, ...], skipped: int) -> tuple[Places, Places]:
    """Pack tickets in order: indices group by group, and where each group begins."""
    full, teams = sides[0].kind.max_players, len(sides)
    open_teams: list[tuple[int, list[int]]] = []
    complete: list[list[int]] = []
    for i, size in enumerate(sizes.tolist()[skipped:], start=skipped):
        if size == full:
            complete.append([i])
            continue
        best = -1
        for n, (filled, _) in enumerate(open_teams):
            if filled + size <= full and (best < 0 or filled > open_teams[best][0]):
                best = n
        if best < 0:
            open_teams.append((size, [i]))
            if len(open_teams) > _OPEN:
                del open_teams[0]
            continue
        filled, members = open_teams[best]
        members.append(i)
        if filled + size == full:
            complete.append(members)
            del open_teams[best]
        else:
            open_teams[best] = filled + size, members
    whole = len(complete) // teams * teams
    groups = [[i for team in complete[n : n + teams] for i in team] for n in range(0, whole, teams)]
    lengths = np.fromiter(map(len, groups), np.intp, len(groups))
    flat = np.fromiter((i for group in groups for i in group), np.intp, int(lengths.sum()))
    return flat, np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.intp) if groups else np.empty(0, np.intp)


def keep_groups(groups: Groups, kept: NDArray[np.bool_]) -> Groups:
    """Only those of the groups."""
    if kept.all():
        return groups
    lengths = _lengths(groups)
    return Groups(groups.members[np.repeat(kept, lengths)], _starts(lengths[kept]), groups.team[np.repeat(kept, lengths)])


def _lengths(groups: Groups) -> Places:
    return np.diff(np.append(groups.starts, len(groups.members)))


def _starts(lengths: Places) -> Places:
    starts = np.zeros(len(lengths), np.intp)
    np.cumsum(lengths[:-1], out=starts[1:])
    return starts


def _joined(found: list[Groups]) -> Groups:
    if not found:
        return Groups(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.int8))
    lengths = np.concatenate([_lengths(groups) for groups in found])
    return Groups(np.concatenate([g.members for g in found]), _starts(lengths), np.concatenate([g.team for g in found]))


class _Check:
    """The rules that columns can answer, for all groups at once; the others are asked of each match that comes out."""

    def __init__(self, frame: Frame, bucket: Bucket, ages: Floats, groups: Groups) -> None:
        self._frame, self._bucket, self._groups = frame, bucket, groups
        self._lengths = _lengths(groups)
        members, starts = groups.members, groups.starts
        self._none = len(starts) == 0
        if self._none:
            return
        own = ages[members]
        match frame.rules.expansions.age_selection:
            case "oldest":
                self._ages = np.maximum.reduceat(own, starts)
            case "newest":
                self._ages = np.minimum.reduceat(own, starts)
            case _:
                self._ages = np.add.reduceat(own, starts) / self._lengths
        self._size = bucket.size[members].astype(float)

    def _window(self, rule: Rule, field: str, base: float) -> Floats:
        return self._frame.schedule.column(rule.name, field, base, self._ages)

    def windows(self) -> NDArray[np.bool_]:
        """Which groups keep the hard rules for groups."""
        kept = np.ones(len(self._lengths), bool)
        for rule in self._frame.rules.rules:
            if self._none or rule.weight is not None or not self._frame.schedule.only_disables(rule.name):
                continue
            if isinstance(rule, DistanceRule) and rule.around == "match":
                kept &= self._distance(rule)
            elif isinstance(rule, LatencyRule):
                kept &= self._latency(rule)
            elif is_equality(rule):
                code = self._bucket.extra[f"code {rule.attribute}"][self._groups.members]  # type: ignore[union-attr]
                starts = self._groups.starts
                equal = np.minimum.reduceat(code, starts) == np.maximum.reduceat(code, starts)
                kept &= equal | (self._window(rule, "", 0.0) > 0)
        return kept

    def _number(self, attribute: str) -> Floats:
        column = self._bucket.rating if attribute == "rating" else self._bucket.extra[f"number {attribute}"]
        return column[self._groups.members]

    def _distance(self, rule: DistanceRule) -> NDArray[np.bool_]:
        starts = self._groups.starts
        number = self._number(rule.attribute)
        middle = np.add.reduceat(number * self._size, starts) / np.add.reduceat(self._size, starts)
        gap = np.abs(number - np.repeat(middle, self._lengths))
        pair = self._lengths == 2  # of two lone tickets the distance is between them
        gap[np.repeat(pair, self._lengths)] = np.repeat(np.abs(number[starts[pair] + 1] - number[starts[pair]]), 2)
        if rule.uncertainty:
            gap -= rule.uncertainty * self._bucket.extra["sigma"][self._groups.members]
        kept: NDArray[np.bool_] = np.maximum.reduceat(gap, starts) <= self._window(rule, "maxDistance", rule.max_distance)
        return kept

    def _latency(self, rule: LatencyRule) -> NDArray[np.bool_]:
        latency = self._bucket.extra["highest latency"][self._groups.members]
        highest = np.maximum.reduceat(np.nan_to_num(latency, nan=np.inf if rule.on_missing == "reject" else 0.0), self._groups.starts)
        kept: NDArray[np.bool_] = highest <= self._window(rule, "maxLatencyMs", rule.max_latency_ms)
        return kept

    def balance(self, imbalance: dict[str, Floats]) -> NDArray[np.bool_]:
        """Which groups keep the hard rules between teams, given the teams' greatest difference by attribute."""
        kept = np.ones(len(self._lengths), bool)
        for rule in self._frame.rules.rules:
            if self._none or rule.weight is not None or not self._frame.schedule.only_disables(rule.name):
                continue
            if isinstance(rule, TeamDistanceRule) and rule.attribute in imbalance:
                kept &= imbalance[rule.attribute] <= self._window(rule, "maxDistance", rule.max_distance)
        return kept


def split_groups(groups: Groups, rating: Floats, size: NDArray[np.int16], sides: tuple[Side, ...]) -> tuple[Groups, dict[str, Floats]]:
    """Split each group into the most even teams, exactly.

    Args:
        rating, size: by place of the rating order.

    Returns:
        the groups with their teams, and the greatest difference between two teams' average ratings, as `{"rating": …}`.
    """
    lengths = _lengths(groups)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    sizes = size[groups.members]
    order = np.lexsort((-sizes, owner))
    members, sizes = groups.members[order], sizes[order]
    weights = rating[members] * sizes
    team = np.zeros(len(members), np.int8)
    imbalance = np.zeros(len(lengths))
    players = len(sides) * sides[0].kind.max_players
    keys = np.add.reduceat((players + 1) ** (sizes.astype(np.int64) - 1), groups.starts) if len(lengths) else np.empty(0, np.int64)
    for key in np.unique(keys):
        same = np.flatnonzero(keys == key)
        first, length = groups.starts[same[0]], lengths[same[0]]
        ways = seatings(_places(sides), tuple(sizes[first : first + length].tolist()))
        at = groups.starts[same][:, None] + np.arange(length)
        team[at], imbalance[same] = most_even(weights[at], ways, len(sides), sides[0].kind.max_players)
    return Groups(members, groups.starts, team), {"rating": imbalance}


def most_even(weights: Floats, ways: tuple[Seating, ...], teams: int, players: int) -> tuple[NDArray[np.int8], Floats]:
    """The most even way for each group, and its imbalance.

    Args:
        weights: groups × tickets, each a party's rating times its size.
        ways: all ways to seat these tickets.
        teams, players: teams in a match, players in a team.
    """
    table = np.array(ways, np.int8)
    shares = [np.ascontiguousarray((table == n).T, float) for n in range(teams)]
    best, least = np.empty(len(weights), np.intp), np.empty(len(weights))
    for start in range(0, len(weights), _CHUNK):
        some = weights[start : start + _CHUNK]
        if teams == 2:
            difference = some @ (shares[0] - shares[1])
            np.abs(difference, out=difference)
        else:
            sums = np.stack([some @ share for share in shares])
            difference = sums.max(axis=0) - sums.min(axis=0)
        chosen = best[start : start + _CHUNK] = difference.argmin(axis=1)
        least[start : start + _CHUNK] = difference[np.arange(len(chosen)), chosen]
    seated: NDArray[np.int8] = table[best]
    return seated, least / players
