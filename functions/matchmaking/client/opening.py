"""Opens one socket to a gateway, and says what its end means."""

import ipaddress
from typing import NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from matchmaking.protocol.close_codes import Meaning
from matchmaking.protocol.messages import SUBPROTOCOL

from .reconnect import meaning_of, meaning_of_status

OPEN_TIMEOUT = 10.0  # s
CLOSE_TIMEOUT = 2.0  # s for the server to answer our close
LARGEST_FRAME = 256 * 1024  # bytes; server frames are far smaller
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class Ending(NamedTuple):
    """How a connection, or the attempt at one, ended; `code` 0 means that there never was a socket."""

    code: int
    meaning: Meaning


def socket_url(base: str, player: str) -> str:
    """The player's address at a gateway.

    Args:
        base: the gateway's, for example `wss://play.example.org` or `http://127.0.0.1:8080`.

    Raises:
        ValueError: it is no such address.
    """
    parts = urlsplit(base)
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise ValueError(f"a gateway's address begins with ws://, wss://, http:// or https:// and names a host; this one is {base!r}")
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, f"{parts.path.rstrip('/')}/ws/{quote(player, safe='')}", "", ""))


async def open_socket(url: str, token: str, position: str | None, local_address: str | None = None) -> ClientConnection | Ending:
    """Open a socket, or say why that did not work.

    Args:
        position: the subprotocol that asks to resume, if there is anything to resume.
        local_address: which of this machine's addresses to connect from.

    Compression and WebSocket pings are off: messages are small, and the protocol's own heartbeats see a dead peer.
    """
    try:
        return await connect(
            url,
            subprotocols=[Subprotocol(SUBPROTOCOL), *([Subprotocol(position)] if position else [])],
            additional_headers={"Authorization": f"Bearer {token}"},
            compression=None,
            ping_interval=None,
            open_timeout=OPEN_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
            max_size=LARGEST_FRAME,
            proxy=None if _is_loopback(url) else True,
            local_addr=(local_address, 0) if local_address else None,
        )
    except InvalidStatus as error:
        meaning = meaning_of_status(error.response.status_code)
        after = error.response.headers.get("Retry-After", "")
        return Ending(0, meaning._replace(wait=float(after)) if after.isdigit() else meaning)
    except (OSError, TimeoutError, InvalidHandshake) as error:
        return Ending(0, Meaning(f"The service cannot be reached: {error or type(error).__name__}.", "yes"))


def ending_of(socket: ClientConnection) -> Ending:
    """How a closed socket ended. A close frame carries what the server meant; without one the connection was lost (1006)."""
    code = socket.close_code or 1006
    return Ending(code, meaning_of(code))


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
