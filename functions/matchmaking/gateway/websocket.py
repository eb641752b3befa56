"""`/ws/{player_id}`: sign-in, then the socket belongs to its session."""

import asyncio
import logging
import time

from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.connection import Connection
from matchmaking.protocol.messages import ErrorData, encode
from matchmaking.protocol.opening import SUBPROTOCOL, Offer, parse_offer
from matchmaking.store.errors import StoreError
from matchmaking.telemetry.logs import happened

from .arrival import arrive
from .bounded_stream import text_frame
from .errors import KeysUnavailableError, ShutOutError, SignInError, SubprotocolError
from .lean_websocket import DisconnectedError, Socket
from .services import Services
from .session import HIGH, Session
from .sign_in import Identity, bearer, redeem_ticket

PATH = "/ws/"
REFUSED_GRACE = 1.0  # s for a refused client to answer the close
HASTY = 0.02  # s; a message that follows the last one sooner waits its turn
DRAINING_RETRY = 1.0  # s after which a client that came to a gateway on its way out should try again
_log = logging.getLogger(__name__)


async def handle(services: Services, socket: Socket) -> None:
    """One socket, from its handshake to its end."""
    address = services.proxies.client(socket.peer, socket.headers)
    if not socket.path.startswith(PATH) or "/" in socket.path[len(PATH) :]:
        await socket.deny(404, 60)
        return
    if services.hub.draining:
        await socket.deny(503, DRAINING_RETRY)
        return
    wait = services.hub.limits.request(address, time.time())
    if wait:
        services.metrics.denied.labels("rate").inc()
        await socket.deny(429, wait)
        return
    proxied = address if address != socket.peer else ""
    if not services.doorway.name(proxied):
        services.metrics.denied.labels("unsigned").inc()
        await socket.deny(429, 1.0)
        return
    try:
        session = await _open(services, socket, address)
    finally:
        services.doorway.unname(proxied)
    if session is not None:
        await _serve(services, socket, session)


async def _open(services: Services, socket: Socket, address: str) -> Session | None:
    offer = parse_offer(socket.subprotocols)
    await socket.accept(SUBPROTOCOL if offer.speaks else None)
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs has one
    services.hub.opening.add(task)
    try:
        async with services.hub.signing_in:
            return await _sign_in(services, socket, offer, address)
    except SignInError as error:
        code, why = CloseCode.FORBIDDEN if error.forbidden else CloseCode.UNAUTHORIZED, str(error)
    except ShutOutError as error:
        code, why = CloseCode.BANNED if error.why == "banned" else CloseCode.UNAUTHORIZED, str(error)
    except (StoreError, KeysUnavailableError) as error:
        happened(_log, "connection refused", level=logging.WARNING, error=str(error))
        code, why = CloseCode.TRY_AGAIN_LATER, "the service cannot reach its store or its sign-in keys; connect again"
    except SubprotocolError:
        code, why = CloseCode.SUBPROTOCOL_REQUIRED, f"offer the subprotocol `{SUBPROTOCOL}`"
    except asyncio.CancelledError:
        if not services.hub.draining:
            raise
        code, why = CloseCode.SERVICE_RESTART, "this gateway is going away; connect again"
    finally:
        services.hub.opening.discard(task)
    await _refuse(services, socket, code, why)
    return None


async def _sign_in(services: Services, socket: Socket, offer: Offer, address: str) -> Session:
    if not offer.speaks:
        raise SubprotocolError
    _check_origin(services, socket)
    identity = await _identify(services, socket, offer)
    if identity.subject != socket.path[len(PATH) :]:
        raise SignInError("the token is another player's", forbidden=True)
    if "player" not in identity.scopes:
        raise SignInError("the token lacks the scope `player`", forbidden=True)
    hub = services.hub
    socket.wire.signed_in(HIGH)
    socket.forget_handshake()

    def make(connection: Connection) -> Session:
        return Session(hub, connection, socket, address, identity.issued_ms)

    return await arrive(hub, identity, offer.resume, make)


async def _serve(services: Services, socket: Socket, session: Session) -> None:
    heard = 0.0

    async def hear(frame: str | bytes) -> None:
        nonlocal heard
        now = time.monotonic()
        if now - heard < HASTY:
            await services.hub.hasty.turn()
        heard = now
        session.receive(frame)
        if session.unsent:
            await session.caught_up()

    try:
        socket.wire.listen(hear)
        while True:
            await hear(await socket.receive())
            socket.wire.received()
    except DisconnectedError:
        pass
    finally:
        session.end()
        services.hub.limits.connection.forget(session)
        await asyncio.shield(services.hub.disconnect(session))


def _check_origin(services: Services, socket: Socket) -> None:
    """Browsers name the page that opens the socket: another site's page must not act for its visitors."""
    origin = socket.headers.get("origin")
    if origin is None or origin in services.settings.allowed_origins:
        return
    if origin.partition("://")[2] != socket.headers.get("host"):
        raise SignInError("this origin may not connect; it is not among MATCHMAKING_ALLOWED_ORIGINS", forbidden=True)


async def _identify(services: Services, socket: Socket, offer: Offer) -> Identity:
    if offer.ticket is not None:
        return await redeem_ticket(services.store, offer.ticket)
    return await services.verifier.verify(bearer(socket.headers.get("authorization")))


async def _refuse(services: Services, socket: Socket, code: CloseCode, message: str) -> None:
    services.hub.count_closed(code)
    socket.wire.write(text_frame(encode(ErrorData(code.name.lower(), message))))
    await socket.close(int(code), code.name.lower())
    asyncio.get_running_loop().call_later(REFUSED_GRACE, socket.wire.abort)
