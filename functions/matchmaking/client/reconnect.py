"""When to come back after a connection ended. Pure: the protocol's close codes decide, chance only spreads.

Clients that lose a gateway lose it together. Full jitter (a uniform choice between nothing and an exponentially growing bound) spreads their return best: see
"Exponential Backoff And Jitter", AWS Architecture Blog, 2015. What the service asks for, by close code or `retry_after`, comes first: chance is added to it.
"""

from random import Random

from msgspec import Struct

from matchmaking.protocol.close_codes import MEANINGS, CloseCode, Meaning

_LOST = Meaning("The connection was lost.", "yes")
_STOP_STATUSES = range(400, 500)
_PASSING_STATUSES = (408, 425, 429)  # of those, the ones that mean "later"


class Backoff(Struct, frozen=True):
    """How eagerly to come back, in seconds.

    Attributes:
        base: the bound of the first try's jitter.
        cap: the largest bound.
        stable: a connection that lived for so long makes the next one a first try again.
    """

    base: float = 0.5
    cap: float = 30.0
    stable: float = 5.0

    def delay(self, attempt: int, wait: float, random: Random) -> float:
        """Seconds until the next try.

        Args:
            attempt: how many tries failed since the last stable connection.
            wait: what the close code or the server's `retry_after` asks for; never undercut.
        """
        return wait + random.uniform(0, min(self.cap, max(self.base, wait) * 2.0 ** min(attempt, 32)))


def meaning_of(code: int) -> Meaning:
    """What a close code asks of us. Codes that the protocol does not know (1006 for a lost connection, a proxy's 1001 or 1011) mean: come back."""
    try:
        return MEANINGS[CloseCode(code)]
    except (ValueError, KeyError):
        return _LOST


def meaning_of_status(status: int) -> Meaning:
    """What a refused upgrade (an HTTP status instead of a WebSocket) asks of us."""
    if status in _STOP_STATUSES and status not in _PASSING_STATUSES:
        return Meaning(f"The service refused the connection with HTTP status {status}; is the address right?", "no")
    return Meaning(f"The service refused the connection with HTTP status {status}.", "yes", 1.0)
