"""What a run leaves behind: one row per ticket, one per match, and what blocked. Columns, so that the report can ask them quickly."""

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from matchmaking.core.pool import PoolRules

from .population import Population

WAITING: Final = 0  # when the run ended
MATCHED: Final = 1
EXPIRED: Final = 2
REFUSED: Final = 3  # poisonous: no round can take it
LEFT: Final = 4  # by itself; only of recorded tickets


class Matches(Struct, frozen=True):
    """Matches as columns, in the order in which they were made.

    Attributes:
        time: of the round, seconds from the start.
        players: how many.
        quality, gap, imbalance: as the core told them.
        favourite: the best team's predicted chance to win.
        oldest: the longest wait among its tickets, seconds.
        spilled: whether a ticket came from another region.
    """

    time: NDArray[np.float64]
    players: NDArray[np.int64]
    quality: NDArray[np.float64]
    gap: NDArray[np.float64]
    imbalance: NDArray[np.float64]
    favourite: NDArray[np.float64]
    oldest: NDArray[np.float64]
    spilled: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time)


class Trace(Struct, frozen=True):
    """A finished run.

    Attributes:
        rules: what matched.
        population: who arrived.
        outcome: per ticket WAITING, MATCHED, EXPIRED, REFUSED or LEFT.
        wait: per ticket seconds from arrival to its end (or to the end of the run).
        match: per ticket the row of its match, -1 without one.
        matches: the matches.
        end: the virtual time at which the run ended, seconds.
        clock: times of the samples of `waiting`.
        waiting: tickets waiting at those times.
        blocked: rule → how often it was the reason of one of the oldest waiting tickets, sampled.
        expired_by: rule → tickets that expired for it.
        rounds: how many rounds were run.
    """

    rules: PoolRules
    population: Population
    outcome: NDArray[np.int8]
    wait: NDArray[np.float64]
    match: NDArray[np.int64]
    matches: Matches
    end: float
    clock: NDArray[np.float64]
    waiting: NDArray[np.int64]
    blocked: dict[str, int]
    expired_by: dict[str, int]
    rounds: int
