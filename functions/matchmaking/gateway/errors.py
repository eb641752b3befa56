"""The gateway's own errors."""

from matchmaking.core.errors import MatchmakingError


class PortTakenError(MatchmakingError):
    """Another process listens on the port; the message says how to choose another one."""


class ConfigurationError(MatchmakingError):
    """A setting is missing or contradicts another one."""


class SignInError(MatchmakingError):
    """Nobody was signed in.

    Attributes:
        forbidden: the token is good, but not for this.
    """

    def __init__(self, message: str, *, forbidden: bool = False) -> None:
        super().__init__(message)
        self.forbidden = forbidden


class SubprotocolError(MatchmakingError):
    """The client did not offer our subprotocol."""


class KeysUnavailableError(MatchmakingError):
    """No token can be checked just now: the signing keys could not be read yet."""


class ShutOutError(MatchmakingError):
    """The player may not come in: `why` is `banned` or `signed_out`."""

    def __init__(self, why: str, reason: str = "") -> None:
        super().__init__(
            f"you are banned: {reason or 'no reason was given'}"
            if why == "banned"
            else "the token is from before you signed out; get a new one"
        )
        self.why = why


class RefusedError(MatchmakingError):
    """A request that is not carried out; the client is told code, text and when to try again."""

    def __init__(self, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


class InvalidRequestError(MatchmakingError):
    """An HTTP request's body is not what it should be; the message says where."""


class RefusedRequestError(MatchmakingError):
    """An HTTP request that is not carried out; the answer's status, code and text."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
