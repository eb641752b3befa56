"""Figures from a trace. Each function answers one question of the report; none knows how it will be drawn."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .population import BANDS
from .trace import EXPIRED, LEFT, MATCHED, REFUSED, WAITING, Trace

PERCENTILES = (50, 90, 95, 99)
BINS = 48  # along the time axis
FEW = 20  # tickets; fewer say nothing about a percentile

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Figure(Struct, frozen=True):
    """One number of the summary.

    Attributes:
        name: what it is.
        value: the number; NaN where nothing was measured.
        unit: `%`, `s`, `` or the like.
        better: which direction is better for players; `neither` where it depends.
        digits: after the point.
        hint: what it means, for a reader who sees it for the first time.
    """

    name: str
    value: float
    unit: str = ""
    better: Literal["lower", "higher", "neither"] = "neither"
    digits: int = 1
    hint: str = ""


class Group(Struct, frozen=True):
    """How one kind of ticket fared.

    Attributes:
        name: of the kind, for example `solo`.
        tickets: how many ended (matched or expired).
        matched: share of them, in percent.
        waits: seconds at `PERCENTILES`, of those matched.
        quality, gap, imbalance: means over their matches.
    """

    name: str
    tickets: int
    matched: float
    waits: tuple[float, ...]
    quality: float
    gap: float
    imbalance: float


def percentile(values: Floats, q: float) -> float:
    """A percentile; NaN of nothing."""
    return float(np.percentile(values, q)) if len(values) else float("nan")


def mean(values: NDArray[np.float64] | NDArray[np.int64], weights: NDArray[np.int64] | None = None) -> float:
    """A mean; NaN of nothing."""
    return float(np.average(values, weights=weights)) if len(values) else float("nan")


def fill(trace: Trace) -> Floats:
    """How full each match is: players over the most that fit in, in percent."""
    return 100 * trace.matches.players / trace.rules.max_match_players


def column(trace: Trace, name: str) -> Floats:
    """A figure of every match: `quality`, `imbalance`, or in percent `favourite` and `fill`."""
    if name == "fill":
        return fill(trace)
    values: Floats = getattr(trace.matches, name)
    return 100 * values if name == "favourite" else values


def summary(trace: Trace) -> list[Figure]:
    """The figures that come first."""
    people, matches = trace.population, trace.matches
    matched, ended = trace.outcome == MATCHED, _ended(trace)
    waits = trace.wait[matched]
    slo = float(trace.rules.slo.wait_p95)
    share = 100 * mean(matched[ended].astype(float))
    within = 100 * mean((matched & (trace.wait <= slo))[ended].astype(float))
    figures = [
        Figure("players", float(people.size.sum()), digits=0, hint=f"in {len(people)} tickets"),
        Figure("matches", float(len(matches)), digits=0, hint=f"in {trace.rounds} rounds"),
        Figure("matched", share, "%", "higher", hint="of the tickets that ended; the others expired"),
        Figure("within SLO", within, "%", "higher", hint=f"matched within {slo:g} s; the pool promises 95 %"),
        Figure("wait, median", percentile(waits, 50), "s", "lower"),
        Figure("wait, p95", percentile(waits, 95), "s", "lower", hint=f"the pool promises {slo:g} s"),
        Figure("wait, p99", percentile(waits, 99), "s", "lower"),
        Figure("quality", mean(matches.quality), "", "higher", 3, "mean over matches; 1 is perfect"),
        Figure("rating gap, median", percentile(matches.gap, 50), "", "lower", 0, "between the best and the weakest player of a match"),
        Figure("imbalance", mean(matches.imbalance), "", "lower", 0, "mean difference between teams' average ratings"),
        Figure("favourite wins", 100 * mean(matches.favourite), "%", "lower", hint="the better team's predicted chance, on average"),
        Figure("fill", mean(fill(trace)), "%", "higher", hint="players over the most that a match takes"),
    ]
    refused, waiting, left = (int((trace.outcome == outcome).sum()) for outcome in (REFUSED, WAITING, LEFT))
    if refused:
        figures.append(Figure("refused", float(refused), "", "lower", 0, "tickets that no round could take"))
    if waiting:
        figures.append(Figure("still waiting", float(waiting), "", "neither", 0, "tickets when the time was over"))
    if left:
        figures.append(Figure("left", float(left), "", "neither", 0, "tickets whose players took them back or went away"))
    if trace.matches.spilled.any():
        figures.append(
            Figure("across regions", 100 * mean(matches.spilled.astype(float)), "%", hint="matches with a ticket from a neighbour")
        )
    return figures


def _ended(trace: Trace) -> Mask:
    """Tickets with which the pool has done; who left or still waits says nothing of it."""
    ended: Mask = (trace.outcome != WAITING) & (trace.outcome != LEFT)
    return ended


def wait_over_time(trace: Trace) -> tuple[Floats, dict[int, Floats]]:
    """Percentiles of the wait by the time of arrival.

    Returns:
        the middles of the bins in seconds, and for each percentile its values there (NaN where fewer than five were matched).
    """
    edges, index = _bins(trace.population.times)
    matched = trace.outcome == MATCHED
    rows = {q: np.full(len(edges) - 1, np.nan) for q in PERCENTILES}
    for i in range(len(edges) - 1):
        waits = trace.wait[matched & (index == i)]
        if len(waits) >= 5:
            for q in PERCENTILES:
                rows[q][i] = np.percentile(waits, q)
    return (edges[:-1] + edges[1:]) / 2, rows


def queue_over_time(trace: Trace) -> tuple[Floats, Floats, Floats]:
    """Arrivals per second and the mean number of waiting tickets.

    Returns:
        the middles of the bins in seconds, arrivals, waiting.
    """
    edges, index = _bins(trace.population.times)
    arrivals = np.bincount(index, minlength=len(edges) - 1) / np.diff(edges)
    at = np.clip(np.searchsorted(edges, trace.clock, side="right") - 1, 0, len(edges) - 2)
    inside = trace.clock <= edges[-1]
    samples = np.bincount(at[inside], minlength=len(edges) - 1)
    waiting = np.bincount(at[inside], weights=trace.waiting[inside].astype(float), minlength=len(edges) - 1)
    return (edges[:-1] + edges[1:]) / 2, arrivals, waiting / np.maximum(samples, 1)


def _bins(times: Floats) -> tuple[Floats, NDArray[np.int64]]:
    last = float(times[-1]) if len(times) else 0.0
    edges = np.linspace(0.0, max(last, 1.0), BINS + 1)
    return edges, np.clip(np.searchsorted(edges, times, side="right") - 1, 0, BINS - 1)


def gap_by_wait(trace: Trace, longest: float, widest: float) -> NDArray[np.int64]:
    """Matches counted by the longest wait in them (40 columns up to `longest`) and by their rating gap (24 rows up to `widest`)."""
    counts, _, _ = np.histogram2d(
        np.minimum(trace.matches.oldest, longest * 0.9999),
        np.minimum(trace.matches.gap, widest * 0.9999),
        bins=(40, 24),
        range=((0.0, longest), (0.0, widest)),
    )
    return counts.astype(np.int64)


def shares(values: Floats, low: float, high: float, bins: int) -> Floats:
    """A histogram in percent; what lies outside counts in the outermost bins."""
    if not len(values):
        return np.zeros(bins)
    counts, _ = np.histogram(np.clip(values, low, high), bins=bins, range=(low, high))
    return 100 * counts / len(values)


def group(trace: Trace, name: str, members: Mask) -> Group:
    """How the tickets of a mask fared."""
    ended = members & _ended(trace)
    matched = members & (trace.outcome == MATCHED)
    rows = trace.match[matched]
    waits = trace.wait[matched]
    return Group(
        name,
        int(ended.sum()),
        100 * mean((trace.outcome[ended] == MATCHED).astype(float)),
        tuple(percentile(waits, q) for q in PERCENTILES),
        mean(trace.matches.quality[rows]),
        mean(trace.matches.gap[rows]),
        mean(trace.matches.imbalance[rows]),
    )


def fairness(trace: Trace) -> list[Group]:
    """Solos against parties, newcomers against regulars, the margins of the ratings against their middle."""
    people = trace.population
    everyone = np.ones(len(people), dtype=bool)
    groups = [group(trace, "everybody", everyone)]
    if int(people.size.max(initial=1)) > 1:
        groups += [group(trace, "solo", people.size == 1), group(trace, "in a party", people.size > 1)]
    groups += [group(trace, "newcomers", people.newcomer), group(trace, "regulars", ~people.newcomer)]
    tail = np.quantile(people.rating, [0.05, 0.95]) if len(people) else np.zeros(2)
    groups.append(group(trace, "weakest twentieth", people.rating <= tail[0]))
    groups.append(group(trace, "best twentieth", people.rating >= tail[1]))
    return groups


def wait_table(trace: Trace, q: float = 95) -> tuple[list[str], list[str], list[list[tuple[float, int]]]]:
    """Waits by region and rating band (rows) and party size (columns).

    Returns:
        the rows' names, the columns' names, and cells of (percentile of the wait in seconds, tickets); NaN where fewer than `FEW`.
    """
    people, matched = trace.population, trace.outcome == MATCHED
    sizes = sorted({int(size) for size in people.size})
    names, cells = [], []
    for region, region_name in enumerate(people.regions):
        for band, band_name in enumerate(BANDS):
            names.append(f"{region_name} · {band_name}")
            row = matched & (people.region == region) & (people.band == band)
            cells.append([_cell(trace.wait[row & (people.size == size)], q) for size in sizes])
    return names, ["solo" if size == 1 else f"party of {size}" for size in sizes], cells


def _cell(waits: Floats, q: float) -> tuple[float, int]:
    return (percentile(waits, q) if len(waits) >= FEW else float("nan"), len(waits))


def blockers(trace: Trace) -> list[tuple[str, float, int]]:
    """Rules by how often they were what blocked: (rule, percent of samples of waiting tickets, tickets that expired for it)."""
    samples = max(1, sum(trace.blocked.values()))
    rules = sorted(set(trace.blocked) | set(trace.expired_by), key=lambda rule: (-trace.blocked.get(rule, 0), rule))
    return [(rule, 100 * trace.blocked.get(rule, 0) / samples, trace.expired_by.get(rule, 0)) for rule in rules]


def expired(trace: Trace) -> int:
    """How many tickets expired."""
    return int((trace.outcome == EXPIRED).sum())


def common_limits(traces: Sequence[Trace]) -> tuple[float, float]:
    """Ranges that show nearly all matches of all traces: (longest wait, widest gap), both rounded up to what reads well."""
    waits = max((percentile(trace.matches.oldest, 99.5) for trace in traces if len(trace.matches)), default=1.0)
    gaps = max((percentile(trace.matches.gap, 99.5) for trace in traces if len(trace.matches)), default=1.0)
    return nice(waits), nice(gaps)


def nice(value: float) -> float:
    """The next round number (1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten) that is not less; 1 for nothing."""
    if not np.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * 0.999999))
