"""Large matches: filled place by place, because a hundred players cannot be split by search.

The seed is seated first; then the nearest candidates, the larger parties of them before the smaller, each in the team that the fill order names: the team
furthest below its minimum first, then the one with most open places. A candidate whom the rules for groups exclude is passed over. When nobody more
fits, the teams are evened out by swaps, and the whole is judged once.
"""

from collections.abc import Sequence

from .candidate import Entry, Side
from .evaluate import Frame, Verdict, judge, mean
from .meeting import could_meet
from .pool import TeamDistanceRule
from .roles import fits
from .ticket import Player

_SWAPS = 200  # improving swaps between the strongest and the weakest team


def fill(
    frame: Frame, sides: tuple[Side, ...], seed: Entry, candidates: Sequence[Entry]
) -> tuple[tuple[Side, ...], Verdict, Entry | None] | None:
    """Fill the teams around a seed; None if the rules do not admit what comes out.

    Args:
        sides: the teams, empty or with players present.
        candidates: tickets that could meet the seed, in order of preference.
    """
    backfill = seed if seed.ticket.backfill else None
    present = [player for side in sides for player in side.present]
    group: list[Entry] = [seed]
    filling = list(sides)
    minimums = frame.schedule.at(seed.age).minimums
    if backfill is None and not _seat(filling, seed, minimums):
        return None
    for entry in _larger_first(candidates, sum(side.kind.max_players - side.size for side in filling)):
        room = sum(side.kind.max_players - side.size for side in filling)
        if room <= 0:
            break
        if entry.size <= room and could_meet(frame, [*group, entry], present) and _seat(filling, entry, minimums):
            group.append(entry)
    _even_out(frame, filling)
    verdict = judge(frame, filling, backfill)
    return None if verdict.blocked or (backfill is not None and len(group) == 1) else (tuple(filling), verdict, backfill)


def _larger_first(candidates: Sequence[Entry], room: int) -> list[Entry]:
    """The nearest candidates that fill the room, larger parties first, because they need whole gaps; then the others in their order."""
    nearest, players = 0, 0
    while nearest < len(candidates) and players + candidates[nearest].size <= room:
        players += candidates[nearest].size
        nearest += 1
    return [*sorted(candidates[:nearest], key=lambda entry: -entry.size), *candidates[nearest:]]


def _seat(sides: list[Side], entry: Entry, minimums: dict[str, int]) -> bool:
    """Seat a ticket by the fill order; False if no team takes it."""
    order = sorted(
        range(len(sides)),
        key=lambda i: (-max(0, minimums[sides[i].kind.name] - sides[i].size), sides[i].size - sides[i].kind.max_players, i),
    )
    for i in order:
        side = sides[i]
        if side.size + entry.size <= side.kind.max_players:
            taken = side.filled((*side.entries, entry))
            if _roles_possible(taken):
                sides[i] = taken
                return True
    return False


def _roles_possible(side: Side) -> bool:
    """Whether the hard quotas can still hold once the team is full: those who must have a role have one, and places are left for the minimums."""
    quotas = [quota for quota in side.kind.roles if quota.weight is None]
    if not quotas:
        return True
    players: list[Player] = [*side.present, *(player for entry in side.entries for player in entry.ticket.players)]
    open_places = side.kind.max_players - len(players)
    return fits([*players, *(Player("") for _ in range(open_places))], quotas)


def _even_out(frame: Frame, sides: list[Side]) -> None:
    """Swap tickets of one size between the strongest and the weakest team while it brings them together."""
    if len(sides) < 2 or not any(isinstance(rule, TeamDistanceRule) for rule in frame.rules.rules):
        return
    for _ in range(_SWAPS):
        means = [mean(frame, side.entries, side.present, "rating") for side in sides]
        known = [(value, i) for i, value in enumerate(means) if value is not None]
        if len(known) < 2:
            return
        strong, weak = max(known)[1], min(known)[1]
        if not _swap(sides, strong, weak, max(known)[0] - min(known)[0]):
            return


def _swap(sides: list[Side], strong: int, weak: int, gap: float) -> bool:
    a, b = sides[strong], sides[weak]
    share = 1.0 / a.size + 1.0 / b.size
    best, left = None, gap - 1e-9
    for one in a.entries:
        for other in b.entries:
            if one.size == other.size:
                after = abs(gap - (one.rating - other.rating) * one.size * share)
                if after < left:
                    best, left = (one, other), after
    if best is None:
        return False
    new_a = a.filled(tuple(best[1] if entry is best[0] else entry for entry in a.entries))
    new_b = b.filled(tuple(best[0] if entry is best[1] else entry for entry in b.entries))
    if not (_roles_possible(new_a) and _roles_possible(new_b)):
        return False
    sides[strong], sides[weak] = new_a, new_b
    return True
