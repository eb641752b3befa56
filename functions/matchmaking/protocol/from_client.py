"""What clients send. Decoding is validation: every bound is part of a type."""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from .session_messages import MatchAccept, MatchDecline

OperationId: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.:-]{0,64}$",
        description="Chosen by the client; within one session the same operation id has its effect once.",
    ),
]
Label: TypeAlias = Annotated[str, Meta(min_length=1, max_length=63)]
Latency: TypeAlias = Annotated[dict[Label, Annotated[float, Meta(ge=0, le=10_000)]], Meta(max_length=64)]
AttributeValue: TypeAlias = (
    float | Annotated[str, Meta(max_length=100)] | Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=64)]
)
Attributes: TypeAlias = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=40)], AttributeValue], Meta(max_length=32)]
Roles: TypeAlias = Annotated[list[Label], Meta(max_length=16)]


class QueueJoinData(Struct, frozen=True):
    """Which queue to wait in.

    Attributes:
        region, mode: may be left out if the player's preferences name them.
        latency: measured round-trip milliseconds by region.
        roles: the roles that the player takes; none means any.
        attributes: what the pool's comparison and intersection rules look at.
    """

    pool: Label
    region: Label | None = None
    mode: Label | None = None
    op_id: OperationId = ""
    latency: Latency = {}
    roles: Roles = []
    attributes: Attributes = {}


class QueueLeaveData(Struct, frozen=True):
    """Leaving needs no more than who asks."""

    op_id: OperationId = ""


class AckData(Struct, frozen=True):
    """The last event that the client has dealt with; the server may forget it and those before."""

    seq: Annotated[int, Meta(ge=0)]


class PartyOperationData(Struct, frozen=True):
    """What the player's own party needs no more words for."""

    op_id: OperationId = ""


class PartyJoinData(Struct, frozen=True):
    """The invite that a member of the party has passed on."""

    invite: Annotated[str, Meta(min_length=1, max_length=64)]
    op_id: OperationId = ""


class PartyMemberData(Struct, frozen=True):
    """A member whom the leader means."""

    player_id: Annotated[str, Meta(min_length=1, max_length=64)]
    op_id: OperationId = ""


class Nothing(Struct, frozen=True):
    """A message that says all by its type."""


class QueueJoin(Struct, frozen=True, tag="queue_join"):
    """Wait in a queue."""

    data: QueueJoinData


class QueueLeave(Struct, frozen=True, tag="queue_leave"):
    """Stop waiting."""

    data: QueueLeaveData = QueueLeaveData()


class Ack(Struct, frozen=True, tag="ack"):
    """Events up to `seq` have arrived."""

    data: AckData


class Heartbeat(Struct, frozen=True, tag="heartbeat"):
    """A sign of life."""

    data: Nothing = Nothing()


class PartyCreate(Struct, frozen=True, tag="party_create"):
    """Begin a party; its invite comes with the `party_update`."""

    data: PartyOperationData = PartyOperationData()


class PartyJoin(Struct, frozen=True, tag="party_join"):
    """Join a party by its invite."""

    data: PartyJoinData


class PartyLeave(Struct, frozen=True, tag="party_leave"):
    """Leave the party; if it waits in a queue, its ticket ends."""

    data: PartyOperationData = PartyOperationData()


class PartyKick(Struct, frozen=True, tag="party_kick"):
    """The leader sends a member away, and gets a new invite."""

    data: PartyMemberData


class PartyPromote(Struct, frozen=True, tag="party_promote"):
    """The leader makes another member the leader."""

    data: PartyMemberData


class PartyInvite(Struct, frozen=True, tag="party_invite"):
    """The leader makes a new invite; the old one is good no longer."""

    data: PartyOperationData = PartyOperationData()


PartyMessage: TypeAlias = PartyCreate | PartyJoin | PartyLeave | PartyKick | PartyPromote | PartyInvite
ClientMessage: TypeAlias = QueueJoin | QueueLeave | MatchAccept | MatchDecline | PartyMessage | Ack | Heartbeat
CLIENT_TYPES = (
    "queue_join",
    "queue_leave",
    "match_accept",
    "match_decline",
    "party_create",
    "party_join",
    "party_leave",
    "party_kick",
    "party_promote",
    "party_invite",
    "ack",
    "heartbeat",
)
