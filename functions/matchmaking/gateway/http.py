"""The HTTP API: sign-in tickets, preferences, statistics, health. Described as OpenAPI at `/openapi.json`, with a page at `/docs`."""

import time
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Quart, Response, current_app, jsonify, request
from quart_schema import document_headers, document_querystring, document_request, tag, validate_response

from matchmaking.protocol.events import rfc3339
from matchmaking.protocol.strict_json import check
from matchmaking.store.errors import StoreError

from .errors import InvalidRequestError, RefusedError, RefusedRequestError, ShutOutError, SignInError
from .services import Services
from .sign_in import TICKET_SECONDS, Identity, bearer, make_ticket
from .statistics import WINDOWS, PoolWindow, Statistics
from .tickets import Preferences, preferences_decoder, read_preferences

blueprint = Blueprint("http", __name__)
T = TypeVar("T")
MATCHMAKING = "/api/v1/matchmaking"


class Authorization(Struct):
    """The header that says who asks."""

    authorization: Annotated[str, Meta(description="`Bearer <token>`")] | None = None


class SignInTicket(Struct):
    """A single-use ticket: offer the subprotocols `gsm.v1` and `ticket.<ticket>` at `/ws/{player_id}`."""

    ticket: str
    expires_in: int


class ApiError(Struct):
    """What went wrong, and what to do."""

    code: str
    message: str


class ErrorBody(Struct):
    """The body of every answer that is no success."""

    error: ApiError


class Window(Struct):
    """Which window to look at: `hour` or `day`."""

    window: str = "hour"


class Health(Struct):
    """Whether this gateway lives, or takes connections."""

    status: str
    reason: str = ""


def services() -> Services:
    """The app's parts."""
    found: Services = current_app.extensions["services"]
    return found


async def signed_in(*scopes: str) -> Identity:
    """Who asks, with one of these scopes (none named: `player`).

    Raises:
        SignInError: nobody who may.
        ShutOutError: the player is banned, or has signed out since the token was issued.
        RefusedError: one who asks too much.
    """
    parts, wanted = services(), scopes or ("player",)
    identity = await parts.verifier.verify(bearer(request.headers.get("Authorization")))
    if not identity.scopes.intersection(wanted):
        raise SignInError(f"the token lacks the scope {' or '.join(f'`{scope}`' for scope in wanted)}", forbidden=True)
    if not identity.scopes & {"server", "admin"}:  # a fleet of game servers reports under one name; its address is counted all the same
        _refuse_over(parts.hub.limits.player.admit(identity.subject, time.time()))
    access = await parts.store.access(identity.subject, identity.issued_ms)
    if access.status != "granted":
        raise ShutOutError(access.status, access.detail)
    return identity


def _refuse_over(wait: float) -> None:
    if wait:
        raise RefusedError("rate_limited", f"too many requests; wait {wait:.2g} s", wait)


def limit_requests(app: Quart) -> None:
    """Count every request for its address; health checks are not counted."""

    @app.before_request
    async def count() -> None:
        if request.path not in ("/healthz", "/readyz"):
            headers = {name.lower(): value for name, value in request.headers.items()}
            address = services().proxies.client((request.scope["client"] or ("",))[0], headers)
            _refuse_over(services().hub.limits.request(address, time.time()))


def read_json(body: str | bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode a body.

    Raises:
        InvalidRequestError: it is not what it should be; the framework's own JSON answers 500 to deep nesting and to broken UTF-8.
    """
    try:
        check(body.decode() if isinstance(body, bytes) else body)
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidRequestError(str(error)[:300]) from error


@blueprint.post("/api/v1/sign-in/ticket")
@tag(["sign-in"])
@document_headers(Authorization)
@validate_response(SignInTicket)
@validate_response(ErrorBody, 401)
async def sign_in_ticket() -> SignInTicket:
    """Exchange a token for a single-use WebSocket ticket (for browsers, which cannot send headers with a WebSocket)."""
    return SignInTicket(await make_ticket(services().store, await signed_in()), TICKET_SECONDS)


@blueprint.get(f"{MATCHMAKING}/preferences")
@tag(["matchmaking"])
@document_headers(Authorization)
@validate_response(Preferences)
@validate_response(ErrorBody, 401)
async def get_preferences() -> Preferences:
    """The player's preferences: what `queue_join` falls back on."""
    return await read_preferences(services().store, (await signed_in()).subject)


@blueprint.post(f"{MATCHMAKING}/preferences")
@tag(["matchmaking"])
@document_headers(Authorization)
@document_request(Preferences)
@validate_response(Preferences)
@validate_response(ErrorBody, 400)
@validate_response(ErrorBody, 401)
async def post_preferences() -> Preferences:
    """Replace the player's preferences."""
    identity = await signed_in()
    preferences = read_json(await request.get_data(), preferences_decoder)
    await services().store.put_preferences(identity.subject, msgspec.json.encode(preferences))
    return preferences


@blueprint.get(f"{MATCHMAKING}/statistics")
@tag(["matchmaking"])
@validate_response(Statistics)
async def statistics() -> Statistics:
    """How every queue stands; at most a second old."""
    return await services().statistics.read()


@blueprint.get(f"{MATCHMAKING}/statistics/<pool>")
@tag(["matchmaking"])
@document_querystring(Window)
@validate_response(PoolWindow)
@validate_response(ErrorBody, 400)
@validate_response(ErrorBody, 404)
async def pool_statistics(pool: str) -> PoolWindow:
    """How a pool's queues did in the last hour or day: waits with percentiles, and the distribution of matches; at most a second old."""
    rules = services().pools.get(pool)
    if rules is None:
        raise RefusedRequestError(404, "unknown_pool", f"there is no pool `{pool[:80]}`")
    window = request.args.get("window", "hour")
    if window not in WINDOWS:
        raise InvalidRequestError(f"there is no window `{window[:80]}`; there are {', '.join(WINDOWS)}")
    return await services().statistics.window(pool, rules, window)


@blueprint.get("/healthz")
@tag(["health"])
@validate_response(Health)
async def healthz() -> Health:
    """The process lives."""
    return Health("ok")


@blueprint.get("/readyz")
@tag(["health"])
@validate_response(Health)
@validate_response(Health, 503)
async def readyz() -> tuple[Health, int]:
    """The gateway takes connections: it is not draining, and its store answers."""
    if services().hub.draining:
        return Health("draining", "this gateway is going away"), 503
    try:
        await services().store.ping()
    except StoreError as error:
        return Health("unavailable", str(error)), 503
    if not services().hub.bus.healthy:
        return Health("unavailable", "no canary has come through Redis' publish and subscribe lately"), 503
    return Health("ok"), 200


def error_response(status: int, code: str, message: str, retry_after: float | None = None) -> Response:
    """An `ErrorBody`."""
    response = jsonify({"error": {"code": code, "message": message}, "timestamp": rfc3339(time.time())})
    response.status_code = status
    if retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(retry_after)))
    return response
