"""openskill: Plackett-Luce after Weng and Lin, "A Bayesian Approximation Method for Online Ranking" (JMLR 12, 2011), by the library.

The library's defaults belong to its own scale (mu 25, sigma 25/3). A pool has any scale, so what has the unit of a rating is taken in
the same proportion to the pool's initial sigma: beta (how much one performance scatters around the skill) half of it, tau (how much
skill drifts between matches) a hundredth. With `initial: {mu: 25, sigma: 8.3333}` that is the library as documented.

`win_chances` is our own few lines, equal to the library's `predict_win`: a matcher asks for them in each match and must not load it.
"""

import math
from collections.abc import Sequence

from .pool import InitialRating
from .rating import Belief, Teams, check_teams, share

BETA_SHARE = 1 / 2  # of the initial sigma: the library's 25/6 over 25/3
TAU_SHARE = 1 / 100  # of the initial sigma: the library's 25/300 over 25/3
FARTHEST = 300  # c: e^300 is far inside a double, and its inverse is no chance at all


class OpenSkill:
    """Plackett-Luce in a pool's units. A team's skill is the sum of its players' skills."""

    def __init__(self, initial: InitialRating) -> None:
        self._initial = initial
        self._beta = initial.sigma * BETA_SHARE

    def initial(self) -> Belief:
        """The belief before the first match."""
        return Belief(self._initial.mu, self._initial.sigma)

    def update(self, teams: Teams, ranks: Sequence[int]) -> list[list[Belief]]:
        """See `RatingSystem.update`. Draws are equal ranks; the library then gives tied teams the mean of their changes."""
        check_teams(teams, ranks)
        from openskill.models import PlackettLuce  # 25 ms that only results need

        initial = self._initial
        model = PlackettLuce(mu=initial.mu, sigma=initial.sigma, beta=self._beta, tau=initial.sigma * TAU_SHARE)
        shifts = self._shifts(teams)
        before = [
            [model.rating(mu=belief.mu - shift, sigma=belief.sigma) for belief in team] for team, shift in zip(teams, shifts, strict=True)
        ]
        after = model.rate(before, ranks=[float(rank) for rank in ranks])
        return [
            [Belief(new.mu + shift, new.sigma, old.volatility) for new, old in zip(new_team, old_team, strict=True)]
            for new_team, old_team, shift in zip(after, teams, shifts, strict=True)
        ]

    def _shifts(self, teams: Teams) -> list[float]:
        """What to take from each player's mu before the library sees it, so that its exponentials stay finite.

        Plackett-Luce only knows differences between teams' sums, over c; so the sums may be centred on zero, and differences beyond
        `FARTHEST` c, which no result distinguishes, be cut.
        """
        sums = [math.fsum(belief.mu for belief in team) for team in teams]
        centre = (min(sums) + max(sums)) / 2
        c = math.sqrt(math.fsum(belief.sigma**2 for team in teams for belief in team) + len(teams) * self._beta**2)
        kept = [min(max(whole - centre, -FARTHEST * c), FARTHEST * c) for whole in sums]
        return [(whole - near) / len(team) for whole, near, team in zip(sums, kept, teams, strict=True)]

    def win_chances(self, teams: Teams) -> list[float]:
        """See `RatingSystem.win_chances`: the difference of two teams' performances is normal."""
        check_teams(teams)
        skill = [math.fsum(belief.mu for belief in team) for team in teams]
        variance = [math.fsum(belief.sigma**2 for belief in team) for team in teams]
        noise = 2 * self._beta**2
        return share(
            [
                [_phi((skill[i] - skill[j]) / math.sqrt(noise + variance[i] + variance[j])) for j in range(len(teams))]
                for i in range(len(teams))
            ]
        )


def _phi(x: float) -> float:
    """The standard normal distribution function."""
    return math.erfc(-x / math.sqrt(2)) / 2
