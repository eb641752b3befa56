"""What matchers do: read queues, follow their changes, commit."""

from collections.abc import Mapping, Sequence

from matchmaking.store import values
from matchmaking.store.interface import LONG_WINDOW_MS, LONG_WINDOWS, MATCHER_MS, WAIT_WINDOW_MS

from .state import MemoryPart


class MemoryMatching(MemoryPart):
    """See `interface.MatchingStore`."""

    async def page(self, pool: str, region: str, mode: str, from_ms: int | None, size: int) -> values.Page:
        """See `page.lua`."""
        queue, records = self._queue(pool, region, mode), self._pool(pool).tickets
        found = [t for t in queue.order() if from_ms is None or queue.waiting[t] >= from_ms][:size]
        waiters = tuple(values.Waiter(ticket, queue.waiting[ticket], records.get(ticket)) for ticket in found)
        return values.Page(queue.number, self._now() / 1000, waiters)

    async def follow(self, pool: str, after: Mapping[tuple[str, str], int], block: float) -> dict[tuple[str, str], list[values.Change]]:
        """Never waits."""
        changes = {queue: [c for c in self._queue(pool, *queue).log if c.number > number] for queue, number in after.items()}
        return {queue: found for queue, found in changes.items() if found}

    async def commit(self, pool: str, matcher: str, proposals: Sequence[values.Proposal], grace: float) -> list[values.Commitment]:
        """See `commit.lua`."""
        return [self._commit(pool, matcher, each.match, each.tickets, grace, each.event, each.counts) for each in proposals]

    def _commit(
        self,
        pool: str,
        matcher: str,
        match: str,
        tickets: Sequence[values.CommitTicket],
        grace: float,
        event: values.RelayEntry,
        counts: Mapping[str, int],
    ) -> values.Commitment:
        of, now = self._pool(pool), self._now()
        queues = {ticket.id: self._queue(pool, ticket.region, ticket.mode) for ticket in tickets}
        gone = tuple(ticket.id for ticket in tickets if queues[ticket.id].waiting.get(ticket.id) != ticket.enqueued_ms)
        if gone:
            again = len(gone) == len(tickets) and self._mark(pool, tickets[0].id) == f"m:{match}"
            return values.Commitment("committed") if again else values.Commitment("conflict", gone=gone)
        ghosts = tuple(ticket.id for ticket in tickets if now - of.alive.get(ticket.id, 0) >= grace * 1000)
        if ghosts:
            return values.Commitment("ghost", gone=ghosts)
        waits = [max(0, now - ticket.enqueued_ms) for ticket in tickets if ticket.counts]
        for ticket in tickets:
            queue = queues[ticket.id]
            del queue.waiting[ticket.id]
            of.tickets.pop(ticket.id, None)
            of.alive.pop(ticket.id, None)
            of.ended[ticket.id] = (f"m:{match}", None)
            self._log(queue, removed=[ticket.id], by=matcher)
        first = queues[tickets[0].id]
        if waits:
            mean = sum(waits) / len(waits)
            first.mean_ms = mean if first.mean_ms is None else first.mean_ms * 0.9 + mean * 0.1
        first.matches += 1
        first.tickets += len(waits)
        for wait in waits:
            bucket = (now // WAIT_WINDOW_MS, sum(wait > bound * 1000 for bound in values.WAIT_BUCKETS))
            first.waits[bucket] = first.waits.get(bucket, 0) + 1
        buckets = (f"waits:{sum(wait > bound * 1000 for bound in values.WAIT_BUCKETS)}" for wait in waits)
        raised = {"matches": 1, "tickets": len(waits), "waited_ms": sum(waits)}
        for name in buckets:
            raised[name] = raised.get(name, 0) + 1
        raised |= {name: number for name, number in counts.items() if ":" in name and not name.startswith("wait:")}
        window = now // LONG_WINDOW_MS
        first.windows = {key: number for key, number in first.windows.items() if key[0] > window - LONG_WINDOWS}
        for name, number in raised.items():
            first.windows[window, name] = first.windows.get((window, name), 0) + number
        first.count(counts)
        first.minutes[now // 60_000] = first.minutes.get(now // 60_000, 0) + 1
        return values.Commitment("committed", self._put(of, event))

    async def beat(self, pool: str, region: str, mode: str, matcher: str, *, leave: bool = False) -> values.Beat:
        """See `beat.lua`."""
        workers, now = self._queue(pool, region, mode).workers, self._now()
        if leave:
            workers.pop(matcher, None)
            return values.Beat(0, len(workers))
        for other in [name for name, seen in workers.items() if seen <= now - MATCHER_MS]:
            del workers[other]
        workers[matcher] = now
        return values.Beat(sorted(workers).index(matcher), len(workers))

    async def explain(self, pool: str, region: str, mode: str, reasons: Mapping[str, bytes]) -> None:
        """Replaced as a whole."""
        self._queue(pool, region, mode).reasons = dict(reasons)
