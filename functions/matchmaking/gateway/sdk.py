"""The JavaScript client, served where it connects to: `import { GameSession } from "https://…/sdk/gsm.js"`, from pages of any origin.

The module is public; who may connect with it is the WebSocket's own Origin check.
"""

from functools import cache
from importlib.resources import files

from quart import Blueprint, Response, abort
from quart_schema import hide

TYPES = {"gsm.js": "text/javascript", "gsm.d.ts": "text/plain"}  # type declarations have no media type of their own

blueprint = Blueprint("sdk", __name__)


@blueprint.get("/sdk/<name>")
@hide
async def module(name: str) -> Response:
    """The module, or its types."""
    if name not in TYPES:
        abort(404)
    response = Response(_read(name), content_type=f"{TYPES[name]}; charset=utf-8")
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-cache"  # a page must not run against a newer gateway with last year's client
    return response


@cache
def _read(name: str) -> bytes:
    return (files("matchmaking") / "client" / "js" / name).read_bytes()
