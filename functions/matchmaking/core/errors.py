"""The errors of the pure layers. Each message says where the fault is and what to do about it."""


class MatchmakingError(Exception):
    """The root of every error that this project raises on purpose."""


class InvalidPoolError(MatchmakingError):
    """A pool's manifest breaks the schema or contradicts itself.

    Attributes:
        path: where, in the manifest's own terms, for example `spec.rules[0].maxDistance`.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class InvalidTicketError(MatchmakingError):
    """A ticket does not fit its pool.

    Attributes:
        path: where, for example `players[1].latency.eu-west`.
        code: a stable word for clients, for example `unknown_region`.
    """

    def __init__(self, path: str, message: str, code: str = "invalid_ticket") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.code = code
