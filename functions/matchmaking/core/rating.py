"""How players' ratings change with results: one small interface over two rating systems.

A rating is a belief: a normal distribution over the player's skill in one mode, in the pool's own units (`rating.initial`).
`rating_system` picks what the pool says; everything else asks only for `update` and `win_chances`. The systems are imported when
first used, because the matcher's cold start must not pay for what only results need.
"""

import math
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from .errors import MatchmakingError
from .pool import Rating

VOLATILITY = 0.06  # Glicko-2's usual start: how erratic a player's skill is; from Glickman's paper, section "Step 1"


class InvalidOutcomeError(MatchmakingError):
    """A match's result cannot be rated: fewer than two teams, an empty team, missing ranks, or a number that is none."""


class Belief(Struct, frozen=True, omit_defaults=True):
    """What is believed about a player's skill.

    Attributes:
        mu: the mean, in the pool's units.
        sigma: the standard deviation, in the same units.
        volatility: Glicko-2's third number; openskill carries it along untouched.
    """

    mu: float
    sigma: float
    volatility: float = VOLATILITY


Teams = Sequence[Sequence[Belief]]


class RatingSystem(Protocol):
    """What a rating system can do. Both methods are pure; neither changes its arguments."""

    def initial(self) -> Belief:
        """The belief about a player before the first match."""
        ...

    def update(self, teams: Teams, ranks: Sequence[int]) -> list[list[Belief]]:
        """The beliefs after a match.

        Args:
            teams: each team's players as they were before the match; teams need not be equal in size.
            ranks: each team's place, 1 (or any lowest number) is best; equal places are a draw.

        Returns:
            beliefs in the shape and order of `teams`.

        Raises:
            InvalidOutcomeError: teams and ranks do not fit, or a belief is not a finite, positive-width distribution.
        """
        ...

    def win_chances(self, teams: Teams) -> list[float]:
        """Each team's probability to come first, between 0 and 1; they sum to 1.

        Raises:
            InvalidOutcomeError: as `update`.
        """
        ...


def rating_system(rules: Rating) -> RatingSystem:
    """The rating system that a pool's `rating` names, in the units of its `initial`."""
    if rules.system == "glicko2":
        from .glicko2 import Glicko2

        return Glicko2(rules.initial)
    from .rating_openskill import OpenSkill

    return OpenSkill(rules.initial)


def check_teams(teams: Teams, ranks: Sequence[int] | None = None) -> None:
    """Refuse what no system can rate.

    Raises:
        InvalidOutcomeError: with the place (`teams[1][0].sigma`) and the reason.
    """
    if len(teams) < 2:
        raise InvalidOutcomeError(f"teams: a result needs at least two teams, got {len(teams)}")
    if ranks is not None and len(ranks) != len(teams):
        raise InvalidOutcomeError(f"ranks: {len(teams)} teams need as many ranks, got {len(ranks)}")
    for i, team in enumerate(teams):
        if not team:
            raise InvalidOutcomeError(f"teams[{i}]: is empty; leave out teams that did not play")
        for j, belief in enumerate(team):
            if not math.isfinite(belief.mu):
                raise InvalidOutcomeError(f"teams[{i}][{j}].mu: expected a finite number, got {belief.mu}")
            if not (math.isfinite(belief.sigma) and belief.sigma > 0):
                raise InvalidOutcomeError(f"teams[{i}][{j}].sigma: expected a positive number, got {belief.sigma}")


def share(pairwise: Sequence[Sequence[float]]) -> list[float]:
    """Chances to come first out of chances in pairs: each team's mean over its opponents, scaled to sum 1.

    Args:
        pairwise: row i, column j: the probability that team i beats team j; the diagonal is ignored.

    Exact for two teams; for more it is the usual approximation (Ibstedt et al. 2019, as the openskill library has it).
    """
    means = [sum(chance for j, chance in enumerate(row) if j != i) for i, row in enumerate(pairwise)]
    whole = sum(means)
    return [mean / whole for mean in means]
