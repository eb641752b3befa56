"""What was seen, as series over the run's time. Each function answers one question of the report; none knows how it will be drawn."""

import math
from collections import defaultdict
from collections.abc import Sequence

from .ledger import Books, Page, percentile
from .watch import Sample

MOST_BINS = 120
Series = dict[str, list[float]]


class Clock:
    """The bins of a run's time: a second each, or more of a long run."""

    def __init__(self, seconds: float) -> None:
        self.width = max(1.0, float(math.ceil(seconds / MOST_BINS)))
        self.count = max(1, math.ceil(seconds / self.width))

    @property
    def middles(self) -> list[float]:
        """Seconds."""
        return [(i + 0.5) * self.width for i in range(self.count)]

    def bin(self, at: float) -> int | None:
        """Which one; None before or after the run."""
        place = int(at // self.width) if at >= 0 else -1
        return place if 0 <= place < self.count else None


def latency(books: Books, clock: Clock, what: str, percentiles: Sequence[float]) -> Series:
    """Percentiles of a wait, by when it ended; milliseconds."""
    bins: list[list[float]] = [[] for _ in range(clock.count)]
    for page, place in _placed(books.pages, clock):
        bins[place] += page.latencies.get(what, [])
    for each in bins:
        each.sort()
    return {f"p{q:g}": [percentile(each, q) for each in bins] for q in percentiles}


def throughput(books: Books, clock: Clock, whats: dict[str, str]) -> Series:
    """Events per second; `whats`: count → name."""
    rows = {name: [0.0] * clock.count for name in whats.values()}
    for page, place in _placed(books.pages, clock):
        for what, times in page.counts.items():
            name = whats.get(what) or whats.get(f"{what.split(':')[0]}:")
            if name is not None:
                rows[name][place] += times / clock.width
    return rows


def present(books: Books, clock: Clock) -> Series:
    """Connected and waiting players, of all processes together."""
    rows: dict[str, dict[int, list[float]]] = {"connected": {}, "waiting": {}}
    for page, place in _placed(books.pages, clock):
        rows["connected"].setdefault(page.worker, [math.nan] * clock.count)[place] = page.connected
        rows["waiting"].setdefault(page.worker, [math.nan] * clock.count)[place] = page.waiting
    return {name: _summed(workers) for name, workers in rows.items() if workers}


def costs(samples: Sequence[Sample], books: Books, clock: Clock) -> tuple[Series, Series]:
    """CPU in percent of a core and MiB, by process; the players' own beside them."""
    cpu: defaultdict[str, list[float]] = defaultdict(lambda: [math.nan] * clock.count)
    memory: defaultdict[str, list[float]] = defaultdict(lambda: [math.nan] * clock.count)
    before: dict[str, tuple[float, float]] = {}
    for sample in samples:
        place = clock.bin(sample.at)
        for name, spent in sample.cpu.items():
            if place is not None and name in before and sample.at > before[name][0]:
                cpu[name][place] = (spent - before[name][1]) / (sample.at - before[name][0]) * 100
            before[name] = (sample.at, spent)
        for name, size in sample.memory.items():
            if place is not None:
                memory[name][place] = size / 2**20
    for name, row in _players(books.pages, clock).items():
        (cpu if name == "cpu" else memory)["players (not counted)"] = row
    return dict(cpu), dict(memory)


def _players(pages: Sequence[Page], clock: Clock) -> Series:
    last: dict[int, Page] = {}
    shares: dict[int, list[float]] = {}
    sizes: dict[int, list[float]] = {}
    for page, place in _placed(pages, clock):
        before = last.get(page.worker)
        if before is not None and page.at > before.at:
            shares.setdefault(page.worker, [math.nan] * clock.count)[place] = (page.cpu - before.cpu) / (page.at - before.at) * 100
        sizes.setdefault(page.worker, [math.nan] * clock.count)[place] = page.memory / 2**20
        last[page.worker] = page
    return {"cpu": _summed(shares), "memory": _summed(sizes)}


def _summed(rows: dict[int, list[float]]) -> list[float]:
    return [sum(values) for values in zip(*rows.values(), strict=True)]


def queues(samples: Sequence[Sample], clock: Clock) -> Series:
    """Tickets waiting by queue; queues that were always empty are left out."""
    rows: defaultdict[str, list[float]] = defaultdict(lambda: [math.nan] * clock.count)
    for sample in samples:
        if (place := clock.bin(sample.at)) is not None:
            for name, length in sample.queues.items():
                rows[name][place] = length
    return {name: row for name, row in rows.items() if any(value > 0 for value in row)}


def matchers(samples: Sequence[Sample], clock: Clock) -> Series:
    """Matchers running; nothing where nobody told."""
    row = [math.nan] * clock.count
    for sample in samples:
        if sample.matchers >= 0 and (place := clock.bin(sample.at)) is not None:
            row[place] = sample.matchers
    return {"matchers": row} if any(math.isfinite(value) for value in row) else {}


def cpu_spent(samples: Sequence[Sample]) -> dict[str, float]:
    """CPU seconds over the whole run, by process."""
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for k, sample in enumerate(samples):
        for name, spent in sample.cpu.items():
            first.setdefault(name, spent if k == 0 else 0.0)
            last[name] = spent
    return {name: last[name] - first[name] for name in last}


def _placed(pages: Sequence[Page], clock: Clock) -> list[tuple[Page, int]]:
    placed = ((page, clock.bin(page.at - 0.5)) for page in pages)  # a page tells of the second before it
    return [(page, place) for page, place in placed if place is not None]
