"""Who queues: a seeded population that fits one pool, or two that are compared.

Everything is drawn in whole arrays from one generator, in a fixed order, so that a seed names a population for good. The shares below are
assumptions, written into the report; what the pool asks of its players (attributes, roles) is made up so that the rules have something
to do: most players keep most rules, and nobody was invented to fit.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from matchmaking.core.pool import PoolRules
from matchmaking.core.ticket import Player, Ticket

from .acquaintances import draw_acquaintances
from .attributes import draw_attributes, draw_roles
from .latency import latencies

PARTY_SHARES = (0.62, 0.20, 0.09, 0.05, 0.04)  # of tickets, by size 1 to 5; larger parties are as rare as five
NEWCOMERS = 0.12  # of tickets: a party of newcomers comes together
RATING_SPREAD = 0.6  # standard deviation of ratings, in the pool's initial sigma
NEWCOMER_SPREAD = 0.2  # newcomers' ratings have hardly moved yet
KNOWN_SIGMA = (0.12, 0.3)  # regulars' deviation, in the pool's initial sigma
NEW_SIGMA = (0.75, 1.0)  # newcomers'
FRIENDS = 0.75  # correlation of ratings in a party

BANDS = ("lowest quarter", "lower middle", "upper middle", "highest quarter")


class Population(Struct, frozen=True):
    """Tickets as columns, in the order of their arrival.

    Attributes:
        times: seconds from the start.
        region, mode: indices into the pool's.
        size: players of the party.
        rating: the party's average.
        band: quarter of the ratings, 0 (lowest) to 3.
        newcomer: whether the party is new to the game.
        tickets: the tickets themselves.
    """

    regions: tuple[str, ...]
    modes: tuple[str, ...]
    times: NDArray[np.float64]
    region: NDArray[np.int64]
    mode: NDArray[np.int64]
    size: NDArray[np.int64]
    rating: NDArray[np.float64]
    band: NDArray[np.int64]
    newcomer: NDArray[np.bool_]
    tickets: tuple[Ticket, ...]

    def __len__(self) -> int:
        return len(self.times)

    def first(self, count: int) -> "Population":
        """The first tickets only, for a run that ended before all had arrived."""
        return Population(
            regions=self.regions,
            modes=self.modes,
            times=self.times[:count],
            region=self.region[:count],
            mode=self.mode[:count],
            size=self.size[:count],
            rating=self.rating[:count],
            band=self.band[:count],
            newcomer=self.newcomer[:count],
            tickets=self.tickets[:count],
        )


def party_sizes(players: int, largest: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Sizes of parties that are `players` together; the last one is cut to fit."""
    shares = np.array([PARTY_SHARES[min(size, len(PARTY_SHARES) - 1)] for size in range(largest)])
    drawn = random.choice(np.arange(1, largest + 1), size=players, p=shares / shares.sum())
    last = int(np.searchsorted(np.cumsum(drawn), players))
    sizes = drawn[: last + 1].astype(np.int64)
    sizes[-1] -= int(sizes.sum()) - players
    return sizes


def shares_of(count: int) -> NDArray[np.float64]:
    """Unequal shares for regions and modes: the first is the largest, the k-th has 1/√k of it."""
    weights = 1 / np.sqrt(np.arange(1, count + 1))
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def populate(pools: Sequence[PoolRules], times: NDArray[np.float64], sizes: NDArray[np.int64], random: np.random.Generator) -> Population:
    """Draw the population.

    Args:
        pools: the rule sets that will match it; regions, modes and ratings are the first one's, attributes and roles serve all.
        times: of arrival, ascending; one per ticket.
        sizes: the tickets' sizes.
        random: where everything is drawn from.
    """
    rules = pools[0]
    regions, modes = tuple(region.name for region in rules.regions), rules.modes
    count, initial = len(times), rules.rating.initial
    region = random.choice(len(regions), count, p=shares_of(len(regions)))
    mode = random.choice(len(modes), count, p=shares_of(len(modes)))
    newcomer = random.random(count) < NEWCOMERS
    spread = np.where(newcomer, NEWCOMER_SPREAD, RATING_SPREAD) * initial.sigma
    owner = np.repeat(np.arange(count), sizes)
    shared, own = random.standard_normal(count)[owner], random.standard_normal(len(owner))
    skill = np.where(sizes[owner] > 1, np.sqrt(FRIENDS) * shared + np.sqrt(1 - FRIENDS) * own, own)
    ratings = np.round(initial.mu + spread[owner] * skill, 3)
    low, high = np.where(newcomer[owner], NEW_SIGMA[0], KNOWN_SIGMA[0]), np.where(newcomer[owner], NEW_SIGMA[1], KNOWN_SIGMA[1])
    sigmas = np.round(initial.sigma * (low + (high - low) * random.random(len(owner))), 3)
    pings = latencies(regions, region[owner], random)
    queue = (region * len(modes) + mode)[owner]
    players = _players(pools, regions, (ratings, sigmas, pings), (queue, owner), random)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    average = np.add.reduceat(ratings, starts[:-1]) / sizes if count else np.zeros(0)
    edges = np.quantile(average, [0.25, 0.5, 0.75]) if count else np.zeros(3)
    tickets = tuple(_tickets(times, regions, modes, region, mode, starts, players))
    return Population(regions, modes, times, region, mode, sizes, average, np.searchsorted(edges, average), newcomer, tickets)


def _players(
    pools: Sequence[PoolRules],
    regions: tuple[str, ...],
    columns: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    places: tuple[NDArray[np.int64], NDArray[np.int64]],
    random: np.random.Generator,
) -> list[Player]:
    ratings, sigmas, pings = (column.tolist() for column in columns)
    attributes = draw_attributes(pools, columns[0], random)
    roles = draw_roles(pools, len(ratings), random)
    known = draw_acquaintances(pools, places[0], columns[0], places[1], random)
    rows = zip(ratings, sigmas, attributes, pings, known.recent, known.blocked, roles, strict=True)
    return [
        Player(f"p{i}", rating, sigma, have, dict(zip(regions, ping, strict=True)), recent, blocked, takes)
        for i, (rating, sigma, have, ping, recent, blocked, takes) in enumerate(rows)
    ]


def _tickets(
    times: NDArray[np.float64],
    regions: tuple[str, ...],
    modes: tuple[str, ...],
    region: NDArray[np.int64],
    mode: NDArray[np.int64],
    starts: NDArray[np.int64],
    players: list[Player],
) -> Iterator[Ticket]:
    first = starts.tolist()
    for i, (time, r, m) in enumerate(zip(times.tolist(), region.tolist(), mode.tolist(), strict=True)):
        yield Ticket(f"t{i}", regions[r], modes[m], tuple(players[first[i] : first[i + 1]]), time)
