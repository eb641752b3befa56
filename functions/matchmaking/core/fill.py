"""Large matches: filled place by place, because a hundred players cannot be split by search.

The seed is seated first; then the nearest candidates, the larger parties of them before the smaller, each in the team that the fill order names: the team
furthest below its minimum first, then the one with most open places (`seating`). A candidate whom the rules for groups or teams exclude is passed over.
When nobody more fits, those are left out again who make a team too large beside the others, the teams are evened out by swaps, and the whole is judged once.
"""

from collections.abc import Sequence

from .candidate import Entry, Side
from .evaluate import Frame, Verdict, judge, mean
from .meeting import Gathering
from .pool import TeamDistanceRule, TeamSizeRule
from .seating import Likeness, Seats, roles_possible
from .team_measures import teams_are_sized
from .windows import RuleSet

_SWAPS = 200  # improving swaps between the strongest and the weakest team


def fill(
    frame: Frame, sides: tuple[Side, ...], seed: Entry, candidates: Sequence[Entry], likeness: Likeness
) -> tuple[tuple[Side, ...], Verdict, Entry | None] | None:
    """Fill the teams around a seed; None if the rules do not admit what comes out.

    Args:
        sides: the teams, empty or with players present.
        candidates: tickets that could meet the seed, in order of preference.
        likeness: the pool's.
    """
    backfill = seed if seed.ticket.backfill else None
    present = [player for side in sides for player in side.present]
    group = Gathering(frame, seed, present)
    room = sum(side.kind.max_players - side.size for side in sides)
    seats = Seats(frame, sides, frame.schedule.at(seed.age), room, likeness)
    if backfill is None and not seats.take(seed):
        return None
    for entry in _larger_first(candidates, room - seed.size):
        if seats.players == room:
            break
        if not seats.refuses(entry) and group.admits(entry) and seats.take(entry):
            group.add(entry)
    filling = _levelled(frame, list(seats.sides), seed)
    _even_out(frame, filling, frame.schedule.at(seed.age))
    joined = sum(len(side.entries) for side in filling)
    verdict = judge(frame, filling, backfill) if joined else None
    return None if verdict is None or verdict.blocked else (tuple(filling), verdict, backfill)


def _levelled(frame: Frame, sides: list[Side], seed: Entry) -> list[Side]:
    """Without the tickets that make a team too large beside the others, if there is a hard rule about sizes: the largest team's smallest first."""
    in_force = frame.schedule.at(seed.age)
    for rule in in_force.rules:
        while isinstance(rule, TeamSizeRule) and rule.weight is None and teams_are_sized(rule, sides):
            i = max((i for i, side in enumerate(sides) if not rule.teams or side.kind.name in rule.teams), key=lambda i: sides[i].size)
            leaving = min((e for e in sides[i].entries if e is not seed), key=lambda e: (e.size, e.age, e.ticket.id), default=None)
            if leaving is None:
                break
            sides[i] = sides[i].filled(tuple(entry for entry in sides[i].entries if entry is not leaving))
    return sides


def _larger_first(candidates: Sequence[Entry], room: int) -> list[Entry]:
    """The nearest candidates that fill the room, larger parties first, because they need whole gaps; then the others in their order."""
    nearest, players = 0, 0
    while nearest < len(candidates) and players + candidates[nearest].size <= room:
        players += candidates[nearest].size
        nearest += 1
    return [*sorted(candidates[:nearest], key=lambda entry: -entry.size), *candidates[nearest:]]


def _even_out(frame: Frame, sides: list[Side], in_force: RuleSet) -> None:
    """Swap tickets of one size between the strongest and the weakest team while it brings them together."""
    if len(sides) < 2 or not any(isinstance(rule, TeamDistanceRule) for rule in frame.rules.rules):
        return
    for _ in range(_SWAPS):
        means = [mean(frame, side.entries, side.present, "rating") for side in sides]
        known = [(value, i) for i, value in enumerate(means) if value is not None]
        if len(known) < 2:
            return
        strong, weak = max(known)[1], min(known)[1]
        if not _swap(sides, strong, weak, max(known)[0] - min(known)[0], in_force):
            return


def _swap(sides: list[Side], strong: int, weak: int, gap: float, in_force: RuleSet) -> bool:
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
    if not (roles_possible(new_a, in_force, 0) and roles_possible(new_b, in_force, 0)):
        return False
    sides[strong], sides[weak] = new_a, new_b
    return True
