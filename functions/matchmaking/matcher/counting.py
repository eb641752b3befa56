"""What a matcher counts. It ends before anybody could scrape it, so it counts into Redis.

What a match adds to the statistics goes with its commit, so that it is counted if and only if the match is made. Everything else (rounds, their phases,
conflicts, calls) is gathered here and handed in every second and at the end; a matcher that is killed takes at most a second of it along.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from matchmaking.core.distribution import counters
from matchmaking.core.pool import PoolRules
from matchmaking.core.round import Match
from matchmaking.store.interface import Store
from matchmaking.telemetry import metrics

HAND_IN_EVERY = 1.0  # s
Queue = tuple[str, str]


def of_match(match: Match, rules: PoolRules, now: float) -> dict[str, int]:
    """What a match adds to its queue's counts."""
    counts: dict[str, int] = {}
    players = 0
    for ticket in match.tickets:
        if ticket.backfill:  # a running session that looks for players is no wait
            continue
        waited = max(0.0, now - ticket.enqueued)
        players += len(ticket.players)
        metrics.observe(counts, metrics.WAITED, waited)
        metrics.count(counts, metrics.SLO, "good" if waited <= rules.slo.wait_p95 else "bad")
    for field in counters(match, (max(0.0, now - ticket.enqueued) for ticket in match.tickets if ticket.players)):
        counts[field] = counts.get(field, 0) + 1
    metrics.count(counts, metrics.SUCCESS, by=players)
    metrics.count(counts, metrics.MATCHES)
    metrics.observe(counts, metrics.QUALITY, match.quality)
    metrics.observe(counts, metrics.GAP, match.gap)
    metrics.observe(counts, metrics.IMBALANCE, match.imbalance)
    if not any(ticket.backfill for ticket in match.tickets):  # else most of its players are there already
        metrics.observe(counts, metrics.FILL, players / sum(team.quantity * team.max_players for team in rules.teams))
    return counts


class Tally(msgspec.Struct):
    """What came of a round's proposals.

    Attributes:
        matches: committed ones.
        tickets: in them.
        conflicts: proposals that were not committed, `ghosts` among them: those whose players have gone.
        gone: tickets that wait no longer.
        made: the matches that were committed.
        began, committed_at, relay_began, relayed_at: when the first commit began and the last was answered, and the same of the relay (0: none); of
            `time.perf_counter`. The two overlap: what was committed is relayed at once.
    """

    matches: int = 0
    tickets: int = 0
    conflicts: int = 0
    ghosts: int = 0
    gone: set[str] = msgspec.field(default_factory=set)
    made: list[Match] = []
    began: float = msgspec.field(default_factory=time.perf_counter)
    committed_at: float = 0.0
    relay_began: float = 0.0
    relayed_at: float = 0.0


class Counting:
    """A matcher's counts by queue that are not yet handed in."""

    def __init__(self, store: Store, pool: str, matcher: str) -> None:
        self._store, self._pool, self._matcher = store, pool, matcher
        self._counts: dict[Queue, dict[str, int]] = {}
        self._batch = 0
        self._handed_in = time.monotonic()
        self._queue: Queue | None = None  # calls are counted in the queue that was last looked at

    def of(self, queue: Queue) -> dict[str, int]:
        """A queue's counts, to add to."""
        self._queue = queue
        return self._counts.setdefault(queue, {})

    @contextmanager
    def phase(self, queue: Queue, phase: str) -> Iterator[None]:
        """Time a phase of a round."""
        began = time.perf_counter()
        try:
            yield
        finally:
            metrics.observe(self.of(queue), metrics.ROUND, time.perf_counter() - began, phase)

    def came_of(self, queue: Queue, tally: Tally) -> None:
        """Count what the commits of a round said."""
        counts = self.of(queue)
        metrics.count(counts, metrics.ROUNDS)
        for outcome, number in (("committed", tally.matches), ("conflict", tally.conflicts - tally.ghosts), ("ghost", tally.ghosts)):
            if number:
                metrics.count(counts, metrics.PROPOSED, outcome, by=number)
        if tally.committed_at:
            metrics.observe(counts, metrics.ROUND, tally.committed_at - tally.began, "commit")
        if tally.relayed_at:
            metrics.observe(counts, metrics.ROUND, tally.relayed_at - tally.relay_began, "relay")

    def called(self, script: str, seconds: float, _failed: int) -> None:
        """See `store.calls.OnCalls`."""
        if self._queue is not None:
            metrics.observe(self._counts.setdefault(self._queue, {}), metrics.MATCHER_CALLS, seconds, script)

    async def hand_in(self, *, now: bool = False) -> None:
        """Give the store what has gathered, if it is time.

        Raises:
            StoreUnavailableError: the batch may have been counted; whether or not, it is not kept.
        """
        if not self._counts or (not now and time.monotonic() - self._handed_in < HAND_IN_EVERY):
            return
        counts, self._counts = self._counts, {}
        self._handed_in = time.monotonic()
        for queue, found in counts.items():  # one after the other: a batch that came after a later one would not be counted
            self._batch += 1
            await self._store.count(self._pool, *queue, self._matcher, self._batch, found)
