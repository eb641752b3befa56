"""What became of every ticket, as its players heard it, and how long everything took.

Each process keeps a `Ledger`; once a second it hands over a `Page` of what was new. `Books` are all processes' pages together, and say whether the promises were kept:
every acknowledged ticket has exactly one end, nobody is in two matches by one ticket, and everybody who is in a match heard of it.
"""

import math
from collections import Counter, defaultdict
from typing import Any

from msgspec import Struct

MATCHED = "matched"


class Page(Struct):
    """What one process saw in about a second.

    Attributes:
        worker: which process.
        at: seconds from the start.
        latencies: milliseconds by what was waited for.
        counts: how often things happened.
        connected: players with a live socket.
        waiting: players who wait for a match.
        cpu: CPU seconds of the process so far.
        memory: its resident bytes.
    """

    worker: int
    at: float
    latencies: dict[str, list[float]]
    counts: dict[str, int]
    connected: int = 0
    waiting: int = 0
    cpu: float = 0.0
    memory: int = 0


class Closing(Struct):
    """A process's last word.

    Attributes:
        worker: which process.
        open: acknowledged tickets without an end.
        twice: tickets with two ends, in words.
        matches: match → players who heard of it, and players in it.
    """

    worker: int
    open: list[str]
    twice: list[str]
    matches: dict[str, tuple[int, int]]


class Ledger:
    """One process's."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._latencies: defaultdict[str, list[float]] = defaultdict(list)
        self._counts: Counter[str] = Counter()
        self._open: set[str] = set()
        self._ends: dict[str, str] = {}
        self._matches: dict[tuple[str, str], str] = {}  # of a player's ticket
        self._heard: defaultdict[str, int] = defaultdict(int)
        self._sizes: dict[str, int] = {}
        self._twice: list[str] = []

    def took(self, what: str, seconds: float) -> None:
        """Something took so long."""
        self._latencies[what].append(round(seconds * 1000, 2))

    def count(self, what: str, times: int = 1) -> None:
        """Something happened."""
        self._counts[what] += times

    def acknowledged(self, ticket: str) -> None:
        """The service took the ticket; it has no end yet, unless that came first."""
        self.count("joined")
        if ticket not in self._ends:
            self._open.add(ticket)

    def matched(self, player: str, ticket: str, match: str, size: int) -> None:
        """A player heard of a match."""
        before = self._matches.setdefault((player, ticket), match)
        if before != match:
            self._twice.append(f"{player}'s ticket {ticket} is in the matches {before} and {match}")
        self._heard[match] += 1
        self._sizes[match] = size
        self._end(ticket, MATCHED)

    def left(self, ticket: str, reason: str) -> None:
        """A player heard that the ticket ended without a match."""
        self._end(ticket, reason)

    def back(self, ticket: str) -> None:
        """The ticket waits again: its match was cancelled."""
        self.count("queued again")
        self._ends.pop(ticket, None)
        self._matches = {whose: match for whose, match in self._matches.items() if whose[1] != ticket}
        self._open.add(ticket)

    def _end(self, ticket: str, how: str) -> None:
        before = self._ends.get(ticket)
        if before is None:
            self._ends[ticket] = how
            self.count(f"ended: {how}")
        elif MATCHED in (before, how) and before != how:
            self._twice.append(f"ticket {ticket} was {before}, and then {how}")
        self._open.discard(ticket)

    def turn(self, at: float) -> Page:
        """The page that was written, and a new one."""
        page = Page(self._worker, at, dict(self._latencies), dict(self._counts))
        self._latencies.clear()
        self._counts.clear()
        return page

    @property
    def open(self) -> int:
        """Acknowledged tickets without an end so far."""
        return len(self._open)

    def close(self) -> Closing:
        """The last word."""
        return Closing(
            self._worker, sorted(self._open), self._twice, {match: (heard, self._sizes[match]) for match, heard in self._heard.items()}
        )


class Books:
    """All processes' pages."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self.closings: list[Closing] = []

    def counts(self) -> Counter[str]:
        """How often things happened, in all."""
        total: Counter[str] = Counter()
        for page in self.pages:
            total.update(page.counts)
        return total

    def latencies(self) -> dict[str, list[float]]:
        """All milliseconds, by what was waited for."""
        merged: defaultdict[str, list[float]] = defaultdict(list)
        for page in self.pages:
            for what, values in page.latencies.items():
                merged[what] += values
        return dict(merged)

    def verdicts(self, processes: int) -> list[tuple[str, int, str]]:
        """The promises: which one, how often it was broken, and the first case."""
        matches: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        for closing in self.closings:
            for match, (heard, size) in closing.matches.items():
                matches[match][0] += heard
                matches[match][1] = size
        lost = [ticket for closing in self.closings for ticket in closing.open]
        twice = [words for closing in self.closings for words in closing.twice]
        unheard = [f"{match}: {heard} of {size} players heard of it" for match, (heard, size) in matches.items() if heard != size]
        return [
            ("every acknowledged ticket has an end", len(lost), lost[0] if lost else ""),
            ("no ticket and no player has two", len(twice), twice[0] if twice else ""),
            ("everybody in a match heard of it", len(unheard), unheard[0] if unheard else ""),
            ("every process of players came to its end", processes - len(self.closings), ""),
        ]


def percentile(values: list[float], q: float) -> float:
    """The q-th percentile (nearest rank) of ascending values; NaN of nothing."""
    return values[max(0, math.ceil(q / 100 * len(values)) - 1)] if values else math.nan


def summary(latencies: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    """Count and percentiles of each kind, milliseconds."""
    rows = {}
    for what, values in sorted(latencies.items()):
        ordered = sorted(values)
        rows[what] = {
            "count": len(ordered),
            **{f"p{q:g}": percentile(ordered, q) for q in (50, 90, 95, 99, 99.9)},
            "max": ordered[-1] if ordered else 0.0,
        }
    return rows
