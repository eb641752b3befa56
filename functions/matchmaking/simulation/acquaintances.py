"""Whom players know already: recent opponents and blocked players, for pools with rules about them.

Nobody in a simulation comes back, so nobody has met anybody. What such rules meet in a live queue is that those who queue at the same time and
at the same level are those who have just played each other. So they are made acquainted beforehand: the arrivals of a queue are taken in groups
of `CIRCLE` in the order of their coming, and in each group neighbours in rating have played one another. It is the same for every rule set that is compared.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from matchmaking.core.pool import AvoidRecentOpponentsRule, BlocklistRule, PoolRules

CIRCLE = 40  # tickets of one queue that came together and have played in the hour before
PLAYED = 0.5  # of players have come from a match; the others have just begun
BLOCKING = 0.03  # of players have blocked somebody of their circle


class Acquaintances(Struct, frozen=True):
    """For each player the ids of recent opponents, newest first, and of blocked players."""

    recent: list[tuple[str, ...]]
    blocked: list[tuple[str, ...]]


def draw_acquaintances(
    pools: Sequence[PoolRules],
    queue: NDArray[np.int64],
    ratings: NDArray[np.float64],
    ticket: NDArray[np.int64],
    random: np.random.Generator,
) -> Acquaintances:
    """Draw them.

    Args:
        pools: those that will match the players.
        queue: each player's queue, as a number.
        ratings: each player's rating.
        ticket: each player's ticket; players of one ticket have not played against each other.
        random: where it is drawn from.
    """
    count = len(ratings)
    matches = max((rule.last_matches for pool in pools for rule in pool.rules if isinstance(rule, AvoidRecentOpponentsRule)), default=0)
    blocks = any(isinstance(rule, BlocklistRule) for pool in pools for rule in pool.rules)
    if not matches and not blocks:
        return Acquaintances([()] * count, [()] * count)
    neighbours = _neighbours(queue, ratings, ticket, max(matches, 1))
    played, blocking = random.random(count) < PLAYED, random.random(count) < BLOCKING
    names = [tuple(f"p{other}" for other in row if other >= 0) for row in neighbours.tolist()]
    return Acquaintances(
        [known[:matches] if has else () for known, has in zip(names, played.tolist(), strict=True)],
        [known[:1] if has and blocks else () for known, has in zip(names, blocking.tolist(), strict=True)],
    )


def _neighbours(queue: NDArray[np.int64], ratings: NDArray[np.float64], ticket: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Each player's nearest in rating within the circle, by turns above and below; -1 where the circle or the party ends."""
    count = len(ratings)
    circle = np.zeros(count, dtype=np.int64)
    for number in np.unique(queue):
        members = np.flatnonzero(queue == number)
        circle[members] = np.arange(len(members)) // CIRCLE + number * (count + 1)
    order = np.lexsort((ratings, circle))
    place = np.empty(count, dtype=np.int64)
    place[order] = np.arange(count)
    found = np.full((count, most), -1, dtype=np.int64)
    for column in range(most):
        offset = (column // 2 + 1) * (1 if column % 2 else -1)
        at = place + offset
        other = order[np.clip(at, 0, count - 1)]
        known = (at >= 0) & (at < count) & (circle[other] == circle) & (ticket[other] != ticket)
        found[known, column] = other[known]
    return found
