"""Allocation by webhook: the pool's URL is asked for a server.

    POST <url>
    Idempotency-Key: <match id>
    X-Matchmaking-Timestamp: <seconds>
    X-Matchmaking-Signature: sha256=<HMAC-SHA-256 of "<timestamp>.<body>" with the shared secret, hexadecimal>

    {"match_id", "pool", "region", "mode", "attempt", "teams": [{"name", "players": [...]}]}

The answer is 200 with `{"connection": {"address", "port", …}}`, at most 16 KiB, strictly checked. Redirects are not followed, and environment proxies not used:
the request goes where the pool's manifest says, and nowhere else. That may be a private address, because allocators usually have one; who may write
manifests may have the gateways send signed requests inside their network, and network policies bound where to.
"""

import hashlib
import hmac
import time

import httpx
import msgspec
from msgspec import Struct

from matchmaking.core.pool import Allocation as Wish
from matchmaking.core.session import Session

from .allocation import AllocationError, Connection

LARGEST_ANSWER = 16 * 1024  # bytes
AGAIN = frozenset({408, 425, 429})  # of the 4xx, those that another attempt may mend
_json = msgspec.json.Encoder()


class Answer(Struct, frozen=True):
    """What the other side says."""

    connection: Connection


_answer = msgspec.json.Decoder(Answer)


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """The signature header's value."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookAllocator:
    """See `allocation.Allocator`."""

    def __init__(self, client: httpx.AsyncClient, secret: bytes) -> None:
        self._client, self._secret = client, secret

    async def find(self, session: Session, wish: Wish) -> Connection:
        """Ask the pool's URL."""
        if not wish.url or not wish.url.startswith(("http://", "https://")):
            raise AllocationError("`spec.allocation.url` is missing, or neither http:// nor https://", final=True)
        body, now = request_body(session), str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": session.id,
            "X-Matchmaking-Timestamp": now,
            "X-Matchmaking-Signature": sign(self._secret, now, body),
        }
        try:
            async with self._client.stream("POST", wish.url, content=body, headers=headers) as response:
                if response.status_code != 200:
                    final = 300 <= response.status_code < 500 and response.status_code not in AGAIN
                    raise AllocationError(f"the webhook answered {response.status_code}", final=final)
                text = await _bounded(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AllocationError(f"the webhook cannot be reached: {type(error).__name__}") from error
        try:
            return _answer.decode(text).connection
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise AllocationError(f"the webhook's answer is none: {str(error)[:200]}") from error


async def _bounded(response: httpx.Response) -> bytes:
    text = b""
    async for chunk in response.aiter_raw():  # raw: a compressed answer could grow without bounds
        text += chunk
        if len(text) > LARGEST_ANSWER:
            raise AllocationError(f"the webhook's answer is larger than {LARGEST_ANSWER} bytes")
    return text


def request_body(session: Session) -> bytes:
    """What the webhook is told of a match."""
    teams = [{"name": team, "players": [seat.player for seat in session.seats if seat.team == team]} for team in session.teams]
    return _json.encode(
        {
            "match_id": session.id,
            "pool": session.pool,
            "region": session.region,
            "mode": session.mode,
            "attempt": session.attempts,
            "teams": teams,
        }
    )


def open_client() -> httpx.AsyncClient:
    """A client for webhooks: no redirects, no proxies, bounded connections."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
    headers = {"Accept-Encoding": "identity", "User-Agent": "game-session-manager"}
    return httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=5.0, limits=limits, headers=headers)
