"""The demo page at `/`, and sign-in under any name: for this machine's own browser only.

`/dev/token` gives everybody any player's token. So it answers only requests from this machine, addressed to it by a loopback name (another site that points its
own name here gets nothing), and, from browsers, only those of our own page.
"""

import ipaddress
from importlib.resources import files
from importlib.resources.abc import Traversable
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from quart import Blueprint, Response, jsonify, request
from quart_schema import hide

from matchmaking.protocol.identifiers import valid_player_id

from . import keys
from .bots import PREFIX

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_PAGE = files("matchmaking.local") / "page_files"


class SignIn(Struct):
    """Under which name."""

    player: str


_sign_in = msgspec.json.Decoder(SignIn)


def demo_page() -> Blueprint:
    """The page and what it needs."""
    blueprint = Blueprint("demo", __name__)

    @blueprint.get("/")
    @hide
    async def page() -> Response:
        return _file(_PAGE.joinpath("index.html").read_bytes(), ".html")

    @blueprint.get("/demo/<name>")
    @hide
    async def part(name: str) -> Response:
        return _named(_PAGE, name)

    @blueprint.post("/dev/token")
    @hide
    async def token() -> Response:
        refusal = _refusal()
        if refusal:
            return _error(403, "forbidden", refusal)
        try:
            player = _sign_in.decode(await request.get_data()).player
        except msgspec.MsgspecError:
            return _error(400, "invalid_request", 'the body is {"player": "<name>"}')
        if not valid_player_id(player):
            return _error(400, "invalid_player", "a name has 1 to 64 of the letters A to Z, digits and _.@|+=~:-")
        if player.startswith(PREFIX):
            return _error(400, "invalid_player", f"names that begin with {PREFIX} belong to the bots; take another one")
        return jsonify({"player": player, "token": keys.issue_token(player)})

    return blueprint


def _named(folder: Traversable, name: str) -> Response:
    suffix = name[name.rfind(".") :]
    known = {entry.name for entry in folder.iterdir() if entry.is_file()}
    if name not in known or suffix not in _TYPES:
        return _error(404, "not_found", "there is no such file")
    return _file(folder.joinpath(name).read_bytes(), suffix)


def _file(data: bytes, suffix: str) -> Response:
    response = Response(data, content_type=f"{_TYPES[suffix]}; charset=utf-8")
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"
    return response


def _refusal() -> str:
    """Why this request may not have a token; empty if it may."""
    if not _loopback(request.remote_addr or ""):
        return "development tokens are for this machine only; print one with `matchmaking token PLAYER`"
    if not _loopback(urlsplit(f"//{request.host}").hostname or ""):
        return "open the page as http://127.0.0.1 or http://localhost"
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        return "only our own page may ask for development tokens"
    return ""


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _error(status: int, code: str, message: str) -> Response:
    response = jsonify({"error": {"code": code, "message": message}})
    response.status_code = status
    return response
