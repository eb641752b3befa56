"""When to come back after a connection ended. Pure: the protocol's close codes decide, chance only spreads.

Clients that lose a gateway lose it together. Full jitter (a uniform choice between nothing and an exponentially growing bound) spreads their return best: see
"Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from random import Random

from matchmaking.protocol.close_codes import MEANINGS, CloseCode, Meaning

BASE = 0.5  # s; the bound of the first try's jitter
CAP = 30.0  # s; the largest bound
STABLE = 5.0  # s; a connection that lived for so long makes the next one a first try again

_LOST = Meaning("The connection was lost.", "yes")
_STOP_STATUSES = range(400, 500)
_PASSING_STATUSES = (408, 425, 429)  # of those, the ones that mean "later"


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


def delay(attempt: int, wait: float, random: Random) -> float:
    """Seconds until the next try.

    Args:
        attempt: how many tries failed since the last stable connection.
        wait: what the close code or the server's `retry_after` asks for; counts for the first try only.
    """
    if attempt == 0:
        return wait + random.uniform(0, max(BASE, wait))
    return random.uniform(0, min(CAP, max(BASE, wait) * 2.0**attempt))
