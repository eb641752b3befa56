"""When tickets arrive: `poisson:50/s` or `uniform:20/s`.

Poisson arrivals follow the day: the rate is the mean over 24 hours, with the evening's peak at 20:00 and the morning's low at 08:00. The
run starts at 14:00, where the curve has its mean, so that short runs see the rate as written and long ones see a day. Uniform arrivals
are evenly spaced and know no day; they make a run that can be followed by hand.
"""

import re
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAY = 86_400.0  # s
START = 14 * 3600.0  # s after midnight
PEAK = 20 * 3600.0  # s after midnight; when concurrent players of most Western games peak
SWING = 0.6  # of the mean: the peak is 1.6 times, the low 0.4 times the mean
_GRID = 60.0  # s between the points of the integrated curve

_SYNTAX = re.compile(r"(poisson|uniform):([0-9]+(?:\.[0-9]+)?)/(s|m|h)")
_PER = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Arrivals(Struct, frozen=True):
    """How tickets arrive.

    Attributes:
        kind: `poisson` (random, with the day's curve) or `uniform` (evenly spaced).
        rate: tickets per second, on average.
    """

    kind: Literal["poisson", "uniform"]
    rate: float

    @classmethod
    def parse(cls, text: str) -> "Arrivals":
        """Read `poisson:50/s`, `uniform:1200/m`, …

        Raises:
            ValueError: the text is none of these, or the rate is 0.
        """
        found = _SYNTAX.fullmatch(text)
        if not found or float(found[2]) == 0:
            raise ValueError(f"expected arrivals such as `poisson:50/s` or `uniform:20/s` (per s, m or h), got `{text[:40]}`")
        return cls("poisson" if found[1] == "poisson" else "uniform", float(found[2]) / _PER[found[3]])

    def times(self, count: int, until: float, random: np.random.Generator) -> Floats:
        """The first arrivals.

        Args:
            count: how many tickets arrive in all.
            until: seconds of virtual time after which nobody arrives.
            random: the source of the Poisson process.

        Returns:
            at most `count` ascending times in seconds from the start, all under `until`.
        """
        even = np.arange(count) / self.rate
        times = even if self.kind == "uniform" else self._warp(np.cumsum(random.exponential(1 / self.rate, count)), until)
        return times[times < until]

    @staticmethod
    def _warp(even: Floats, until: float) -> Floats:
        """Bend a process of constant rate along the day's curve: the inverse of the integrated curve, by interpolation."""
        grid = np.arange(0.0, min(until, float(even[-1]) * 2.5 + _GRID) + 2 * _GRID, _GRID)  # the curve never falls under 0.4
        phase = 2 * np.pi / DAY
        integral = grid + SWING / phase * (np.sin(phase * (START + grid - PEAK)) - np.sin(phase * (START - PEAK)))
        warped: Floats = np.interp(even, integral, grid, right=np.inf)
        return warped
