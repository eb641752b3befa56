"""Players' outboxes, and the relay that fills them."""

from collections.abc import Sequence

import msgspec

from matchmaking.protocol.events import StoredEvent
from matchmaking.store import keys, values
from matchmaking.store.interface import MARK_MS, OUTBOX_CAP
from matchmaking.store.session_values import Noted

from .state import MemoryPart


class MemoryDelivery(MemoryPart):
    """See `interface.DeliveryStore`."""

    async def deliver(self, player: str, ticket: str, entry: values.RelayEntry) -> int:
        """See `deliver.lua`."""
        state = self._player(player)
        if state.held is None or state.held.ticket != ticket:
            return 0
        state.seq += 1
        state.outbox = [*state.outbox, StoredEvent(state.seq, entry.type, bytes(entry.data), entry.timestamp)][-OUTBOX_CAP:]
        if state.op:
            state.done[state.op] = state.held
        state.held = None
        if entry.match:
            state.match = (state.seq, bytes(entry.data))
            state.matched, state.matched_ms = entry.match, self._now()
        what = ("matched", entry.match) if entry.match else ("ended", str(msgspec.json.decode(entry.data).get("reason", "")))
        state.history.append(Noted(self._now() / 1000, ticket, *what))
        if entry.holds:
            state.session = entry.match
        self.published.append((keys.updates_channel(player), entry.type, bytes(entry.data)))
        return state.seq

    async def deliver_all(self, ends: Sequence[tuple[str, str, values.RelayEntry]]) -> list[int]:
        """One after the other."""
        return [await self.deliver(*end) for end in ends]

    async def settle(self, pool: str, pendings: Sequence[values.PendingEntry]) -> None:
        """See `settle.lua`."""
        of = self._pool(pool)
        for pending in pendings:
            of.outbox.pop(pending.id, None)
            for ticket in (*pending.entry.players.values(), pending.entry.filled):
                if ticket in of.ended:
                    of.ended[ticket] = (of.ended[ticket][0], self._now() + MARK_MS)

    async def left_behind(self, pool: str, idle: float, limit: int) -> list[values.PendingEntry]:
        """An entry once claimed is left alone for another `idle` seconds."""
        outbox, now = self._pool(pool).outbox, self._now()
        found = [name for name, (_, since) in outbox.items() if now - since >= idle * 1000][:limit]
        for name in found:
            outbox[name] = (outbox[name][0], now)
        return [values.PendingEntry(name, outbox[name][0]) for name in found]

    async def outbox(self, player: str, after: int) -> values.Outbox:
        """See `outbox.lua`."""
        state = self._player(player)
        return values.Outbox(state.generation, state.seq, tuple(event for event in state.outbox if event.seq > after))

    async def trim(self, player: str, seq: int) -> None:
        """Forget events up to a number."""
        state = self._player(player)
        state.outbox = [event for event in state.outbox if event.seq > seq]

    async def publish(self, channel: str, type_: str, data: bytes, timestamp: str) -> None:
        """To `published`."""
        self.published.append((channel, type_, data))
