"""What matchers do: read queues, follow their changes, commit."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from matchmaking.store import keys, values
from matchmaking.store.calls import CALL_TIMEOUT
from matchmaking.store.interface import LOG_CAP, LONG_WINDOW_MS, LONG_WINDOWS, MATCHER_MS, WAIT_WINDOW_MS, WAIT_WINDOWS

from .base import RedisPart, pool_keys, queue_keys, word

_encoder = msgspec.json.Encoder()

_WAITS = " ".join(
    map(str, [WAIT_WINDOW_MS, WAIT_WINDOWS, LONG_WINDOW_MS, LONG_WINDOWS, *(int(bound * 1000) for bound in values.WAIT_BUCKETS)])
)  # see `commit.lua`


class RedisMatching(RedisPart):
    """See `interface.MatchingStore`."""

    async def page(self, pool: str, region: str, mode: str, from_ms: int | None, size: int) -> values.Page:
        """See `page.lua`."""
        of = pool_keys(pool)
        start = "-inf" if from_ms is None else from_ms
        reply = await self._calls.call(
            "page", [queue_keys(pool, region, mode).waiting, of.tickets, of.counters], f"{region}:{mode}", start, size
        )
        found, records = reply[3], reply[4]
        waiters = tuple(values.Waiter(found[2 * i].decode(), int(found[2 * i + 1]), record) for i, record in enumerate(records))
        return values.Page(int(reply[1]), int(reply[2]) / 1000, waiters)

    async def follow(self, pool: str, after: Mapping[tuple[str, str], int], block: float) -> dict[tuple[str, str], list[values.Change]]:
        """XREAD on the queues' change logs; an entry's id is its number."""
        streams = {queue_keys(pool, *queue).log: f"{number}-0" for queue, number in after.items()}
        names = {queue_keys(pool, *queue).log.encode(): queue for queue in after}
        reply = await self._plain(
            self._client.xread(cast("Any", streams), count=10_000, block=max(1, int(block * 1000)) if block else None),
            block + 2 * CALL_TIMEOUT,
        )
        rows = reply.items() if isinstance(reply, dict) else reply
        return {names[name]: [_change(*entry) for entry in _flat(entries)] for name, entries in rows or ()}

    async def commit(self, pool: str, matcher: str, proposals: Sequence[values.Proposal], grace: float) -> list[values.Commitment]:
        """See `commit.lua`."""
        of = pool_keys(pool)
        queues: dict[tuple[str, str], int] = {}
        sums: list[dict[str, int]] = []
        matches: list[Any] = []
        marks: list[str] = []
        for proposal in proposals:
            matches += [proposal.match, _encoder.encode(proposal.event), _words(proposal.counts), len(proposal.tickets)]
            for ticket in proposal.tickets:
                queue = (ticket.region, ticket.mode)
                if queue not in queues:
                    queues[queue] = len(queues) + 1
                    sums.append({})
                matches += [ticket.id, ticket.enqueued_ms, queues[queue], "1" if ticket.counts else ""]
                marks.append(keys.ended(pool, ticket.id))
            of_first = sums[queues[proposal.tickets[0].region, proposal.tickets[0].mode] - 1]
            for field, number in proposal.counts.items():
                of_first[field] = of_first.get(field, 0) + number
        names = [of.tickets, of.alive, of.counters, of.outbox]
        arguments: list[Any] = [matcher, int(grace * 1000), LOG_CAP, _WAITS, len(queues)]
        for queue, its_sums in zip(queues, sums, strict=True):
            at = queue_keys(pool, *queue)
            names += [at.waiting, at.log, at.statistics, at.windows]
            arguments += [*queue, 2 * len(its_sums), *(word for pair in its_sums.items() for word in pair)]
        reply = await self._calls.call("commit", [*names, *marks], *arguments, *matches)
        return [_commitment(*verdict) for verdict in reply[2:]]

    async def beat(self, pool: str, region: str, mode: str, matcher: str, *, leave: bool = False) -> values.Beat:
        """See `beat.lua`."""
        reply = await self._calls.call("beat", [queue_keys(pool, region, mode).workers], matcher, MATCHER_MS, "1" if leave else "")
        return values.Beat(reply[1], reply[2])

    async def explain(self, pool: str, region: str, mode: str, reasons: Mapping[str, bytes]) -> None:
        """Replaced as a whole; gone by itself if no matcher renews it."""
        name = queue_keys(pool, region, mode).reasons
        pipeline = self._client.pipeline(transaction=False)
        pipeline.delete(name)
        if reasons:
            pipeline.hset(name, mapping=cast("Any", reasons))
            pipeline.expire(name, 30)
        await self._plain(pipeline.execute())


def _words(counts: Mapping[str, int]) -> str:
    return " ".join([f"{field} {number}" for field, number in counts.items()])


def _commitment(status: bytes, *details: bytes) -> values.Commitment:
    if status == b"committed":
        return values.Commitment("committed", details[0].decode())
    return values.Commitment(word(status), gone=tuple(ticket.decode() for ticket in details))


def _flat(entries: Any) -> Any:
    """XREAD's entries, whichever shape the protocol version gives them: [(id, fields)] or [[(id, fields)]]."""
    return entries[0] if entries and isinstance(entries[0], list) and entries[0] and isinstance(entries[0][0], tuple | list) else entries


def _change(entry: bytes, fields: dict[bytes, bytes]) -> values.Change:
    number = int(entry.split(b"-")[0])
    if b"+" in fields:
        return values.Change(number, added=values.Waiter(fields[b"+"].decode(), int(fields[b"t"]), fields[b"r"]))
    return values.Change(number, removed=tuple(fields[b"-"].decode().split()), by=fields.get(b"by", b"").decode())
