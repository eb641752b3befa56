"""How far players are from regions: a published matrix between cities, plus each player's own last mile."""

from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

# What region names of the usual clouds mean, most telling part first; the right side is a city of the matrix.
_PLACES = (
    ("eu-west", "london"),
    ("eu-south", "madrid"),
    ("eu", "frankfurt"),
    ("us-west", "dallas"),
    ("us-central", "dallas"),
    ("us-south", "dallas"),
    ("us", "washington"),
    ("ca", "toronto"),
    ("sa", "sao-paulo"),
    ("ap-south", "sydney"),
    ("au", "sydney"),
    ("ap-northeast-3", "osaka"),
    ("ap", "tokyo"),
    ("asia", "tokyo"),
    ("jp", "tokyo"),
)
LAST_MILE_MEDIAN = 14.0  # ms; cable and fibre at home with Wi-Fi
LAST_MILE_SPREAD = 0.55  # of the logarithm: one player in twenty has 35 ms and more


@lru_cache(maxsize=1)
def matrix() -> dict[str, dict[str, float]]:
    """Round-trip milliseconds between cities, as the file beside this module has them (its first lines say from where)."""
    text = (files(__package__) / "data" / "region-latency.csv").read_text(encoding="utf-8")
    lines = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
    cities = lines[0][1:]
    return {row[0]: dict(zip(cities, map(float, row[1:]), strict=True)) for row in lines[1:]}


def cities_of(regions: tuple[str, ...]) -> tuple[str, ...]:
    """A city of the matrix for each region: by its name where that tells, else the next that is free."""
    known = list(matrix())
    chosen: dict[str, str] = {}
    for region in regions:
        city = next((city for part, city in _PLACES if region in (part, city) or region.startswith(part + "-")), None)
        if city is not None:
            chosen[region] = city
    spare = [city for city in known if city not in chosen.values()] or known
    unknown = [region for region in regions if region not in chosen]
    chosen.update({region: spare[i % len(spare)] for i, region in enumerate(unknown)})
    return tuple(chosen[region] for region in regions)


def latencies(regions: tuple[str, ...], homes: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float64]:
    """Each player's round trip to each region.

    Args:
        regions: the pool's, in order.
        homes: for each player the index of the home region.

    Returns:
        milliseconds, players by regions, rounded to whole ones.
    """
    cities = cities_of(regions)
    distance = np.array([[matrix()[home][city] for city in cities] for home in cities])
    last_mile = LAST_MILE_MEDIAN * np.exp(random.normal(0.0, LAST_MILE_SPREAD, len(homes)))
    return np.round(distance[homes] + last_mile[:, None])
