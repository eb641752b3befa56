"""What `connection.step` asks to be done."""

from typing import TypeAlias

from msgspec import Struct

from .close_codes import CloseCode
from .events import StoredEvent
from .messages import PartyMessage, QueueJoinData, ServerData
from .session_messages import MatchAnswerData


class Send(Struct, frozen=True):
    """Write a message to the socket."""

    data: ServerData


class Deliver(Struct, frozen=True):
    """Hand an outbox event to its handler, which writes it to the socket with its number."""

    event: StoredEvent


class JoinQueue(Struct, frozen=True):
    """Reserve and enqueue."""

    data: QueueJoinData


class LeaveQueue(Struct, frozen=True):
    """Cancel the player's ticket."""

    op_id: str


class AnswerMatch(Struct, frozen=True):
    """Accept or decline a match that was found."""

    data: MatchAnswerData
    accepts: bool


class AskParty(Struct, frozen=True):
    """Carry out a request about the player's party."""

    message: PartyMessage


class ReadOutbox(Struct, frozen=True):
    """Read the outbox after this number."""

    after: int


class TrimOutbox(Struct, frozen=True):
    """Forget events up to this number."""

    upto: int


class Renew(Struct, frozen=True):
    """Start the session anew on the same socket: `hello` and `snapshot`."""


class Close(Struct, frozen=True):
    """Close the socket."""

    code: CloseCode


Effect: TypeAlias = Send | Deliver | JoinQueue | LeaveQueue | AnswerMatch | AskParty | ReadOutbox | TrimOutbox | Renew | Close
