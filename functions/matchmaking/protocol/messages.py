"""Every message of the client protocol `gsm.v1`, typed, and how it is written on the wire. Decoding is validation.

A frame is a JSON text `{"type": …, "data": {…}, "seq"?: n}` of at most 16 KiB. `seq` numbers the events that are delivered at least once and in
order; replies and advice have none. Fields that a receiver does not know are ignored, so that either side may grow.
"""

import msgspec
from msgspec import Struct, field

from .from_client import *
from .opening import *
from .strict_json import AmbiguousJsonError, check
from .to_client import *

MAX_MESSAGE_BYTES = 16 * 1024


class Frame(Struct, frozen=True, omit_defaults=True):
    """A server message as it goes over the wire."""

    type: str
    data: ServerData | msgspec.Raw
    seq: int | None = None


class IncomingFrame(Struct, frozen=True):
    """A server message as a client reads it, its data not yet decoded."""

    type: str
    data: msgspec.Raw = field(default_factory=lambda: msgspec.Raw(b"{}"))
    seq: int | None = None


class _Typed(Struct, frozen=True):
    type: msgspec.Raw = field(default_factory=lambda: msgspec.Raw(b"null"))


_decoder = msgspec.json.Decoder(ClientMessage)
_type_decoder = msgspec.json.Decoder(_Typed)
_encoder = msgspec.json.Encoder()
_HEARTBEAT = Heartbeat()
_HEARTBEATS = frozenset({  # the most frequent message, as most clients write it, needs no reading
    '{"type":"heartbeat"}', '{"type":"heartbeat","data":{}}', '{"type": "heartbeat"}', '{"type": "heartbeat", "data": {}}',
})  # fmt: skip


class BadMessageError(Exception):
    """A frame that is no message; `code` and the text go to the client as an `error`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def decode(text: str | bytes) -> ClientMessage:
    """Read a client's frame.

    Raises:
        BadMessageError: `invalid_json` (no JSON, or JSON that readers understand differently), `unknown_type`, `invalid_message` (a field is missing,
            has a wrong type or is out of bounds), or `message_too_big`.
    """
    if text in _HEARTBEATS:
        return _HEARTBEAT
    if len(text) > MAX_MESSAGE_BYTES:
        raise BadMessageError("message_too_big", f"a message has at most {MAX_MESSAGE_BYTES} bytes")
    try:
        check(text if isinstance(text, str) else text.decode())
        message: ClientMessage = _decoder.decode(text)
    except AmbiguousJsonError as error:
        raise BadMessageError("invalid_json", str(error)) from error
    except msgspec.ValidationError as error:
        raise _explain(text, str(error)) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadMessageError("invalid_json", f"not a JSON text: {str(error)[:200]}") from error
    return message


def _explain(text: str | bytes, problem: str) -> BadMessageError:
    try:
        kind = _type_decoder.decode(text).type
    except msgspec.MsgspecError:
        return BadMessageError("invalid_message", 'a message is an object: {"type": …, "data": {…}}')
    name = bytes(kind)
    if name == b"null" or not name.startswith(b'"'):
        return BadMessageError("invalid_message", '`type` is missing or no string; a message is {"type": …, "data": {…}}')
    if name not in {f'"{known}"'.encode() for known in CLIENT_TYPES}:
        return BadMessageError("unknown_type", f"unknown type {name[:42].decode(errors='replace')}; known are {', '.join(CLIENT_TYPES)}")
    return BadMessageError("invalid_message", problem[:300])


def encode(data: ServerData, seq: int | None = None) -> str:
    """Write a server's frame."""
    return _encoder.encode(Frame(SERVER_TYPES[type(data)], data, seq)).decode()
