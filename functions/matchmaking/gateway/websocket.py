"""`/ws/{player_id}`: sign-in, then the socket belongs to its session."""

import asyncio
import logging

from quart import Blueprint, Websocket, current_app, websocket

from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.connection import Connection
from matchmaking.protocol.messages import ErrorData, encode
from matchmaking.protocol.opening import SUBPROTOCOL, Offer, parse_offer
from matchmaking.store.errors import StoreError
from matchmaking.telemetry.logs import happened

from .arrival import arrive
from .errors import ShutOutError, SignInError
from .hub import Hub
from .services import Services
from .session import Session
from .sign_in import Identity, bearer, redeem_ticket
from .websocket_server import DisconnectedError

blueprint = Blueprint("websocket", __name__)
_log = logging.getLogger(__name__)


@blueprint.websocket("/ws/<player_id>")
async def connect(player_id: str) -> None:
    """One player's connection, from sign-in to its end."""
    services: Services = current_app.extensions["services"]
    socket: Websocket = websocket._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - the proxy costs a look-up for each message
    offer = parse_offer(socket.requested_subprotocols)
    await socket.accept(subprotocol=SUBPROTOCOL if offer.speaks else None)
    if not offer.speaks:
        await _refuse(services, socket, CloseCode.SUBPROTOCOL_REQUIRED, f"offer the subprotocol `{SUBPROTOCOL}`")
        return
    try:
        _check_origin(services, socket)
        identity = await _identify(services, socket, offer)
        if identity.subject != player_id:
            raise SignInError("the token is another player's", forbidden=True)
        if "player" not in identity.scopes:
            raise SignInError("the token lacks the scope `player`", forbidden=True)
        if services.hub.draining:
            await _refuse(services, socket, CloseCode.SERVICE_RESTART, "this gateway is going away; connect again")
            return
        hub = services.hub

        def make(connection: Connection) -> Session:
            return Session(hub, connection, socket.send, socket.close, identity.issued_ms)

        session = await arrive(hub, identity, offer.resume, make)
    except ShutOutError as error:
        code = CloseCode.BANNED if error.why == "banned" else CloseCode.UNAUTHORIZED
        await _refuse(services, socket, code, str(error))
        return
    except SignInError as error:
        await _refuse(services, socket, CloseCode.FORBIDDEN if error.forbidden else CloseCode.UNAUTHORIZED, str(error))
        return
    except StoreError as error:
        happened(_log, "connection refused", level=logging.WARNING, error=str(error))
        await _refuse(services, socket, CloseCode.TRY_AGAIN_LATER, "the service cannot reach its store; connect again")
        return
    await _serve(services.hub, socket, session)


async def _serve(hub: Hub, socket: Websocket, session: Session) -> None:
    receive = socket._receive  # noqa: SLF001 - `receive` asks each time whether the socket is accepted
    try:
        while True:
            session.receive(await receive())
    except DisconnectedError:
        pass
    except asyncio.CancelledError:
        if not session.connection.closing:
            raise  # the server is going down; else: the client did not answer our close
    finally:
        await asyncio.shield(hub.disconnect(session))


def _check_origin(services: Services, socket: Websocket) -> None:
    """Browsers name the page that opens the socket: another site's page must not act for its visitors."""
    origin = socket.headers.get("Origin")
    if origin is None or origin in services.settings.allowed_origins:
        return
    if origin.partition("://")[2] != socket.headers.get("Host"):
        raise SignInError("this origin may not connect; it is not among MATCHMAKING_ALLOWED_ORIGINS", forbidden=True)


async def _identify(services: Services, socket: Websocket, offer: Offer) -> Identity:
    if offer.ticket is not None:
        return await redeem_ticket(services.store, offer.ticket)
    return services.verifier.verify(bearer(socket.headers.get("Authorization")))


async def _refuse(services: Services, socket: Websocket, code: CloseCode, message: str) -> None:
    services.metrics.closed.labels(str(int(code))).inc()
    await socket.send(encode(ErrorData(code.name.lower(), message)))
    await socket.close(int(code), code.name.lower())
