"""Tokens whose signature was checked before: a game server sends the same one with each report, and a signature costs as much as all the rest of it.

Only what cannot change is kept: that a key of ours signed these bytes, for whom, and until when. Whether that person is banned or has signed out since is the
store's to say each time, and all is forgotten as soon as the keys change (`SigningKeys.generation`), so a key that was withdrawn counts no more. A token is known
by its digest: nothing that one could sign in with is kept.
"""

import hashlib
from typing import Generic, TypeVar

MOST = 4096  # tokens; about a megabyte
T = TypeVar("T")


class KnownTokens(Generic[T]):
    """Whom the latest good tokens stand for; the one that was not used for longest is forgotten first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[bytes, tuple[T, float]] = {}
        self._generation = 0

    def __len__(self) -> int:
        return len(self._known)

    def find(self, token: str, generation: int, now: float) -> T | None:
        """Whom a token stands for; None if it must be checked."""
        self._follow(generation)
        digest = _digest(token)
        known = self._known.pop(digest, None)
        if known is None or known[1] <= now:
            return None
        self._known[digest] = known
        return known[0]

    def note(self, token: str, generation: int, whose: T, until: float) -> None:
        """A token was found good by the keys of that generation; `until` is when it ends, seconds since the epoch."""
        self._follow(generation)
        self._known[_digest(token)] = (whose, until)
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]

    def _follow(self, generation: int) -> None:
        if generation != self._generation:
            self._known.clear()
            self._generation = generation


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
