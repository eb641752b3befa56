"""What the twin in memory keeps, and what its parts share."""

import itertools
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from matchmaking.core.pool import PoolRules
from matchmaking.core.session import Session
from matchmaking.core.session_effects import Effect
from matchmaking.protocol.events import StoredEvent
from matchmaking.store import keys, values
from matchmaking.store.session_values import Noted

Queue = tuple[str, str, str]


class QueueState(msgspec.Struct):
    """A queue as the twin keeps it."""

    waiting: dict[str, int] = msgspec.field(default_factory=dict)
    log: list[values.Change] = msgspec.field(default_factory=list)
    number: int = 0
    workers: dict[str, int] = msgspec.field(default_factory=dict)
    reasons: dict[str, bytes] = msgspec.field(default_factory=dict)
    matches: int = 0
    tickets: int = 0
    mean_ms: float | None = None
    windows: dict[tuple[int, str], int] = msgspec.field(default_factory=dict)
    minutes: dict[int, int] = msgspec.field(default_factory=dict)
    waits: dict[tuple[int, int], int] = msgspec.field(default_factory=dict)
    counts: dict[str, int] = msgspec.field(default_factory=dict)

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to the queue's counts."""
        for field, number in counts.items():
            self.counts[field] = self.counts.get(field, 0) + number

    def order(self) -> list[str]:
        """Ticket ids, oldest first."""
        return sorted(self.waiting, key=lambda ticket: (self.waiting[ticket], ticket))


class PoolState(msgspec.Struct):
    """What a pool's queues share."""

    tickets: dict[str, bytes] = msgspec.field(default_factory=dict)
    alive: dict[str, int] = msgspec.field(default_factory=dict)
    ended: dict[str, tuple[str, int | None]] = msgspec.field(default_factory=dict)
    outbox: dict[str, tuple[values.RelayEntry, int]] = msgspec.field(default_factory=dict)
    counted: dict[str, int] = msgspec.field(default_factory=dict)


class PlayerState(msgspec.Struct):
    """A player as the twin keeps it."""

    generation: int = 0
    gateway: str = ""
    seq: int = 0
    held: values.Place | None = None
    op: str = ""
    leader: str = ""
    done: dict[str, values.Place] = msgspec.field(default_factory=dict)
    match: tuple[int, bytes] | None = None
    outbox: list[StoredEvent] = msgspec.field(default_factory=list)
    preferences: bytes | None = None
    session: str = ""
    history: list[Noted] = msgspec.field(default_factory=list)
    matched: str = ""
    matched_ms: int = 0
    seen: set[str] = msgspec.field(default_factory=set)
    cooldowns: dict[str, tuple[int, int, int]] = msgspec.field(default_factory=dict)
    ratings: dict[str, tuple[float, float, float]] = msgspec.field(default_factory=dict)
    recent: tuple[str, ...] = ()
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    matches: list[bytes] = msgspec.field(default_factory=list)
    epoch: str = ""
    resume: str = ""
    resume_before: str = ""
    signed_out: int | None = None
    banned_until: float | None = None
    ban_reason: str = ""


class SessionState(msgspec.Struct):
    """A session as the twin keeps it."""

    revision: int = 0
    session: Session | None = None
    version: int = 0
    data: bytes = b""
    mark: str = ""
    number: int = 0
    effects: dict[int, Effect] = msgspec.field(default_factory=dict)
    until: int = 0


class BindingState(msgspec.Struct):
    """The party that a player is bound to, if any."""

    party: str = ""
    membership: str = ""
    op: str = ""
    shown: int = 0
    done: dict[str, str] = msgspec.field(default_factory=dict)


class PartyState(msgspec.Struct):
    """A party as the twin keeps it."""

    leader: str
    secret: str
    until: int
    members: dict[str, str]
    version: int = 1
    reason: str = "created"
    away: dict[str, int] = msgspec.field(default_factory=dict)
    place: values.Place | None = None
    queue_op: str = ""
    since: int | None = None
    done: set[tuple[str, str]] = msgspec.field(default_factory=set)


class MemoryPart:
    """The twin's state; `clock` tells seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._queues: dict[Queue, QueueState] = {}
        self._pools: dict[str, PoolState] = {}
        self._players: dict[str, PlayerState] = {}
        self._sessions: dict[str, SessionState] = {}
        self._timers: dict[str, int] = {}
        self._rules: dict[str, tuple[int, PoolRules]] = {}
        self._owners: dict[str, values.PoolOwner] = {}
        self._presence: dict[str, int] = {}
        self._gateways: dict[str, int] = {}
        self._parties: dict[str, PartyState] = {}
        self._party_marks: dict[tuple[str, str], tuple[str, int]] = {}
        self._bindings: dict[str, BindingState] = {}
        self._sign_in: dict[str, tuple[bytes, int]] = {}
        self._epoch = secrets.token_hex(4)
        self._exporter = ("", 0)
        self._entries = itertools.count(1)
        self.published: list[tuple[str, str, bytes]] = []

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _queue(self, pool: str, region: str, mode: str) -> QueueState:
        keys.waiting(pool, region, mode)  # the same names are refused
        return self._queues.setdefault((pool, region, mode), QueueState())

    def _pool(self, pool: str) -> PoolState:
        return self._pools.setdefault(pool, PoolState())

    def _player(self, player: str) -> PlayerState:
        keys.connection(player)
        return self._players.setdefault(player, PlayerState())

    def _binding(self, player: str) -> BindingState:
        return self._bindings.setdefault(player, BindingState())

    def _mark(self, pool: str, ticket: str) -> str | None:
        mark, until = self._pool(pool).ended.get(ticket, (None, None))
        return mark if until is None or until > self._now() else None

    def _log(self, queue: QueueState, added: values.Waiter | None = None, removed: Sequence[str] = (), by: str = "") -> None:
        queue.number += 1
        queue.log.append(values.Change(queue.number, added, tuple(removed), by))

    def _end(self, place: values.Place, mark: str, event: values.RelayEntry) -> str:
        queue, pool = self._queue(place.pool, place.region, place.mode), self._pool(place.pool)
        del queue.waiting[place.ticket]
        pool.tickets.pop(place.ticket, None)
        pool.alive.pop(place.ticket, None)
        pool.ended[place.ticket] = (mark, None)
        self._log(queue, removed=[place.ticket])
        queue.count({f"ended|{mark.split(':')[1]}": 1})
        return self._put(pool, event)

    def _put(self, pool: PoolState, event: values.RelayEntry) -> str:
        entry = f"{next(self._entries)}-0"
        pool.outbox[entry] = (event, self._now())
        return entry
