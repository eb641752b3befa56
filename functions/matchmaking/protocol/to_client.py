"""What gateways send."""

from typing import Any, TypeAlias

from msgspec import Struct

from .session_messages import MATCH_CANCELLED, MatchCancelledData, SessionData


class HelloData(Struct, frozen=True):
    """The connection is live. Comes first, and once more if the session must start anew on the same socket; a `snapshot` follows unless it was resumed.

    Attributes:
        player_id: as whom.
        heartbeat_interval: seconds; the client sends a heartbeat at least that often.
        epoch: names the store's history; numbers of another epoch mean nothing.
        seq: the events after this number follow on this connection.
        generation: how many connections this player has had.
        resumed: the missed events follow, each once and in order; if not, a `snapshot` follows, and what was known before counts no more.
        resume_token: what to offer, with epoch and the last event's number, to resume this session on the next connection.
    """

    player_id: str
    heartbeat_interval: float
    epoch: str
    seq: int
    generation: int
    resumed: bool = False
    resume_token: str = ""


class QueuePlace(Struct, frozen=True):
    """Where a ticket waits."""

    ticket_id: str
    pool: str
    region: str
    mode: str


class QueueJoinedData(QueuePlace, frozen=True):
    """The answer to `queue_join`: the ticket waits and will have exactly one end."""

    op_id: str = ""


class Why(Struct, frozen=True, omit_defaults=True):
    """Why a ticket still waits.

    Attributes:
        rule: the rule that blocked most candidates, or `players` where there are too few.
        message: the same for people.
        next_change: seconds until the ticket's windows widen next.
        windows: how wide the rules that expand are for the ticket now: `rule.field` → value.
        blocked: how many candidates each rule kept away.
    """

    rule: str
    message: str = ""
    next_change: float | None = None
    windows: dict[str, float] = {}
    blocked: dict[str, int] = {}


class QueueUpdateData(QueuePlace, frozen=True):
    """How the waiting goes.

    Attributes:
        position: 1 is next in line by waiting time (matching goes by fit, so it is a hint).
        waiting: tickets in this queue.
        waited: seconds so far.
        estimated_wait: seconds still to wait, from this queue's recent matches; null before there were any.
        reason: why the ticket still waits, once a matcher has looked at it.
    """

    position: int
    waiting: int
    waited: float
    estimated_wait: float | None = None
    reason: Why | None = None


class QueueLeftData(QueuePlace, frozen=True):
    """The ticket's end without a match: `left`, `expired`, `disconnected`, `signed_out`, `banned`, `quarantined`, `queue_removed` or `pool_deleted`."""

    reason: str
    op_id: str = ""


class TeamData(Struct, frozen=True):
    """One team of a match."""

    name: str
    players: list[str]
    win_chance: float | None = None


class MatchFoundData(Struct, frozen=True):
    """The ticket's end with a match.

    Attributes:
        opponent: the other side: in a duel the player's id, between two teams the other team's name; null with more than two sides.
        timestamp: when the match was committed, RFC 3339.
        quality: 0 to 1.
        waited: seconds in the queue.
        accept_by: until when to accept (RFC 3339); null if the pool asks for no ready check.
    """

    match_id: str
    opponent: str | None
    timestamp: str
    teams: list[TeamData]
    pool: str
    region: str
    mode: str
    ticket_id: str
    quality: float
    waited: float
    accept_by: str | None = None


class PartyMember(Struct, frozen=True):
    """A member of a party."""

    player_id: str
    connected: bool = True


class PartyPlace(QueuePlace, frozen=True):
    """Where a party waits; `since` is RFC 3339."""

    since: str = ""


class PartyUpdateData(Struct, frozen=True):
    """A party whole, after each of its changes. Who is not among the members is in no party (any more).

    Attributes:
        version: counts the party's changes; a smaller one than was seen is old news.
        leader: who may queue, invite and send away.
        members: in the order of joining.
        reason: what changed: `created`, `joined`, `left`, `kicked`, `promoted`, `invite`, `presence`, `queued`, `unqueued`, `disbanded`.
        invite: the code by which others join, good until `invite_until` (RFC 3339); empty for who is no member.
        queued: where the party waits; null if it does not.
        op_id: of the request that this answers, if it does; such an answer has no `seq`.
    """

    party_id: str
    version: int
    leader: str
    members: list[PartyMember]
    reason: str
    invite: str = ""
    invite_until: str = ""
    queued: PartyPlace | None = None
    op_id: str = ""


class SnapshotData(Struct, frozen=True):
    """The player's state, whole: what a client needs when it cannot resume.

    Attributes:
        ticket: where the player waits.
        match: the match that the player was last put in, if that was lately.
        session: the live session that the player is in.
        party: the player's party.
    """

    ticket: QueuePlace | None = None
    match: MatchFoundData | None = None
    session: SessionData | None = None
    party: PartyUpdateData | None = None


class ErrorData(Struct, frozen=True):
    """A request that was not carried out.

    Attributes:
        code: stable word, see the error table.
        message: what is wrong and what to do.
        op_id: of the request, if it had one.
        retry_after: seconds after which the same request may work; null if it never will.
    """

    code: str
    message: str
    op_id: str = ""
    retry_after: float | None = None


class AnnouncementData(Struct, frozen=True):
    """News for everybody."""

    message: str
    level: str = "info"
    timestamp: str = ""


class GameStateUpdateData(Struct, frozen=True):
    """A live session's state changed."""

    session_id: str
    state: dict[str, Any]
    timestamp: str


class HeartbeatAckData(Struct, frozen=True):
    """The answer to `heartbeat`; `timestamp` is the server's clock, RFC 3339."""

    timestamp: str


class ReconnectData(Struct, frozen=True):
    """The gateway is going away: connect again after `retry_after` seconds."""

    retry_after: float


ServerData: TypeAlias = (
    HelloData
    | SnapshotData
    | QueueJoinedData
    | QueueUpdateData
    | QueueLeftData
    | MatchFoundData
    | MatchCancelledData
    | PartyUpdateData
    | GameStateUpdateData
    | AnnouncementData
    | ErrorData
    | HeartbeatAckData
    | ReconnectData
)

SERVER_TYPES: dict[type[Struct], str] = {
    HelloData: "hello",
    SnapshotData: "snapshot",
    QueueJoinedData: "queue_joined",
    QueueUpdateData: "queue_update",
    QueueLeftData: "queue_left",
    MatchFoundData: "match_found",
    MatchCancelledData: MATCH_CANCELLED,
    PartyUpdateData: "party_update",
    GameStateUpdateData: "game_state_update",
    AnnouncementData: "announcement",
    ErrorData: "error",
    HeartbeatAckData: "heartbeat_ack",
    ReconnectData: "reconnect",
}
