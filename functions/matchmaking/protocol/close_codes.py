"""Why a socket closes, and what the client should do then. The README's table is generated from here."""

from enum import IntEnum
from typing import Literal, NamedTuple

Advice = Literal["no", "yes", "new token"]


class CloseCode(IntEnum):
    """WebSocket close codes: below 4000 as RFC 6455 and the IANA registry define them, from 4000 on ours."""

    NORMAL = 1000
    UNSUPPORTED_DATA = 1003
    MESSAGE_TOO_BIG = 1009
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    PROTOCOL_ABUSE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_REQUIRED = 4406
    HEARTBEAT_TIMEOUT = 4408
    REPLACED = 4409
    SIGNED_OUT = 4410
    BANNED = 4411
    SLOW_CONSUMER = 4413
    RATE_LIMITED = 4429


class Meaning(NamedTuple):
    """What a close code means.

    Attributes:
        what: one sentence.
        reconnect: whether a client should come back.
        wait: seconds before the first try; full-jitter backoff from there on.
    """

    what: str
    reconnect: Advice
    wait: float = 0.0


MEANINGS: dict[CloseCode, Meaning] = {
    CloseCode.NORMAL: Meaning("Either side is done.", "no"),
    CloseCode.UNSUPPORTED_DATA: Meaning("A binary frame: the protocol is JSON in text frames.", "no"),
    CloseCode.MESSAGE_TOO_BIG: Meaning("A message of more than 16 KiB.", "no"),
    CloseCode.SERVICE_RESTART: Meaning("The gateway is being replaced; another one takes over.", "yes", 1.0),
    CloseCode.TRY_AGAIN_LATER: Meaning("The service cannot reach its store just now.", "yes", 2.0),
    CloseCode.PROTOCOL_ABUSE: Meaning("More than ten bad messages within a minute.", "yes", 30.0),
    CloseCode.UNAUTHORIZED: Meaning(
        "No token, or one that is expired, unsigned, not for this service, or from before the player signed out.", "new token"
    ),
    CloseCode.FORBIDDEN: Meaning("The token is for another player, or lacks the scope `player`.", "no"),
    CloseCode.SUBPROTOCOL_REQUIRED: Meaning("The client did not offer the subprotocol `gsm.v1`.", "no"),
    CloseCode.HEARTBEAT_TIMEOUT: Meaning("Two heartbeats were missed.", "yes"),
    CloseCode.REPLACED: Meaning("The same player connected again; the newer connection is the live one.", "no"),
    CloseCode.SIGNED_OUT: Meaning("The player signed out; tokens from before count no more.", "no"),
    CloseCode.BANNED: Meaning("The player is banned.", "no"),
    CloseCode.SLOW_CONSUMER: Meaning(
        "The client reads more slowly than its messages come (64 messages or 256 KiB unsent, or 5 s without progress).", "yes"
    ),
    CloseCode.RATE_LIMITED: Meaning("The client went on sending although it was told by `rate_limited` to wait.", "yes", 30.0),
}
