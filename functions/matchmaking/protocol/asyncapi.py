"""The protocol as an AsyncAPI 3 document, made from the types: `asyncapi.json` beside this file, written by `matchmaking docs`."""

import json
from inspect import cleandoc
from typing import Any, get_args

import msgspec

from matchmaking import __version__

from .close_codes import MEANINGS
from .error_codes import ERROR_CODES
from .messages import MAX_MESSAGE_BYTES, SERVER_TYPES, SUBPROTOCOL, ClientMessage, GameStateUpdateData, MatchFoundData, QueueLeftData
from .session_messages import MatchCancelledData

EVENTS = (MatchFoundData, QueueLeftData, MatchCancelledData, GameStateUpdateData)  # numbered, delivered at least once and in order
OPENING = f"""JSON text frames of at most {MAX_MESSAGE_BYTES} bytes, one message each. Offer the subprotocol `{SUBPROTOCOL}`. Native clients sign in by
`Authorization: Bearer <token>`; browsers exchange their token at `POST /api/v1/sign-in/ticket` for a ticket that works once within 30 seconds and offer it as
the subprotocol `ticket.<ticket>`. To resume a session, offer `resume.<epoch>.<seq>.<token>` besides: epoch and `resume_token` of the last `hello`, and the number
of the last event that the client has."""


def document() -> dict[str, Any]:
    """The whole document."""
    client = {kind.__struct_config__.tag: (kind, kind.__annotations__["data"], False) for kind in get_args(ClientMessage)}
    server = {name: (kind, kind, kind in EVENTS) for kind, name in SERVER_TYPES.items()}
    messages = client | server
    types = list(dict.fromkeys(data for _, data, _ in messages.values()))
    refs, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():  # Python 3.13 takes the indentation out of docstrings, earlier ones leave it in
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
    of = dict(zip(types, refs, strict=True))
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Game Session Manager", "version": __version__, "description": OPENING, "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:8080", "protocol": "ws", "description": "A gateway, as `matchmaking dev` starts it."}},
        "channels": {
            "player": {
                "address": "/ws/{player_id}",
                "description": "One player's connection. A player has one; a newer one replaces it.",
                "parameters": {"player_id": {"description": "The `sub` of the token: 1 to 64 of letters, digits and _.@|+=~:-"}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            }
        },
        "operations": {
            "fromClient": _operation("receive", "What clients send.", client),
            "toClient": _operation("send", "What the gateway sends.", server),
        },
        "components": {
            "messages": {name: _message(name, kind, of[data], numbered) for name, (kind, data, numbered) in messages.items()},
            "schemas": schemas,
        },
        "x-close-codes": [
            {"code": int(code), "reason": code.name.lower(), "description": what, "reconnect": reconnect, "wait": wait}
            for code, (what, reconnect, wait) in MEANINGS.items()
        ],
        "x-error-codes": [{"code": name, "description": what, "again": again} for name, (what, again) in ERROR_CODES.items()],
    }


def render() -> str:
    """The document as the file's text."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _operation(action: str, summary: str, messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/player"},
        "messages": [{"$ref": f"#/channels/player/messages/{name}"} for name in messages],
    }


def _message(name: str, kind: type, data: dict[str, Any], numbered: bool) -> dict[str, Any]:
    optional = bool(getattr(kind, "__struct_defaults__", ())) and "data" in getattr(kind, "__struct_fields__", ())
    required = ["type"] if optional else ["type", "data"]
    properties: dict[str, Any] = {"type": {"const": name}, "data": data}
    if numbered:
        properties["seq"] = {"type": "integer", "minimum": 1, "description": "The event's number: without gaps, repeats are possible."}
    return {
        "name": name,
        "title": name.replace("_", " "),
        "summary": (kind.__doc__ or "").strip().splitlines()[0],
        "payload": {"type": "object", "required": required, "properties": properties},
    }
