"""The HTTP API of sessions: for game servers (scope `server`), for operators (scope `admin`), and for players about themselves."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from quart import Blueprint
from quart_schema import document_headers, document_request, document_response, tag, validate_response

from matchmaking.core.distribution import distribution
from matchmaking.core.session_events import CalledOff, Cancel, Event, Fill, Gone, Returned, StopFilling
from matchmaking.protocol.identifiers import valid_player_id

from .errors import InvalidRequestError, RefusedRequestError, SignInError
from .http import Authorization, ErrorBody, services, signed_in
from .session_bodies import (
    BackfillRequest,
    ResultReport,
    SessionInfo,
    SessionPlayer,
    StateAccepted,
    StateReport,
    backfill_request,
    result_report,
    state_report,
)
from .session_reports import REFUSALS, happen, report_result
from .session_view import state_of
from .sign_in import Identity

blueprint = Blueprint("sessions", __name__)
SESSION = "/api/v1/sessions/<session_id>"


class PlayerMatches(Struct, frozen=True):
    """A player's latest matches, newest first."""

    player: str
    matches: list[dict[str, Any]]


class PlayerProfile(Struct, frozen=True):
    """A player's ratings by `pool:mode` (mu, sigma), and counts."""

    player: str
    ratings: dict[str, dict[str, float]]
    counts: dict[str, int]


class QueueDistribution(Struct, frozen=True):
    """Counts of one queue's matches (of their tickets, for `wait`) by the upper bound of what was measured: 0 to 1, rating points, seconds."""

    region: str
    mode: str
    quality: dict[str, int]
    gap: dict[str, int]
    wait: dict[str, int]


class Distribution(Struct, frozen=True):
    """How a pool's matches turned out since its statistics began."""

    pool: str
    queues: list[QueueDistribution]


_record = msgspec.json.Decoder(dict[str, Any])


def documented(*statuses: int) -> Callable[[Any], Any]:
    """What all these routes have in common."""

    def document(handler: Any) -> Any:
        for status in (400, 401, 403, 404, 409, *statuses):
            handler = document_response(ErrorBody, status)(handler)  # documented only: each validation costs every request
        return tag(["sessions"])(document_headers(Authorization)(handler))

    return document


async def info(session_id: str, asker: Identity | None = None) -> SessionInfo:
    """A session; its players may ask for it, servers and operators for any."""
    read = await services().store.session_read(checked_id(session_id))
    session = read.session
    if session is None:
        raise RefusedRequestError(*REFUSALS["unknown"])
    if asker is not None and not asker.scopes & {"server", "admin"} and session.seat(asker.subject) is None:
        raise SignInError("you are not in that session", forbidden=True)
    players = [SessionPlayer(seat.player, seat.team, seat.accepted, bool(seat.away), seat.left) for seat in session.seats]
    reason = session.reason.split(" ", 1)[0]
    return SessionInfo(
        session.id, session.pool, session.region, session.mode, session.status, state_of(read), players, reason, bool(session.filling)
    )


async def after(session_id: str, event: Event) -> SessionInfo:
    """A session after something has happened to it."""
    await happen(services().store, checked_id(session_id), event)
    return await info(session_id)


def checked_id(session_id: str) -> str:
    """A session's id that may get into a key."""
    if not 0 < len(session_id) <= 64 or not all(c.isascii() and (c.isalnum() or c == "-") for c in session_id):
        raise RefusedRequestError(*REFUSALS["unknown"])
    return session_id


@blueprint.get(SESSION)
@documented()
@validate_response(SessionInfo)
async def get_session(session_id: str) -> SessionInfo:
    """A session as it stands: for a client that comes back, for its server, for operators."""
    return await info(session_id, await signed_in("player", "server", "admin"))


@blueprint.delete(SESSION)
@documented()
@validate_response(SessionInfo)
async def cancel_session(session_id: str) -> SessionInfo:
    """Cancel a session; its players are told and free. Scope `server` or `admin`."""
    await signed_in("server", "admin")
    return await after(session_id, Cancel())


@blueprint.post(f"{SESSION}/state")
@documented(413)
@document_request(StateReport)
@validate_response(StateAccepted)
async def post_state(session_id: str) -> StateAccepted:
    """Report a session's state: its players get it as `game_state_update`. Scope `server`. Over 16 KiB: 413 `state_too_large`."""
    await signed_in("server")
    report = await state_report()
    version = await services().states.report(checked_id(session_id), report.state, replace=report.replace, version=report.version)
    return StateAccepted(session_id, version)


@blueprint.post(f"{SESSION}/players/<player_id>/disconnected")
@documented()
@validate_response(SessionInfo)
async def player_disconnected(session_id: str, player_id: str) -> SessionInfo:
    """A player has lost the server: after the pool's `session.reconnectGrace` the player has left. Scope `server`."""
    await signed_in("server")
    return await after(session_id, Gone(player_id))


@blueprint.post(f"{SESSION}/players/<player_id>/reconnected")
@documented()
@validate_response(SessionInfo)
async def player_reconnected(session_id: str, player_id: str) -> SessionInfo:
    """A player is there again. Scope `server`."""
    await signed_in("server")
    return await after(session_id, Returned(player_id))


@blueprint.post(f"{SESSION}/result")
@documented(413)
@document_request(ResultReport)
@validate_response(SessionInfo)
async def post_result(session_id: str) -> SessionInfo:
    """Report how the match ended; repeating it does nothing, contradicting it is refused. Scope `server`. Over 64 KiB: 413 `body_too_large`."""
    await signed_in("server")
    report = await result_report()
    if report.called_off:
        return await after(session_id, CalledOff())
    await report_result(services().store, checked_id(session_id), report.winner, report.ranks, report.abandoned)
    return await info(session_id)


@blueprint.post(f"{SESSION}/backfill")
@documented(413)
@document_request(BackfillRequest)
@validate_response(SessionInfo)
async def post_backfill(session_id: str) -> SessionInfo:
    """Ask for players in the places that are free, or for none any more. Scope `server`. Over 64 KiB: 413 `body_too_large`."""
    await signed_in("server")
    return await after(session_id, Fill() if (await backfill_request()).wanted else StopFilling())


@blueprint.get("/api/v1/matchmaking/distribution/<pool>")
@tag(["matchmaking"])
@validate_response(Distribution)
@validate_response(ErrorBody, 404)
async def get_distribution(pool: str) -> Distribution:
    """How a pool's matches are distributed by quality, rating gap and wait, in each of its queues."""
    rules = services().pools.get(pool)
    if rules is None:
        raise RefusedRequestError(404, "unknown_pool", f"there is no pool `{pool[:80]}`")
    queues = [(region.name, mode) for region in rules.regions for mode in rules.modes]
    counted = await asyncio.gather(*(services().store.counters(pool, *queue) for queue in queues))
    spread = [distribution(counts) for counts in counted]
    found = [QueueDistribution(*queue, each["quality"], each["gap"], each["wait"]) for queue, each in zip(queues, spread, strict=True)]
    return Distribution(pool, found)


async def about(player_id: str) -> str:
    """A player of whom the asker may know."""
    asker = await signed_in("player", "server", "admin")
    if not asker.scopes & {"server", "admin"} and asker.subject != player_id:
        raise SignInError("that is another player's", forbidden=True)
    if not valid_player_id(player_id):
        raise InvalidRequestError("a player id has 1 to 64 of letters, digits and _.@|+=~:-")
    return player_id


@blueprint.get("/api/v1/players/<player_id>/matches")
@documented()
@validate_response(PlayerMatches)
async def player_matches(player_id: str) -> PlayerMatches:
    """The latest matches that ended with a result: for the player, servers and operators."""
    records = await services().store.history(await about(player_id))
    return PlayerMatches(player_id, [_record.decode(record) for record in records])


@blueprint.get("/api/v1/players/<player_id>/profile")
@documented()
@validate_response(PlayerProfile)
async def player_profile(player_id: str) -> PlayerProfile:
    """Ratings and counts: for the player, servers and operators."""
    profile = await services().store.profile(await about(player_id))
    ratings = {field: {"mu": mu, "sigma": sigma} for field, (mu, sigma, _) in profile.ratings.items()}
    return PlayerProfile(player_id, ratings, profile.counts)
