"""What the store's functions about parties return."""

from typing import Literal

from msgspec import Struct

from .values import Place


class Binding(Struct, frozen=True):
    """The answer to `party_bind`: the party and the membership that the player is bound to."""

    status: Literal["bound", "taken", "done", "stale"]
    party: str = ""
    membership: str = ""


class Admission(Struct, frozen=True):
    """The answer to `party_admit`; `place` names the ticket in the way."""

    status: Literal["in", "gone", "unknown", "invite", "full", "queued", "taken"]
    place: Place | None = None


class Membership(Struct, frozen=True):
    """The answer to `party_look`; `reason` says why it ended (`lost`: the party never knew it, and never will)."""

    status: Literal["in", "gone"]
    reason: str = ""


class PartyHolding(Struct, frozen=True):
    """The answer to `party_holding`.

    Attributes:
        shown: the party's version that the player was told last.
        place: the ticket that the player holds, if any.
    """

    status: Literal["stale", "done", "none", "held"]
    party: str = ""
    membership: str = ""
    shown: int = 0
    place: Place | None = None


class Removal(Struct, frozen=True):
    """The answer to `party_remove`; `place` names the ticket in the way."""

    status: Literal["removed", "done", "not_member", "not_leader", "queued"]
    place: Place | None = None


class Queueing(Struct, frozen=True):
    """The answer to `party_queue`: the ticket, and for whom, the leader first."""

    status: Literal["queueing", "taken", "not_leader", "not_member"]
    place: Place
    members: tuple[str, ...] = ()


class Party(Struct, frozen=True):
    """A party as it stands; times in ms.

    Attributes:
        version: counts its changes; `reason` names the last one.
        invite: the code by which others join, good until `invite_until`.
        members: player → membership's id, in the order of joining.
        away: member → since when not connected.
        place: the ticket under which it queues or is about to.
        since: when the ticket was enqueued; None until it was seen waiting.
        now: the store's clock.
    """

    id: str
    version: int
    reason: str
    leader: str
    secret: str
    invite_until: int
    members: dict[str, str]
    away: dict[str, int]
    place: Place | None
    since: int | None
    now: int

    @property
    def invite(self) -> str:
        """What others need to join."""
        return f"{self.id}-{self.secret}"
