"""The Quart app: blueprints, error answers, the API's description."""

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import swagger_ui_bundle
from quart import Blueprint, Quart, Response, abort
from quart_schema import Info, QuartSchema
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from matchmaking import __version__
from matchmaking.store.errors import StoreError, StoreUnavailableError

from . import explain_api, http, people, sdk, session_api, websocket
from .errors import InvalidRequestError, KeysUnavailableError, RefusedError, RefusedRequestError, ShutOutError, SignInError
from .lean_websocket import LeanWebsocket
from .services import Services

LARGEST_BODY = 64 * 1024  # bytes of an HTTP request
ASSETS = "/docs/assets"
ASSET_TYPES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}


def create_app(services: Services, blueprints: Sequence[Blueprint] = ()) -> Quart:
    """The gateway's app around its parts; `blueprints` are added to it."""
    app = Quart("matchmaking.gateway", static_folder=None)
    app.asgi_websocket_class = LeanWebsocket
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["QUART_SCHEMA_CONVERSION_PREFERENCE"] = "msgspec"
    app.config["QUART_SCHEMA_SWAGGER_JS_URL"] = f"{ASSETS}/swagger-ui-bundle.js"
    app.config["QUART_SCHEMA_SWAGGER_CSS_URL"] = f"{ASSETS}/swagger-ui.css"
    app.extensions["services"] = services
    app.extensions["doorway"] = services.doorway
    app.extensions["socket_handler"] = partial(websocket.handle, services)
    info = Info(
        "Game Session Manager",
        __version__,
        description="Matchmaking and live game sessions. Players connect by WebSocket at `/ws/{player_id}`.",
    )
    QuartSchema(app, info=info, redoc_ui_path=None, scalar_ui_path=None)
    for blueprint in (http.blueprint, people.blueprint, session_api.blueprint, explain_api.blueprint, sdk.blueprint, *blueprints):
        app.register_blueprint(blueprint)
    _answer_errors(app)
    http.limit_requests(app)

    @app.get(f"{ASSETS}/<name>")
    async def assets(name: str) -> Response:
        if name not in ASSET_TYPES:
            abort(404)
        return Response(_asset(name), content_type=ASSET_TYPES[name])

    return app


@cache
def _asset(name: str) -> bytes:
    """Read whole: the framework's own file responses leave the file open when the client goes before its end."""
    return (Path(swagger_ui_bundle.swagger_ui_path) / name).read_bytes()


def _answer_errors(app: Quart) -> None:
    @app.errorhandler(SignInError)
    async def not_signed_in(error: SignInError) -> Response:
        status, code = (403, "forbidden") if error.forbidden else (401, "unauthorized")
        return http.error_response(status, code, str(error))

    @app.errorhandler(ShutOutError)
    async def shut_out(error: ShutOutError) -> Response:
        return http.error_response(*((403, "banned") if error.why == "banned" else (401, "unauthorized")), str(error))

    @app.errorhandler(KeysUnavailableError)
    async def no_keys(error: KeysUnavailableError) -> Response:
        return http.error_response(503, "unavailable", str(error), 5.0)

    @app.errorhandler(RefusedError)
    async def over_the_limit(error: RefusedError) -> Response:
        return http.error_response(429, error.code, str(error), error.retry_after)

    @app.errorhandler(InvalidRequestError)
    async def invalid(error: InvalidRequestError) -> Response:
        return http.error_response(400, "invalid_request", str(error))

    @app.errorhandler(RefusedRequestError)
    async def not_done(error: RefusedRequestError) -> Response:
        return http.error_response(error.status, error.code, str(error))

    @app.errorhandler(StoreError)
    async def no_store(error: StoreError) -> Response:
        if not isinstance(error, StoreUnavailableError):
            raise error
        return http.error_response(503, "unavailable", "the service cannot reach its store; try again", 2.0)

    @app.errorhandler(RequestEntityTooLarge)
    async def too_large(_: RequestEntityTooLarge) -> Response:
        return http.error_response(413, "body_too_large", f"a request's body has at most {LARGEST_BODY} bytes")

    @app.errorhandler(HTTPException)
    async def refused(error: HTTPException) -> Response:
        return http.error_response(error.code or 500, (error.name or "error").lower().replace(" ", "_"), error.description or "")
