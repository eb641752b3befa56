"""Explains a ticket: where it stands, how wide its windows are, why it still waits, and what has happened to it."""

import time

import msgspec
from msgspec import Struct
from quart import Blueprint, request
from quart_schema import document_headers, tag, validate_response

from matchmaking.protocol.events import rfc3339
from matchmaking.protocol.identifiers import valid_player_id
from matchmaking.protocol.messages import Why
from matchmaking.store.interface import Store
from matchmaking.store.session_values import Noted

from .errors import InvalidRequestError, RefusedRequestError, SignInError
from .http import Authorization, ErrorBody, services, signed_in

blueprint = Blueprint("explain", __name__)
_why = msgspec.json.Decoder(Why)


class Happened(Struct, frozen=True):
    """One thing that happened to a ticket of the player's; `detail` is the queue, the ticket before, the match, or the reason."""

    at: str
    ticket_id: str
    what: str
    detail: str


class TicketExplained(Struct, frozen=True):
    """A ticket.

    Attributes:
        state: `waiting`, `matched` (or in the session of its match), `ended`, or `joining` (its queue does not know it yet).
        position, waiting: in its queue, while it waits; from 1.
        waited, estimated_wait: seconds.
        reason: why it waits still, with its windows, once a matcher has looked at it.
        session_id: the match that its player is held by.
        history: what happened to the player's latest tickets, oldest first.
    """

    ticket_id: str
    player: str
    state: str
    pool: str = ""
    region: str = ""
    mode: str = ""
    position: int = 0
    waiting: int = 0
    waited: float | None = None
    estimated_wait: float | None = None
    reason: Why | None = None
    session_id: str = ""
    history: list[Happened] = []


@blueprint.get("/api/v1/matchmaking/tickets/<ticket_id>")
@tag(["matchmaking"])
@document_headers(Authorization)
@validate_response(TicketExplained)
@validate_response(ErrorBody, 401)
@validate_response(ErrorBody, 403)
@validate_response(ErrorBody, 404)
async def explain_ticket(ticket_id: str) -> TicketExplained:
    """A ticket of the asker's; operators name the player: `?player=<id>`."""
    asker = await signed_in("player", "admin")
    player = request.args.get("player", asker.subject)
    if player != asker.subject and "admin" not in asker.scopes:
        raise SignInError("that is another player's", forbidden=True)
    return await explain(services().store, player, ticket_id)


@blueprint.get("/api/v1/players/<player_id>/ticket")
@tag(["matchmaking"])
@document_headers(Authorization)
@validate_response(TicketExplained)
@validate_response(ErrorBody, 401)
@validate_response(ErrorBody, 403)
@validate_response(ErrorBody, 404)
async def explain_player(player_id: str) -> TicketExplained:
    """A player's latest ticket: for the player and operators."""
    asker = await signed_in("player", "admin")
    if player_id != asker.subject and "admin" not in asker.scopes:
        raise SignInError("that is another player's", forbidden=True)
    return await explain(services().store, player_id)


async def explain(store: Store, player: str, ticket_id: str | None = None) -> TicketExplained:
    """All that is known of a player's ticket (None: the latest).

    Raises:
        RefusedRequestError: the player has had no such ticket lately.
    """
    if not valid_player_id(player):
        raise InvalidRequestError("a player id has 1 to 64 of letters, digits and _.@|+=~:-")
    found = await store.ticket_state(player)
    history = [Happened(rfc3339(noted.at), noted.ticket, noted.what, noted.detail) for noted in found.history]
    latest = found.held.ticket if found.held else next((noted.ticket for noted in reversed(found.history)), "")
    ticket = latest if ticket_id is None else ticket_id
    own = [noted for noted in found.history if noted.ticket == ticket]
    if not ticket or not (own or (found.held and found.held.ticket == ticket)):
        raise RefusedRequestError(404, "unknown_ticket", "the player has had no such ticket lately")
    if found.held is None or found.held.ticket != ticket:
        return TicketExplained(ticket, player, _ended(own), session_id=found.session, history=history)
    place = found.held
    standings = await store.positions(place.pool, place.region, place.mode, [ticket])
    (standing,) = standings.tickets
    if not standing.position:
        return TicketExplained(ticket, player, "joining", place.pool, place.region, place.mode, history=history)
    fate = await store.look(place, player)
    waited = round(max(0.0, time.time() - float(fate.detail) / 1000), 1) if fate.status == "waiting" else None
    estimate = None if standings.mean_wait is None or waited is None else round(max(0.0, standings.mean_wait - waited), 1)
    reason = _why.decode(standing.reason) if standing.reason else None
    return TicketExplained(
        ticket,
        player,
        "waiting",
        place.pool,
        place.region,
        place.mode,
        standing.position,
        standings.length,
        waited,
        estimate,
        reason,
        "",
        history,
    )


def _ended(own: list[Noted]) -> str:
    return "matched" if any(noted.what == "matched" for noted in own) else "ended"
