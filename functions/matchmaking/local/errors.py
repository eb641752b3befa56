"""What keeps `matchmaking dev` from starting, or ends it. Each text says what to do."""

from matchmaking.core.errors import MatchmakingError


class DevelopmentError(MatchmakingError):
    """The development environment cannot start, or has lost a part that it needs."""


class NoRedisServerError(DevelopmentError):
    """There is no redis-server to start."""


class KeyStorageError(DevelopmentError):
    """The development keys can neither be read nor written."""


class InvalidPlayerError(DevelopmentError):
    """No token is issued for such a name."""
