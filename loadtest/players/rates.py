"""When players arrive: `200` (players per second), `50..500` (rising evenly), `50,200,500` (steps of equal length)."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple


class Rate(NamedTuple):
    """Arrivals per second over a run: straight lines between points.

    Attributes:
        points: (share of the run, arrivals per second), ascending; two at the same share make a step.
    """

    points: tuple[tuple[float, float], ...]

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Read what the command line says.

        Raises:
            ValueError: it is no rate.
        """
        try:
            if ".." in text:
                low, high = (float(part) for part in text.split(".."))
                points = [(0.0, low), (1.0, high)]
            else:
                steps = [float(part) for part in text.split(",")]
                points = [(place / len(steps), step) for i, step in enumerate(steps) for place in (i, i + 1)]
        except ValueError:
            raise ValueError(f"a rate is `200`, `50..500` or `50,200,500` (arrivals per second), not {text!r}") from None
        if any(not 0 <= rate <= 1e6 for _, rate in points):
            raise ValueError(f"a rate is from 0 to a million arrivals per second; {text!r} is not")
        return cls(tuple(points))

    @property
    def peak(self) -> float:
        """The highest rate."""
        return max(rate for _, rate in self.points)

    def at(self, share: float) -> float:
        """Arrivals per second after this share of the run."""
        for (left, low), (right, high) in zip(self.points, self.points[1:], strict=False):
            if left <= share < right:
                return low + (high - low) * (share - left) / (right - left)
        return self.points[-1][1]

    def arrivals(self, seconds: float, random: Random, share: float = 1.0) -> Iterator[float]:
        """When players arrive, seconds from the start: a Poisson process, thinned to follow the rate.

        Args:
            share: of the rate; processes that take an n-th each make the whole together.
        """
        most = self.peak * share
        now = 0.0
        while most > 0:
            now += random.expovariate(most)
            if now >= seconds:
                return
            if random.random() * self.peak < self.at(now / seconds):
                yield now
