"""A scenario: how many arrive, how, for how long; and the population and the runs that it means."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from matchmaking.core.errors import MatchmakingError
from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules

from .arrivals import Arrivals
from .population import Population, party_sizes, populate
from .run import FindMatches, Progress, World
from .trace import Trace


class ScenarioError(MatchmakingError):
    """A scenario asks for what cannot be simulated; its message says what to change."""


class Scenario(Struct, frozen=True, kw_only=True):
    """What is simulated.

    Attributes:
        players: how many distinct players arrive in all, each once, unless `hours` end first.
        arrivals: how their tickets arrive.
        hours: of virtual time; None means until everybody who arrived has been matched or has expired.
        seed: names the population, the arrivals and every choice of the core.
        round_every: seconds between two rounds of a queue.
    """

    players: int = 10_000
    arrivals: Arrivals = Arrivals("poisson", 10.0)
    hours: float | None = None
    seed: int = 1
    round_every: float = 1.0

    @property
    def until(self) -> float:
        """Seconds of virtual time after which the run ends in any case."""
        return float("inf") if self.hours is None else self.hours * 3600

    def population(self, pools: Sequence[PoolRules]) -> Population:
        """Who arrives: the same for every pool of a comparison.

        Raises:
            ScenarioError: the pools have different regions or modes, so that one population cannot queue in both.
        """
        for pool in pools[1:]:
            for what, first, other in (
                ("regions", {r.name for r in pools[0].regions}, {r.name for r in pool.regions}),
                ("modes", set(pools[0].modes), set(pool.modes)),
            ):
                if first != other:
                    raise ScenarioError(f"only pools with the same {what} can be compared; {sorted(first ^ other)} is in one of them only")
        streams = np.random.SeedSequence(self.seed).spawn(3)
        sizing, timing, drawing = (np.random.Generator(np.random.PCG64(stream)) for stream in streams)
        sizes = party_sizes(self.players, min(pool.party.max_size for pool in pools), sizing)
        times = self.arrivals.times(len(sizes), self.until, timing)
        if len(times) == 0:
            raise ScenarioError("nobody arrives in the time given; raise --hours or the rate of --arrivals")
        return populate(pools, times, sizes[: len(times)], drawing)

    def run(self, rules: PoolRules, population: Population, progress: Progress = lambda _: None, find: FindMatches = find_matches) -> Trace:
        """Match the population by these rules; `find` is the core, unless a benchmark or a test puts something around it."""
        return World(rules, population, self.round_every, self.until, self.seed, find).run(progress)
