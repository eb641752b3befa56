"""Role quotas of a team: whether its players can take roles so that every quota's minimum and maximum holds.

A player without roles takes any; one whose roles are all under quotas must get one of them; one with a role that no quota names may also
stay outside. Two matchings decide: one that fills the minimums, and one that seats the players who must have a seat within the
maximums. If both exist, so does one that does both (Mendelsohn and Dulmage, 1958), so neither has to know of the other.
"""

from collections.abc import Sequence
from functools import lru_cache

from .candidate import Side
from .pool import RoleQuota
from .ticket import Player


def broken_quotas(side: Side, quotas: Sequence[RoleQuota]) -> tuple[str, float, list[str]]:
    """Which quotas a team breaks.

    Args:
        quotas: those in force.

    Returns:
        a hard quota that cannot hold (empty if all can), the cost of the weighted ones that cannot, and their names.
    """
    players = [*side.present, *(player for entry in side.entries for player in entry.ticket.players)]
    kept = [quota for quota in quotas if quota.weight is None]
    if not fits(players, kept):
        return _shortest(players, kept), 0.0, []
    cost, missed = 0.0, []
    for quota in sorted((q for q in quotas if q.weight is not None), key=lambda q: (-(q.weight or 0.0), q.name)):
        if fits(players, [*kept, quota]):
            kept.append(quota)
        else:
            cost += quota.weight or 0.0
            missed.append(f"{side.kind.name}.{quota.name}")
    return "", cost, missed


def _shortest(players: Sequence[Player], quotas: Sequence[RoleQuota]) -> str:
    """The quota to name: the first that cannot hold even alone, else the first."""
    return next((quota.name for quota in quotas if not fits(players, [quota])), quotas[0].name)


def fits(players: Sequence[Player], quotas: Sequence[RoleQuota]) -> bool:
    """Whether the players can take roles so that all these quotas hold."""
    return not quotas or _fits(tuple(sorted([player.roles for player in players])), tuple(quotas))


@lru_cache(maxsize=1 << 16)  # the same few mixtures of roles are asked about again and again
def _fits(roles: tuple[tuple[str, ...], ...], quotas: tuple[RoleQuota, ...]) -> bool:
    names = {quota.name for quota in quotas}
    takes = [names & set(own) if own else names for own in roles]
    seats = [quota.name for quota in quotas for _ in range(quota.min)]
    if len(seats) > len(roles):
        return False
    must = [taken for own, taken in zip(roles, takes, strict=True) if own and names.issuperset(own)]
    return _minimums_filled(seats, takes) and _seated(must, {quota.name: quota.max for quota in quotas})


def _minimums_filled(seats: Sequence[str], takes: Sequence[set[str]]) -> bool:
    """Whether each seat gets a player of its own (augmenting paths)."""
    seat_of: dict[int, int] = {}

    def find(seat: int, tried: set[int]) -> bool:
        for i, roles in enumerate(takes):
            if seats[seat] in roles and i not in tried:
                tried.add(i)
                if i not in seat_of or find(seat_of[i], tried):
                    seat_of[i] = seat
                    return True
        return False

    return all(find(seat, set()) for seat in range(len(seats)))


def _seated(must: Sequence[set[str]], maximums: dict[str, int]) -> bool:
    """Whether each of these players gets a role within the maximums (augmenting paths over roles)."""
    holders: dict[str, list[int]] = {name: [] for name in maximums}

    def find(player: int, tried: set[str]) -> bool:
        for role in sorted(must[player] - tried):
            tried.add(role)
            if len(holders[role]) < maximums[role]:
                holders[role].append(player)
                return True
            for held in holders[role]:
                if find(held, tried):
                    holders[role].remove(held)
                    holders[role].append(player)
                    return True
        return False

    return all(find(player, set()) for player in range(len(must)))
