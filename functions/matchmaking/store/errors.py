"""What can go wrong between us and Redis, in our own words."""

from matchmaking.core.errors import MatchmakingError


class StoreError(MatchmakingError):
    """The store refused or answered nonsense; a bug or a misconfiguration."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached just now; the same call may work later."""
