"""The HTTP API around people: signing out, bans, announcements."""

import time
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, request
from quart_schema import document_headers, document_request, tag, validate_response

from matchmaking.protocol.events import ANNOUNCEMENT, rfc3339
from matchmaking.protocol.identifiers import valid_player_id
from matchmaking.store import keys
from matchmaking.store.joining import leave

from .errors import InvalidRequestError
from .http import Authorization, ErrorBody, read_json, services, signed_in

blueprint = Blueprint("people", __name__)
PLAYERS = "/api/v1/players"


class Ban(Struct, frozen=True):
    """How long and why.

    Attributes:
        seconds: null for good.
        reason: the player is told.
    """

    seconds: Annotated[float, Meta(gt=0, le=3e9)] | None = None
    reason: Annotated[str, Meta(max_length=200)] = ""


class Announcement(Struct, frozen=True):
    """News for everybody who is connected."""

    message: Annotated[str, Meta(min_length=1, max_length=2000)]
    level: Annotated[str, Meta(pattern="^(info|warning|critical)$")] = "info"


class Done(Struct):
    """What was done: `signed_out`, `banned`, `unbanned`, `not_banned` or `announced`."""

    status: str


_ban_decoder = msgspec.json.Decoder(Ban)
_announcement_decoder = msgspec.json.Decoder(Announcement)


@blueprint.post("/api/v1/sign-out")
@tag(["sign-in"])
@document_headers(Authorization)
@validate_response(Done)
@validate_response(ErrorBody, 401)
async def sign_out() -> Done:
    """Sign out everywhere: live sockets close, tokens issued until now and the session's resume token count no more, and a waiting ticket is given up."""
    identity = await signed_in()
    await _give_up(identity.subject, await services().store.sign_out(identity.subject), "signed_out")
    return Done("signed_out")


@blueprint.post(f"{PLAYERS}/<player_id>/ban")
@tag(["administration"])
@document_headers(Authorization)
@document_request(Ban)
@validate_response(Done)
@validate_response(ErrorBody, 400)
@validate_response(ErrorBody, 401)
@validate_response(ErrorBody, 403)
async def ban(player_id: str) -> Done:
    """Keep a player out, for a time or for good (scope `admin`): live sockets close, a waiting ticket is given up, sign-in is refused until the ban ends."""
    await signed_in("admin")
    body = await request.get_data()
    wish = read_json(body, _ban_decoder) if body.strip() else Ban()
    player = _player(player_id)
    await _give_up(player, await services().store.ban(player, wish.seconds, wish.reason), "banned")
    return Done("banned")


@blueprint.delete(f"{PLAYERS}/<player_id>/ban")
@tag(["administration"])
@document_headers(Authorization)
@validate_response(Done)
@validate_response(ErrorBody, 400)
@validate_response(ErrorBody, 401)
@validate_response(ErrorBody, 403)
async def unban(player_id: str) -> Done:
    """End a ban (scope `admin`)."""
    await signed_in("admin")
    return Done("unbanned" if await services().store.unban(_player(player_id)) else "not_banned")


@blueprint.post("/api/v1/announcements")
@tag(["administration"])
@document_headers(Authorization)
@document_request(Announcement)
@validate_response(Done)
@validate_response(ErrorBody, 400)
@validate_response(ErrorBody, 401)
@validate_response(ErrorBody, 403)
async def announce() -> Done:
    """Tell everybody who is connected, on all gateways (scope `admin`)."""
    await signed_in("admin")
    news = read_json(await request.get_data(), _announcement_decoder)
    await services().store.publish(keys.ANNOUNCEMENTS_CHANNEL, ANNOUNCEMENT, msgspec.json.encode(news), rfc3339(time.time()))
    return Done("announced")


def _player(player_id: str) -> str:
    if not valid_player_id(player_id):
        raise InvalidRequestError("the path names no player id: 1 to 64 of letters, digits and _.@|+=~:-")
    return player_id


async def _give_up(player: str, generation: int, reason: str) -> None:
    await leave(services().store, player, generation, "", rfc3339(time.time()), reason)
