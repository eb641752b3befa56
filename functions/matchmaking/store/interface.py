"""What a store can do. Redis is the real one (`redis_store.py`); the twin in memory (`memory.py`) passes the same tests."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from matchmaking.core.pool import PoolRules
from matchmaking.telemetry.readings import QueueReading

from . import party_values as parties
from . import values
from .calls import OnCalls
from .session_interface import SessionStore

LATE_JOIN_MS = 60_000  # an enqueue that comes later than this after its reservation is refused
JUST_MATCHED = 10  # s; who leaves a queue within this time after the match was handed over is told of the match
MARK_MS = 180_000  # how long the mark of an ended ticket is kept: three times as long as an enqueue can be late
LOG_CAP = 20_000  # entries of a queue's change log; a matcher that falls behind further reads the queue anew
OUTBOX_CAP = 256  # events kept for one player
CONNECTION_SECONDS = 90_000  # what is known of a connection is kept for so long after it was last heard of; a little longer than its outbox
SIGN_OUT_SECONDS = 30 * 86_400  # a sign-out is remembered for so long; tokens older than that are refused anyway
PRESENCE_MS = 45_000  # a player whose gateway is silent for so long is not connected
GATEWAY_MS = 600_000  # a gateway that has given no sign for so long is forgotten; it counts as dead long before
WAIT_WINDOW_MS = 300_000  # waits of matched tickets are counted in windows of five minutes
WAIT_WINDOWS = 3  # how many of them are kept, the present one included
LONG_WINDOW_MS = 900_000  # matches are counted by quarters of an hour too
LONG_WINDOWS = 97  # quarters kept: a day, and the present one
EXPORTER_MS = 4000  # a gateway that exports for all must ask again within this
COUNTED_MS = 120_000  # how long a matcher's latest batch of counts is remembered; longer than any retry
MATCHER_MS = 10_000  # a matcher without a heartbeat for so long is gone
INVITE_MS = 1_800_000  # how long a party's invite is good; the leader makes a new one at any time
LARGEST_PARTY = 50  # members; a pool's own limit is checked when the party queues
PARTY_LIFE = 86_400  # s; a party that nobody looks at for so long is gone


NEW = values.Arrival()


class JoiningStore(Protocol):
    """Reservations, tickets in their queues, and how they end without a match."""

    async def reserve(
        self, player: str, *, generation: int | None, op_id: str, ticket: str, pool: str, region: str, mode: str, leader: str
    ) -> values.Reservation:
        """Bind a player to a ticket (`ticket` empty: a new one)."""

    async def release(self, player: str, ticket: str) -> bool:
        """Clear a reservation whose ticket can never wait again."""

    async def enqueue(self, place: values.Place, leader: str, record: bytes, enqueued_ms: int | None = None) -> values.Enqueued:
        """Let a reserved ticket wait."""

    async def look(self, place: values.Place, player: str) -> values.Fate:
        """What became of a ticket; leaves a mark if the pool knows nothing of it."""

    async def holding(self, player: str, generation: int) -> values.Holding:
        """The ticket that a player holds, asked by the live connection."""

    async def record(self, place: values.Place) -> bytes | None:
        """A waiting ticket's packed record."""

    async def cancel(self, place: values.Place, player: str, reason: str, event: values.RelayEntry) -> values.Cancellation:
        """End a waiting ticket."""

    async def overdue(self, pool: str, region: str, mode: str, ttl: float, grace: float, limit: int) -> list[values.Waiter]:
        """Tickets of a queue that may have to expire."""

    async def expire(
        self, place: values.Place, leader: str, ttl: float, grace: float, if_expired: values.RelayEntry, if_gone: values.RelayEntry
    ) -> values.Expiry:
        """End a ticket that has waited too long, or whose players are gone."""


class MatchingStore(Protocol):
    """What matchers do."""

    async def page(self, pool: str, region: str, mode: str, from_ms: int | None, size: int) -> values.Page:
        """Read a page of a queue, oldest first."""

    async def follow(self, pool: str, after: Mapping[tuple[str, str], int], block: float) -> dict[tuple[str, str], list[values.Change]]:
        """What changed in these queues after the log numbers known; waits up to `block` seconds for anything."""

    async def commit(self, pool: str, matcher: str, proposals: Sequence[values.Proposal], grace: float) -> list[values.Commitment]:
        """Make matches of waiting tickets, each all or none; what became of each. The first ticket's queue counts a match."""

    async def beat(self, pool: str, region: str, mode: str, matcher: str, *, leave: bool = False) -> values.Beat:
        """A matcher's heartbeat on a queue."""

    async def explain(self, pool: str, region: str, mode: str, reasons: Mapping[str, bytes]) -> None:
        """Replace the reasons that a queue's waiting tickets are shown."""


class DeliveryStore(Protocol):
    """Players' outboxes, the relay that fills them, and publications."""

    async def deliver(self, player: str, ticket: str, entry: values.RelayEntry) -> int:
        """Hand a ticket's end to a player; its number, or 0 if that happened before."""

    async def deliver_all(self, ends: Sequence[tuple[str, str, values.RelayEntry]]) -> list[int]:
        """The same for many (player, ticket, entry) at once."""

    async def settle(self, pool: str, pendings: Sequence[values.PendingEntry]) -> None:
        """Relayed entries are done with."""

    async def left_behind(self, pool: str, idle: float, limit: int) -> list[values.PendingEntry]:
        """Claim outbox entries that nobody relayed for `idle` seconds."""

    async def outbox(self, player: str, after: int) -> values.Outbox:
        """The player's outbox after a number, in order."""

    async def trim(self, player: str, seq: int) -> None:
        """Forget the player's events up to a number."""

    async def publish(self, channel: str, type_: str, data: bytes, timestamp: str) -> None:
        """Publish on a channel, in the contract's envelope."""


class ConnectionStore(Protocol):
    """Players' connections, signs of life, and sign-in."""

    async def take_over(self, player: str, gateway: str, arrival: values.Arrival = NEW) -> values.Takeover:
        """Make this the player's one live connection, unless the player may not come in."""

    async def sign_out(self, player: str) -> int:
        """Tokens issued until now count no more; the generation under which what the player holds can be cancelled."""

    async def ban(self, player: str, seconds: float | None, reason: str) -> int:
        """Keep a player out, for a time or for good; the generation as for `sign_out`."""

    async def unban(self, player: str) -> bool:
        """Let a banned player in again; whether one was banned."""

    async def access(self, player: str, issued_ms: int) -> values.Access:
        """Whether a player whose token was issued at this time may come in."""

    async def keep(self, players: Sequence[str]) -> None:
        """These players' connections live on: what is known of them must not expire."""

    async def disconnect(self, player: str, generation: int) -> bool:
        """The live connection is gone."""

    async def touch(self, pool: str, tickets: Sequence[str]) -> int:
        """Signs of life for waiting tickets."""

    async def presence(self, players: Sequence[str]) -> int:
        """Signs of life for connected players; how many are connected anywhere."""

    async def gateway_lives(self, gateway: str) -> None:
        """A sign of life of a gateway."""

    async def gateway_signs(self, gateways: Collection[str]) -> dict[str, float]:
        """Gateways' last signs of life, seconds since the epoch, where there is one."""

    async def gateway_of(self, player: str) -> str:
        """The gateway that a player is connected to, or was when it died; empty if the player has gone."""

    async def absent(self, player: str) -> None:
        """The player is not connected any more."""

    async def positions(self, pool: str, region: str, mode: str, tickets: Sequence[str]) -> values.Standings:
        """How tickets stand in their queue."""

    async def put_sign_in_ticket(self, digest: str, identity: bytes, seconds: int) -> None:
        """Keep a browser's single-use sign-in ticket."""

    async def take_sign_in_ticket(self, digest: str) -> bytes | None:
        """Whom a sign-in ticket stands for; it works once."""


class PartyStore(Protocol):
    """Parties: bound in the player's slot, admitted in the party's. `store/parties.py` has the order of the steps."""

    async def party_bind(self, player: str, generation: int, op_id: str, party: str, random: str) -> parties.Binding:
        """Bind a player to a party."""

    async def party_admit(self, party: str, player: str, membership: str, secret: str, new_secret: str) -> parties.Admission:
        """Admit a bound player (`secret` empty: found the party)."""

    async def party_look(self, party: str, player: str, membership: str) -> parties.Membership:
        """Whether a binding is true; leaves a mark if not."""

    async def party_holding(self, player: str, generation: int | None, op_id: str = "", *, anew: bool = False) -> parties.PartyHolding:
        """The party that a player is bound to (`anew`: forget operation ids)."""

    async def party_read(self, party: str) -> parties.Party | None:
        """A party whole."""

    async def party_tell(self, player: str, membership: str, version: int, event: values.RelayEntry, ticket: str, without: bytes) -> int:
        """Tell a member a version of the party; the event's number, or 0 if that happened before."""

    async def party_part(self, player: str, membership: str, event: values.RelayEntry | None, op_id: str = "") -> int:
        """End a binding, with notice if there is an event."""

    async def party_remove(
        self, party: str, by: str, op_id: str, player: str, membership: str, reason: str, ended: str, new_secret: str
    ) -> parties.Removal:
        """Take a member out, unless the party's ticket may wait (`ended` names one that does not)."""

    async def party_lead(self, party: str, by: str, op_id: str, leader: str, new_secret: str) -> str:
        """Change leader or invite: `changed`, `done`, `not_leader` or `not_member`."""

    async def party_queue(
        self, party: str, player: str, membership: str, op_id: str, queue: tuple[str, str, str], random: str
    ) -> parties.Queueing:
        """Name the ticket under which the party queues."""

    async def party_requeue(self, party: str, old: str, place: values.Place, members: Sequence[str]) -> bool:
        """Name the ticket that a party's ticket `old` goes back as, if these are its members; whether it is named."""

    async def party_waits(self, party: str, ticket: str, since_ms: int) -> bool:
        """The party's ticket was seen waiting; whether that is news."""

    async def party_unqueue(self, party: str, ticket: str, reason: str) -> bool:
        """Forget the party's ticket, which has ended."""

    async def party_presence(self, party: str, connected: Mapping[str, bool]) -> bool:
        """Which members are connected; whether that is news."""

    async def are_connected(self, players: list[str], silent: float) -> dict[str, bool]:
        """Players with a sign of life in the last `silent` seconds."""


class PoolStore(Protocol):
    """Profiles, pools, numbers, and the store itself."""

    async def preferences(self, player: str) -> bytes | None:
        """The player's preferences (JSON)."""

    async def put_preferences(self, player: str, data: bytes) -> None:
        """Replace the player's preferences."""

    async def put_pool(self, name: str, rules: PoolRules) -> int:
        """Write a pool's compiled rules; returns their revision (unchanged rules keep theirs)."""

    async def pools(self) -> dict[str, tuple[int, PoolRules]]:
        """Name → revision and rules."""

    async def queue_lengths(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[int]:
        """Waiting tickets of (region, mode) queues."""

    async def queue_statistics(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[values.QueueStatistics]:
        """Numbers of (region, mode) queues."""

    async def statistics_of(self, queues: Sequence[tuple[str, str, str]]) -> list[values.QueueStatistics]:
        """Numbers of (pool, region, mode) queues, of many pools at once."""

    async def window(self, pool: str, region: str, mode: str, quarters: int) -> values.WindowCounts:
        """What a queue's matches came to in the latest quarters of an hour, the present one included."""

    async def connected(self) -> int:
        """How many players are connected anywhere."""

    async def epoch(self) -> str:
        """Names the store's history; changes when stored state may have been rolled back."""

    async def ping(self) -> None:
        """Raises if the store does not answer."""


class OwnerStore(Protocol):
    """Who declared a pool, and the end of what is declared no longer."""

    async def claim_pool(self, name: str, namespace: str) -> values.PoolOwner:
        """Own a pool's name unless somebody does; who does. A pool that was being deleted lives on if its owner claims it."""

    async def pool_owners(self) -> dict[str, values.PoolOwner]:
        """Name → owner, deleted pools included until they are forgotten."""

    async def delete_pool(self, name: str) -> values.PoolOwner | None:
        """Take a pool's rules away, so that nobody joins it any more, and remember since when; its tickets stay."""

    async def known_queues(self, pool: str) -> list[tuple[str, str]]:
        """Every (region, mode) in which tickets have waited, declared or not."""

    async def forget_queue(self, pool: str, region: str, mode: str) -> bool:
        """Remove a queue's keys, if nothing waits in it and no matcher follows it."""

    async def forget_pool(self, name: str) -> bool:
        """Remove a deleted pool's keys and its owner, if no queue is left and every end was relayed."""


class MeasuringStore(Protocol):
    """What everybody counts together, and who exports it; fields as `telemetry.metrics.count` names them."""

    async def count(self, pool: str, region: str, mode: str, matcher: str, batch: int, counts: Mapping[str, int]) -> bool:
        """Add a matcher's counts to a queue's; a batch number that is not above the latest was counted before (False)."""

    def observe(self, on_calls: OnCalls) -> None:
        """From now on tell `on_calls` of every pipeline of scripts."""

    async def elect(self, gateway: str, *, leave: bool = False) -> bool:
        """Whether this gateway exports what all share: for `EXPORTER_MS` from the call's start."""

    async def readings(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[QueueReading]:
        """How (region, mode) queues stand, with all their counts."""

    async def relay_backlog(self, pool: str) -> tuple[int, float]:
        """Ends of tickets that are not yet relayed: how many, and the age of the oldest in seconds."""

    async def timer_backlog(self) -> tuple[int, float]:
        """Timers of sessions: how many are set, and by how many seconds the latest is overdue."""


class Store(
    JoiningStore, MatchingStore, DeliveryStore, ConnectionStore, PartyStore, PoolStore, OwnerStore, SessionStore, MeasuringStore, Protocol
):
    """One method for each script, and a few reads. Every method may raise `StoreUnavailableError`."""
