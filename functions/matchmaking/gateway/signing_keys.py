"""The public keys that tokens are checked with: a JWKS from a file or a URL.

An identity provider rotates its keys: a token whose key is not known makes us look again, but not more often than every `RETRY` seconds, whatever tokens come. A
URL is also read every `FRESH` seconds, so that a key that was withdrawn counts no more. While it cannot be read, the keys that are known stay good: an outage
at the provider must not lock everybody out who holds a good token.
"""

import asyncio
import logging
import random
import time
from pathlib import Path

import httpx
import jwt

from matchmaking.telemetry.logs import happened

from .errors import ConfigurationError, KeysUnavailableError

ALGORITHMS = ("EdDSA", "ES256", "RS256")
RETRY = 10.0  # s between two looks for an unknown key
FRESH = 600.0  # s
TIMEOUT = 5.0  # s
LARGEST = 256 * 1024  # bytes of a JWKS
_log = logging.getLogger(__name__)


class SigningKeys:
    """Keys by their `kid`.

    Args:
        source: a path, or an `https://` (or `http://`) URL.
        retry: seconds between two looks for an unknown key.

    Attributes:
        generation: another number whenever the keys are others.

    Raises:
        ConfigurationError: the source is a file and cannot be read, or has no key that could be used.
    """

    def __init__(self, source: str, client: httpx.AsyncClient, retry: float = RETRY) -> None:
        self._source, self._client, self._retry = source, client, retry
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._text: str | None = None
        self.generation = 0
        self._looked = -retry
        self._reading = asyncio.Lock()
        if not self._remote:
            try:
                self._take(Path(source).read_text())
            except (OSError, ConfigurationError) as error:
                raise ConfigurationError(f"MATCHMAKING_JWKS_FILE: {error}") from error
            self._looked = time.monotonic()

    @property
    def _remote(self) -> bool:
        return self._source.startswith(("https://", "http://"))

    async def find(self, kid: object) -> jwt.PyJWK | None:
        """The key of that name; looks again if it is not known.

        Raises:
            KeysUnavailableError: no key is known at all.
        """
        if not isinstance(kid, str | None):
            return None
        if kid not in self._keys:
            await self.look()
        if not self._keys:
            raise KeysUnavailableError("no signing keys yet: their source cannot be read")
        return self._keys.get(kid)

    async def look(self, *, at_once: bool = False) -> None:
        """Read the source, unless that was done lately; what goes wrong is logged, and the known keys stay."""
        async with self._reading:
            if not at_once and time.monotonic() - self._looked < self._retry:
                return
            self._looked = time.monotonic()
            try:
                self._take(await self._read())
            except (httpx.HTTPError, OSError, ConfigurationError) as error:
                happened(
                    _log, "signing keys not read", level=logging.WARNING, url=self._source, error=f"{type(error).__name__}: {error}"[:200]
                )

    def _take(self, text: str) -> None:
        if text != self._text:
            self._keys = _usable(text, self._source)
            self._text = text
            self.generation += 1

    async def keep_fresh(self) -> None:
        """Read a URL now and then, for ever."""
        while self._remote:
            await self.look(at_once=True)
            await asyncio.sleep((FRESH if self._keys else self._retry) * random.uniform(0.8, 1.2))

    async def _read(self) -> str:
        if not self._remote:
            return await asyncio.to_thread(Path(self._source).read_text)
        async with self._client.stream("GET", self._source, timeout=TIMEOUT, follow_redirects=False) as response:
            response.raise_for_status()
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) > LARGEST:
                    raise ConfigurationError(f"the JWKS has more than {LARGEST} bytes")
        return body.decode(errors="replace")


def _usable(text: str, source: str) -> dict[str | None, jwt.PyJWK]:
    try:
        keys = {key.key_id: key for key in jwt.PyJWKSet.from_json(text).keys if key.algorithm_name in ALGORITHMS}
    except (ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise ConfigurationError(f"{source} is no JWKS: {error}") from error
    if not keys:
        raise ConfigurationError(f"{source} has no key for {', '.join(ALGORITHMS)}")
    return keys
