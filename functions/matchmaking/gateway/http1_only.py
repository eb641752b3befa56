"""No HTTP/2 (Hypercorn 0.18).

Leaving `h2` out of `alpn_protocols` is not enough: over plain TCP, where a gateway stands behind its ingress, Hypercorn changes to HTTP/2 for whoever begins with its
preface or asks for the upgrade `h2c`, whatever its settings say. One such connection has as many streams as it likes, of which the doorway sees one, and its
WebSockets would be Hypercorn's own instead of `BoundedStream`. So the preface is answered by 505 and the connection ends; the wish for an upgrade is not granted, as
RFC 9110 allows (section 7.8), and the request is answered in HTTP/1.1.
"""

import h11
import hypercorn.protocol
from hypercorn.events import Closed
from hypercorn.protocol.h11 import H11Protocol

VERSION_NOT_SUPPORTED = 505


class Http1Protocol(H11Protocol):
    """What Hypercorn makes for each connection that has not agreed on anything else by TLS."""

    async def _check_protocol(self, event: h11.Request) -> None:
        """The parent raises what makes the connection one of HTTP/2."""

    async def _create_stream(self, request: h11.Request) -> None:
        if request.http_version >= b"2":
            await self._send_error_response(VERSION_NOT_SUPPORTED)
            await self.send(Closed())
        else:
            await super()._create_stream(request)


def install() -> None:
    """Have Hypercorn use it; it looks the class up by this name."""
    hypercorn.protocol.H11Protocol = Http1Protocol  # type: ignore[attr-defined]
