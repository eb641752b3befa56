"""Glicko-2, after Mark Glickman, "Example of the Glicko-2 system" (glicko.net/glicko/glicko2.pdf); the steps are numbered as there.

Ratings are in Glicko points, whatever the pool's initial values: 400 points mean odds of ten to one between two well-known players.
`Belief.sigma` is the paper's RD.

The paper rates players, not teams. Teams use the *composite opponent*: each player has played one game against each other team, which
stands in as one opponent with the mean of its players' ratings and the root mean square of their deviations. Teammates do not count:
a player's change depends on the own rating, the opponents and the result. One match is one rating period.
"""

import math
from collections.abc import Sequence

from .pool import InitialRating
from .rating import Belief, Teams, check_teams, share

SCALE = 400 / math.log(10)  # 173.7178: points in one unit of the paper's inner scale (step 2)
TAU = 0.5  # how much the volatility may change in a period; the paper's example, within its recommended 0.3 to 1.2
CONVERGED = 1e-9  # tolerance of the volatility's logarithm (step 5); the paper takes 1e-6
WIN, DRAW, LOSS = 1.0, 0.5, 0.0

Game = tuple[float, float, float]  # an opponent's mu and phi on the inner scale, and the score against them


class Glicko2:
    """Glicko-2 with composite opponents for teams."""

    def __init__(self, initial: InitialRating) -> None:
        self._initial = initial

    def initial(self) -> Belief:
        """The belief before the first match."""
        return Belief(self._initial.mu, self._initial.sigma)

    def update(self, teams: Teams, ranks: Sequence[int]) -> list[list[Belief]]:
        """See `RatingSystem.update`. A better rank is a win, an equal one half of it."""
        check_teams(teams, ranks)
        composites = [self._composite(team) for team in teams]
        after = []
        for i, team in enumerate(teams):
            games = [(*composite, _score(ranks[i], ranks[j])) for j, composite in enumerate(composites) if j != i]
            after.append([self.rate(belief, games) for belief in team])
        return after

    def win_chances(self, teams: Teams) -> list[float]:
        """See `RatingSystem.win_chances`: composite against composite, both uncertainties counted; a draw is half a win."""
        check_teams(teams)
        composites = [self._composite(team) for team in teams]
        return share([[_expected(mu, other, math.hypot(phi, width)) for other, width in composites] for mu, phi in composites])

    def rate(self, belief: Belief, games: Sequence[Game]) -> Belief:
        """One player's belief after one rating period (steps 3 to 8).

        Args:
            belief: before the period, in points.
            games: the opponents on the inner scale, and the scores.
        """
        mu, phi = self._inner(belief)
        weights = [_weight(width) for _, width, _ in games]
        chances = [_expected(mu, other, width) for other, width, _ in games]
        information = math.fsum(g * g * e * (1 - e) for g, e in zip(weights, chances, strict=True))
        surprise = math.fsum(g * (game[2] - e) for g, e, game in zip(weights, chances, games, strict=True))
        if information < 1e-12:  # so lopsided that the outcome says nothing; the paper's v would be infinite
            return belief
        variance = 1 / information
        volatility = _volatility(phi, belief.volatility, variance, variance * surprise)
        widened = math.hypot(phi, volatility)
        narrowed = 1 / math.sqrt(1 / widened**2 + information)
        return Belief(belief.mu + SCALE * narrowed**2 * surprise, SCALE * narrowed, volatility)

    def _inner(self, belief: Belief) -> tuple[float, float]:
        return (belief.mu - self._initial.mu) / SCALE, belief.sigma / SCALE

    def _composite(self, team: Sequence[Belief]) -> tuple[float, float]:
        inner = [self._inner(belief) for belief in team]
        mu = math.fsum(mu for mu, _ in inner) / len(inner)
        return mu, math.sqrt(math.fsum(phi * phi for _, phi in inner) / len(inner))


def _score(own: int, other: int) -> float:
    return WIN if own < other else LOSS if own > other else DRAW


def _weight(phi: float) -> float:
    """The paper's g: how much a result against an opponent so uncertain says."""
    return 1 / math.sqrt(1 + 3 * phi * phi / math.pi**2)


def _expected(mu: float, other: float, phi: float) -> float:
    """The paper's E: the expected score; written so that it cannot overflow."""
    return 0.5 * (1 + math.tanh(_weight(phi) * (mu - other) / 2))


def _volatility(phi: float, volatility: float, variance: float, delta: float) -> float:
    """Step 5: the new volatility, by the Illinois form of regula falsi, as the paper's 2012 revision has it."""
    start = math.log(volatility**2)

    def slope(x: float) -> float:
        grown = math.exp(x)
        spread = phi * phi + variance + grown
        return grown * (delta * delta - spread) / (2 * spread * spread) - (x - start) / TAU**2

    low = start
    if delta * delta > phi * phi + variance:
        high = math.log(delta * delta - phi * phi - variance)
    else:
        steps = 1
        while slope(start - steps * TAU) < 0:
            steps += 1
        high = start - steps * TAU
    at_low, at_high = slope(low), slope(high)
    while abs(high - low) > CONVERGED:
        middle = low + (low - high) * at_low / (at_high - at_low)
        at_middle = slope(middle)
        if at_middle * at_high <= 0:
            low, at_low = high, at_high
        else:
            at_low /= 2
        high, at_high = middle, at_middle
    return math.exp(low / 2)
