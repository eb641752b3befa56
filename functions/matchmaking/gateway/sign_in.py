"""Who is it? Tokens are checked with fixed algorithms and the issuer's keys (`signing_keys.py`); browsers exchange theirs for a single-use ticket.

A browser cannot send headers with a WebSocket, and a token in a URL ends up in logs. So it exchanges the token, over HTTP, for a ticket that works once within
`TICKET_SECONDS`, and offers it as a second subprotocol. The store knows only the ticket's hash.
"""

import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any

import jwt
import msgspec

from matchmaking.protocol.identifiers import valid_player_id
from matchmaking.store.interface import SIGN_OUT_SECONDS, Store

from .errors import ConfigurationError, SignInError
from .known_tokens import KnownTokens
from .signing_keys import SigningKeys

LEEWAY = 5  # s; clocks differ
LONGEST_TOKEN = 8192  # bytes; longer ones are not looked at
TICKET_SECONDS = 30
_encoder = msgspec.json.Encoder()
_ticket_decoder = msgspec.json.Decoder(tuple[str, int])
SCOPES = ("player", "server", "admin")


class Identity(msgspec.Struct, frozen=True):
    """A verified token: whose, what it allows, and when it was issued."""

    subject: str
    scopes: frozenset[str]
    issued_ms: int = 0


class Verifier:
    """Checks tokens of one issuer: its keys, each with the one algorithm that it is for."""

    def __init__(self, keys: SigningKeys, issuer: str, audience: str) -> None:
        if not issuer:
            raise ConfigurationError("set MATCHMAKING_ISSUER to the `iss` of the tokens to accept")
        self._keys, self._issuer, self._audience = keys, issuer, audience
        self._known: KnownTokens[Identity] = KnownTokens()

    async def verify(self, token: str) -> Identity:
        """Check a token.

        Raises:
            SignInError: it is not one of ours, or not valid now; the message says which, never repeating the token.
            KeysUnavailableError: there are no keys to check it with.
        """
        if len(token) > LONGEST_TOKEN:
            raise SignInError("the token is too long")
        known = self._known.find(token, self._keys.generation, time.time())
        if known is not None:
            return known
        try:
            key = await self._keys.find(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                raise SignInError("the token's `kid` names none of the configured keys")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
            issued = _issued(claims)
        except jwt.ExpiredSignatureError as error:
            raise SignInError("the token has expired") from error
        except jwt.PyJWTError as error:
            raise SignInError(f"the token is not valid: {type(error).__name__}") from error
        except (ValueError, TypeError, ArithmeticError, AttributeError, RecursionError) as error:
            raise SignInError("the token is malformed") from error
        subject, scope = claims["sub"], claims.get("scope", "player")
        if not valid_player_id(subject):
            raise SignInError("the token's `sub` is no player id: 1 to 64 of letters, digits and _.@|+=~:-")
        if time.time() - issued > SIGN_OUT_SECONDS:
            raise SignInError("the token was issued more than 30 days ago; get a new one")
        identity = Identity(subject, frozenset(scope.split()) if isinstance(scope, str) else frozenset(), int(issued * 1000))
        if "iat" in claims:  # else the next check may find a later moment of issue
            self._known.note(token, self._keys.generation, identity, min(int(claims["exp"]) + LEEWAY, issued + SIGN_OUT_SECONDS))
        return identity


def _issued(claims: Mapping[str, Any]) -> float:
    """When a token was issued; if it does not say, the earliest moment that its end allows, so that a sign-out since then catches it."""
    return float(claims["iat"] if "iat" in claims else min(time.time(), claims["exp"] - SIGN_OUT_SECONDS))


def bearer(header: str | None) -> str:
    """The token of an `Authorization` header.

    Raises:
        SignInError: there is none.
    """
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise SignInError("sign in with the header `Authorization: Bearer <token>`")
    return token.strip()


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()


async def make_ticket(store: Store, identity: Identity) -> str:
    """A single-use sign-in ticket for a player."""
    ticket = secrets.token_urlsafe(24)
    await store.put_sign_in_ticket(_digest(ticket), _encoder.encode((identity.subject, identity.issued_ms)), TICKET_SECONDS)
    return ticket


async def redeem_ticket(store: Store, ticket: str) -> Identity:
    """The player whom a ticket stands for; it works once.

    Raises:
        SignInError: it was used before, is too old, or never existed.
    """
    found = await store.take_sign_in_ticket(_digest(ticket)) if 0 < len(ticket) <= 100 else None
    if found is None:
        raise SignInError("the sign-in ticket was used before or is older than 30 seconds; ask for another one")
    player, issued_ms = _ticket_decoder.decode(found)
    return Identity(player, frozenset({"player"}), issued_ms)
