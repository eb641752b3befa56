"""Every key and channel name. Nothing else in the project builds one.

Everything that must change together has the same hash tag (`pool:{duel}:…`, `player:{alice}:…`), so that each script stays in one slot of a Redis
Cluster. Names and ids come from people: only what passes the checks here gets into a key.
"""

import re
from zlib import crc32

from matchmaking.core.errors import MatchmakingError
from matchmaking.protocol.identifiers import valid_player_id

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_ID = re.compile(r"[A-Za-z0-9\-]{1,64}\Z")

PRESENCE = "presence"
GATEWAYS = "gateways"  # ZSET: gateway → its last sign of life, ms
POOLS = "pools"
POOL_OWNERS = "pool-owners"  # HASH: pool → who declared it, and since when it is being deleted (JSON)
PROFILES = "player:{*}:profile"  # a pattern: every profile
STORE_EPOCH = "store:epoch"
EXPORTER = "exporter"  # STRING: the gateway that exports the metrics which all share; a lease
QUEUE_STATUS_CHANNEL = "queue:status"
ANNOUNCEMENTS_CHANNEL = "system:announcements"
TIMER_SHARDS = 4
RELAY_GROUP = "relay"  # the consumer group of every pool outbox, and the one consumer's name in it


class InvalidKeyError(MatchmakingError):
    """A name or id that must not get into a key."""


def _label(value: str) -> str:
    if not _LABEL.match(value):
        raise InvalidKeyError(f"`{value[:80]}` is no name of a pool, region or mode: lower-case letters, digits and dashes, at most 63")
    return value


def _id(value: str) -> str:
    if not _ID.match(value):
        raise InvalidKeyError(f"`{value[:80]}` is no id: letters, digits and dashes, at most 64")
    return value


def _player(value: str) -> str:
    if not valid_player_id(value):
        raise InvalidKeyError(f"`{value[:80]}` is no player id: 1 to 64 of letters, digits and _.@|+=~:-")
    return value


def waiting(pool: str, region: str, mode: str) -> str:
    """ZSET: ticket id → enqueue time, ms. KEDA reads its ZCARD; a ticket's position is its ZRANK."""
    return f"pool:{{{_label(pool)}}}:queue:{_label(region)}:{_label(mode)}:waiting"


def log(pool: str, region: str, mode: str) -> str:
    """STREAM: what changed in a queue, ids `n-0` without gaps, capped; wakes and updates running matchers."""
    return f"pool:{{{_label(pool)}}}:queue:{_label(region)}:{_label(mode)}:log"


def workers(pool: str, region: str, mode: str) -> str:
    """ZSET: matcher id → last heartbeat, ms."""
    return f"pool:{{{_label(pool)}}}:queue:{_label(region)}:{_label(mode)}:workers"


def reasons(pool: str, region: str, mode: str) -> str:
    """HASH: ticket id → why it still waits (JSON), as the last round saw it."""
    return f"pool:{{{_label(pool)}}}:queue:{_label(region)}:{_label(mode)}:reasons"


def tickets(pool: str) -> str:
    """HASH: ticket id → packed record."""
    return f"pool:{{{_label(pool)}}}:tickets"


def alive(pool: str) -> str:
    """ZSET: ticket id → last sign of its players, ms."""
    return f"pool:{{{_label(pool)}}}:alive"


def outbox(pool: str) -> str:
    """STREAM with a consumer group: ends of tickets until they are relayed to the players."""
    return f"pool:{{{_label(pool)}}}:outbox"


def counters(pool: str) -> str:
    """HASH: `<region>:<mode>` → number of the queue's latest log entry."""
    return f"pool:{{{_label(pool)}}}:counters"


def ended(pool: str, ticket: str) -> str:
    """STRING: how a ticket ended (`m:<match>` or `c:<reason>`); kept until relayed, and longer than any retry after that."""
    return f"pool:{{{_label(pool)}}}:ended:{_id(ticket)}"


def statistics(pool: str, region: str, mode: str) -> str:
    """HASH: counts of a queue, some for players' estimates, the others as `telemetry.metrics.count` names them."""
    return f"pool:{{{_label(pool)}}}:statistics:{_label(region)}:{_label(mode)}"


def windows(pool: str, region: str, mode: str) -> str:
    """HASH: `<number of a long window>:<counter>` → what a queue's matches came to in it; a day of them."""
    return f"pool:{{{_label(pool)}}}:statistics:{_label(region)}:{_label(mode)}:windows"


def counted(pool: str, matcher: str) -> str:
    """STRING: the number of the latest batch of counts that a matcher has handed in."""
    return f"pool:{{{_label(pool)}}}:counted:{_id(matcher)}"


def connection(player: str) -> str:
    """HASH: generation, gateway, number of the latest outbox event; epoch and hashes of the tokens that resume the session."""
    return f"player:{{{_player(player)}}}:connection"


def ticket(player: str) -> str:
    """HASH: the one live ticket, its queue, the operation ids done, the latest match."""
    return f"player:{{{_player(player)}}}:ticket"


def player_outbox(player: str) -> str:
    """STREAM: the player's events, ids `seq-0` without gaps, capped by count and age."""
    return f"player:{{{_player(player)}}}:outbox"


def access(player: str) -> str:
    """HASH: when the player signed out (tokens issued before count no more), until when the player is banned, and why."""
    return f"player:{{{_player(player)}}}:access"


def profile(player: str) -> str:
    """HASH: ratings per pool and mode, recent opponents, preferences."""
    return f"player:{{{_player(player)}}}:profile"


def player_party(player: str) -> str:
    """HASH: the party that the player is bound to, which version of it the player was told, the operation ids done."""
    return f"player:{{{_player(player)}}}:party"


def party(party_id: str) -> str:
    """HASH: a party: leader, members, invite, the ticket under which it queues."""
    return f"party:{{{_id(party_id)}}}:state"


def party_gone(party_id: str, membership: str) -> str:
    """STRING: why a membership ended; kept longer than an admission can be late."""
    return f"party:{{{_id(party_id)}}}:gone:{_id(membership)}"


def sign_in_ticket(digest: str) -> str:
    """STRING: the player that a browser's single-use ticket stands for; named by the ticket's hash, so that the key gives nothing away."""
    return f"sign-in:{_id(digest)}"


def session(match: str) -> str:
    """HASH: a match's session."""
    return f"match:{{{_id(match)}}}:session"


def session_outbox(match: str) -> str:
    """STREAM: what a session's transitions do elsewhere, until it is carried out."""
    return f"match:{{{_id(match)}}}:outbox"


def timers(match: str) -> str:
    """ZSET: match id → when somebody must look at it, ms. Several, so that they spread over a cluster."""
    return timer_shards()[crc32(_id(match).encode()) % TIMER_SHARDS]


def timer_shards() -> tuple[str, ...]:
    """All of them."""
    return tuple(f"timers:{n}" for n in range(TIMER_SHARDS))


def seen(player: str) -> str:
    """ZSET: the latest session events that the player got, so that none comes twice."""
    return f"player:{{{_player(player)}}}:seen"


def matches(player: str) -> str:
    """LIST: the player's latest matches, newest first (JSON)."""
    return f"player:{{{_player(player)}}}:matches"


def match_channel(match: str) -> str:
    """Where a match's session is told of."""
    return f"match:{_id(match)}:events"


def updates_channel(player: str) -> str:
    """Where a player's events are published."""
    return f"player:{_player(player)}:updates"


def gateway_channel(gateway: str) -> str:
    """Where one gateway hears of itself: its canary, and connections that were taken over."""
    return f"gateway:{_id(gateway)}"
