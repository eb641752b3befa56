"""How matches are distributed: by quality, by the gap between ratings, by waiting time. Counted with the commit, in buckets named by their upper bounds."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from .round import Match

QUALITY = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
GAP = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0)  # points between the greatest and the smallest rating
WAIT = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)  # s, of each ticket
BOUNDS: dict[str, tuple[float, ...]] = {"quality": QUALITY, "gap": GAP, "wait": WAIT}
BEYOND = "more"
_NAMES = {what: [*(f"{what}:{bound:g}" for bound in bounds), f"{what}:{BEYOND}"] for what, bounds in BOUNDS.items()}


def bucket(what: str, value: float) -> str:
    """The counter of a value, for example `wait:5`."""
    return _NAMES[what][bisect_left(BOUNDS[what], value)]


def counters(match: Match, waits: Iterable[float]) -> list[str]:
    """The counters that a match raises by one each; `waits` are its tickets', seconds."""
    return [bucket("quality", match.quality), bucket("gap", match.gap), *(bucket("wait", wait) for wait in waits)]


def distribution(counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Counters by what they count: `quality` → upper bound → count."""
    return {
        what: {name: counts.get(f"{what}:{name}", 0) for name in (*(f"{b:g}" for b in bounds), BEYOND)} for what, bounds in BOUNDS.items()
    }
