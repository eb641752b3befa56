"""What the store's functions return."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Raw, Struct

from matchmaking.protocol.events import StoredEvent


class Place(Struct, frozen=True):
    """A ticket and the queue it belongs to."""

    ticket: str
    pool: str
    region: str
    mode: str


class Reservation(Struct, frozen=True):
    """The answer to `reserve`; the profile's part for this pool and mode comes along.

    Attributes:
        rating, sigma: None if the player has none yet.
        recent: recent opponents, newest first.
        preferences: the player's (JSON); empty if there are none.

    `in_session`: `place.ticket` is the match; `cooldown`: it is the milliseconds that are left.
    """

    status: Literal["reserved", "taken", "done", "stale", "in_session", "cooldown"]
    place: Place
    rating: float | None = None
    sigma: float | None = None
    recent: tuple[str, ...] = ()
    preferences: bytes = b""


class Enqueued(Struct, frozen=True):
    """The answer to `enqueue`; times in seconds, `position` counts from 1."""

    status: Literal["waiting", "matched", "cancelled"]
    position: int = 0
    length: int = 0
    enqueued: float = 0.0
    mean_wait: float | None = None


LOST = "lost"  # why a ticket ended that its pool never knew: it never waited, so no event tells of its end


class Fate(Struct, frozen=True):
    """What became of a ticket; `detail` is its enqueue time in ms, the match's id, or why it ended."""

    status: Literal["waiting", "matched", "cancelled"]
    detail: str = ""


class Cancellation(Struct, frozen=True):
    """The answer to `cancel`; `detail` is the outbox entry, the match's id, or why it had ended before."""

    status: Literal["cancelled", "matched", "ended"]
    detail: str = ""


class Expiry(Struct, frozen=True):
    """The answer to `expire`."""

    status: Literal["expired", "disconnected", "kept", "gone"]
    entry: str = ""


class Commitment(Struct, frozen=True):
    """The answer to `commit`; `gone` are the tickets that stood in the way."""

    status: Literal["committed", "conflict", "ghost"]
    entry: str = ""
    gone: tuple[str, ...] = ()


class Holding(Struct, frozen=True):
    """The answer to `holding`; `matched`: the ticket has just become the match `leader`."""

    status: Literal["stale", "none", "held", "matched"]
    place: Place | None = None
    leader: str = ""


class Arrival(Struct, frozen=True):
    """How a connection comes: what it offers to resume, and the token that the next one may resume it with.

    Attributes:
        epoch: the store's history, as the gateway knows it.
        token: hash of the resume token that is handed out.
        offered: hash of the resume token that the client offers; empty if it starts anew.
        seq: the number of the last event that the client has.
        issued_ms: when the sign-in token was issued.
        renews: the generation of a live connection that is renewed in place.
    """

    epoch: str = ""
    token: str = ""
    offered: str = ""
    seq: int | None = None
    issued_ms: int = 0
    renews: int | None = None


class Takeover(Struct, frozen=True):
    """The answer to `take_over`: the player's state as this connection begins.

    Attributes:
        status: `live`; `stale` (the connection to renew was replaced); `banned`; `signed_out` (the sign-in token was issued before).
        detail: why the player is banned.
        seq: the number of the latest event in the outbox.
        resumed: the client has its session back; `missed` are the events that it has not seen.
        match_seq, match_data: the latest match's event number and its `match_ready` data, if there was one lately.
    """

    status: Literal["live", "stale", "banned", "signed_out"]
    detail: str = ""
    generation: int = 0
    seq: int = 0
    resumed: bool = False
    held: Place | None = None
    match_seq: int = 0
    match_data: bytes = b""
    missed: tuple[StoredEvent, ...] = ()


class Outbox(Struct, frozen=True):
    """A player's outbox after a number: its events, the number of the latest event ever, and the generation of the live connection."""

    generation: int
    seq: int
    events: tuple[StoredEvent, ...]


class Access(Struct, frozen=True):
    """Whether a player may come in; `detail` is why one is banned."""

    status: Literal["granted", "banned", "signed_out"]
    detail: str = ""


class Standing(Struct, frozen=True):
    """How one ticket stands: position from 1 (0: no longer waiting), and the reason as JSON, if known."""

    position: int
    reason: bytes = b""


class Standings(Struct, frozen=True):
    """The answer to `positions`, in the order asked; `mean_wait` in seconds."""

    length: int
    mean_wait: float | None
    tickets: tuple[Standing, ...]


class Waiter(Struct, frozen=True):
    """A ticket as the store keeps it: its id, its enqueue time in ms, its packed record (None: lost)."""

    ticket: str
    enqueued_ms: int
    record: bytes | None


class Page(Struct, frozen=True):
    """One page of a queue; `number` is the change log's when it was read, `now` the store's clock in seconds."""

    number: int
    now: float
    waiters: tuple[Waiter, ...]


class Change(Struct, frozen=True):
    """One entry of a queue's change log: a ticket came, or some went (`by` names the matcher that took them)."""

    number: int
    added: Waiter | None = None
    removed: tuple[str, ...] = ()
    by: str = ""


class Beat(Struct, frozen=True):
    """This matcher is the `rank`-th (from 0) of `count` on the queue."""

    rank: int
    count: int


WAIT_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)  # s, upper bounds; one more bucket takes the rest


class QueueStatistics(Struct, frozen=True):
    """A queue's numbers; waits in seconds.

    Attributes:
        recent_waits: tickets matched in the last 10 to 15 minutes, by the bucket of `WAIT_BUCKETS` that their wait fell into.
    """

    waiting: int
    matchers: int
    matches: int
    tickets: int
    matches_per_minute: float
    mean_wait: float | None
    recent_waits: tuple[int, ...] = (0,) * (len(WAIT_BUCKETS) + 1)


class WindowCounts(Struct, frozen=True):
    """What a queue's matches came to since a time (ms): `matches`, `tickets`, `waited_ms`, `waits:<bucket of WAIT_BUCKETS>`, `quality:…`, `gap:…`."""

    since_ms: int
    counts: dict[str, int]

    @property
    def waits(self) -> tuple[int, ...]:
        """Tickets by bucket."""
        return tuple(self.counts.get(f"waits:{bucket}", 0) for bucket in range(len(WAIT_BUCKETS) + 1))


def wait_quantile(counts: Sequence[int], quantile: float) -> float | None:
    """A quantile of counted waits, in seconds: linear within its bucket, as Prometheus has it; None if nothing was counted."""
    total = sum(counts)
    if not total:
        return None
    rank, below = quantile * total, 0
    for i, (count, upper) in enumerate(zip(counts, WAIT_BUCKETS, strict=False)):
        if count and below + count >= rank:
            lower = WAIT_BUCKETS[i - 1] if i else 0.0
            return lower + (upper - lower) * (rank - below) / count
        below += count
    return float(WAIT_BUCKETS[-1])


class PoolOwner(Struct, frozen=True):
    """Who declared a pool.

    Attributes:
        namespace: the resource's.
        deleted_ms: when the resource was found gone; None while it lives.
    """

    namespace: str
    deleted_ms: int | None = None


class RelayEntry(Struct, frozen=True):
    """An entry of a pool's outbox: the end of one or several tickets, for each of their players.

    Attributes:
        players: player id → ticket id.
        type, data, timestamp: the event that each of them gets.
        match: its id, if the tickets were matched.
        seed: the session that the match becomes, or its players' arrival in a running one; null for other ends.
        holds: whether the session holds its players.
        filled: the backfill ticket that the match fills, if it does.
    """

    pool: str
    players: dict[str, str]
    type: str
    data: Raw
    timestamp: str
    match: str = ""
    seed: Raw = Raw(b"null")
    holds: bool = False
    filled: str = ""


class PendingEntry(Struct, frozen=True):
    """An outbox entry with its id."""

    id: str
    entry: RelayEntry


class CommitTicket(Struct, frozen=True):
    """A ticket as a matcher proposes it: with the queue and the enqueue time that it knows.

    Attributes:
        counts: whether its wait enters the statistics; that of a running session which looks for players does not.
    """

    id: str
    region: str
    mode: str
    enqueued_ms: int
    counts: bool = True


class Proposal(Struct, frozen=True):
    """A match that a matcher proposes.

    Attributes:
        event: what the relay tells its players.
        counts: what it adds to the statistics of its first ticket's queue; no field has a blank in it.
    """

    match: str
    tickets: Sequence[CommitTicket]
    event: RelayEntry
    counts: Mapping[str, int] = {}
