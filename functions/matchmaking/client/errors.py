"""What a client's user may have to deal with."""

from matchmaking.core.errors import MatchmakingError
from matchmaking.protocol.messages import ErrorData


class ClientError(MatchmakingError):
    """The root of the client's errors."""


class ConnectionEndedError(ClientError):
    """The connection ended for good: the service said not to come back, or could not be reached in time.

    Attributes:
        code: the WebSocket close code, or 0 if there never was a socket.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class EventsUnreadError(ClientError):
    """The user neither reads `events()` nor has callbacks."""


class RefusedError(ClientError):
    """The service did not carry out a request.

    Attributes:
        code: a stable word, see the protocol's error table.
        retry_after: seconds after which the same request may work; None if it never will.
    """

    def __init__(self, error: ErrorData) -> None:
        super().__init__(f"{error.code}: {error.message}")
        self.code = error.code
        self.message = error.message
        self.retry_after = error.retry_after


class JoinRefusedError(RefusedError):
    """The queue was not joined."""


class LeaveRefusedError(RefusedError):
    """The queue was not left: the player did not wait, or a match is on its way."""
