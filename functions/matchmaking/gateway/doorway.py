"""Connections that have not signed in: few for each address and in all, and not for long.

A connection costs memory before anybody knows whose it is, and Hypercorn waits for ever for a client that sends its request body, or offers its ticket, byte by byte
(0.18). So the number of such connections is bounded when they are accepted, those over it are reset without a word, and one that has not signed in after
`SIGN_IN_SECONDS` ends. And as beginning costs more than a millisecond, only `EACH_ROUND` connections begin in one round of the event loop, however many come at once:
those who play already wait for a few of them, never for all. Connections through a trusted proxy count for the address that the proxy names, once its headers have
come.
"""

import asyncio
from typing import Any

import h11
import hypercorn.asyncio.run
from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.events import Closed, RawData
from hypercorn.protocol.http_stream import HTTPStream

from .addresses import Proxies
from .bounded_stream import BoundedStream
from .turns import Turns

SIGN_IN_SECONDS = 5.0
EACH_ROUND = 2  # connections; a few milliseconds while thousands come


class Doorway:
    """Counts who stands in it.

    Args:
        most, most_each: how many connections that have not signed in there may be, in all and from one address.
    """

    def __init__(self, most: int, most_each: int, proxies: Proxies, seconds: float = SIGN_IN_SECONDS) -> None:
        self.seconds, self._most, self._most_each, self._proxies = seconds, most, most_each, proxies
        self._count = 0
        self._each: dict[str, int] = {}
        self.connections: set[GuardedServer] = set()
        self._shut = False
        self.beginning = Turns(EACH_ROUND)

    @property
    def waiting(self) -> int:
        """How many have not signed in."""
        return self._count

    def enter(self, peer: str) -> bool:
        """A connection was accepted; whether there is room for it."""
        if self._shut or self._count >= self._most or not self.name(self._named(peer)):
            return False
        self._count += 1
        return True

    def leave(self, peer: str) -> None:
        """It has signed in, or is gone."""
        self._count -= 1
        self.unname(self._named(peer))

    def name(self, address: str) -> bool:
        """Count one for an address (empty: not known yet); whether there is room for it."""
        if self._each.get(address, 0) >= self._most_each:
            return False
        if address:
            self._each[address] = self._each.get(address, 0) + 1
        return True

    def unname(self, address: str) -> None:
        """One less."""
        left = self._each.get(address, 0) - 1
        if left > 0:
            self._each[address] = left
        else:
            self._each.pop(address, None)

    async def shut(self, grace: float) -> None:
        """Nobody comes in any more; who is here has to be gone after `grace` seconds."""
        self._shut = True
        deadline = asyncio.get_running_loop().time() + grace
        while any(connection.busy for connection in self.connections) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.writer.transport.abort()

    def _named(self, peer: str) -> str:
        return "" if self._proxies.trusts(peer) else peer


class GuardedServer(TCPServer):
    """Hypercorn's TCP connection, which has to pass the app's doorway (`app.extensions["doorway"]`)."""

    _doorway: Doorway | None = None
    _timer: asyncio.TimerHandle | None = None
    _peer = ""

    async def run(self) -> None:
        """As the parent's, if there is room."""
        doorway: Doorway | None = getattr(getattr(self.app, "app", None), "extensions", {}).get("doorway")
        if doorway is None:
            await super().run()
            return
        self._peer = (self.writer.get_extra_info("peername") or ("",))[0]
        if not doorway.enter(self._peer):
            self.writer.transport.abort()
            return
        self._doorway = doorway
        doorway.connections.add(self)
        self._timer = self.loop.call_later(doorway.seconds, self._late)
        try:
            await doorway.beginning.turn()
            await super().run()
        finally:
            self.signed_in()
            doorway.connections.discard(self)

    async def _read_data(self) -> None:
        """As the parent's (no timeout is configured), but WebSockets have a short way."""
        while not self.reader.at_eof():
            try:
                data = await self.reader.read(MAX_RECV)
            except OSError:
                break
            stream = self._stream()
            if isinstance(stream, BoundedStream) and stream.accepted:
                if data:
                    await stream.take(data)
            else:
                await self.protocol.handle(RawData(data))
        await self.protocol.handle(Closed())

    @property
    def busy(self) -> bool:
        """Whether a request is being answered, or something is still to be written."""
        return self._stream() is not None or self.writer.transport.get_write_buffer_size() > 0

    def _http(self) -> Any:
        return getattr(getattr(self, "protocol", None), "protocol", None)

    def _stream(self) -> Any:
        return getattr(self._http(), "stream", None)

    def signed_in(self) -> None:
        """It may stay (or is gone)."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._doorway is not None:
            self._doorway.leave(self._peer)
            self._doorway = None

    def _late(self) -> None:
        stream = self._stream()
        answering = stream is None or (isinstance(stream, HTTPStream) and self._http().connection.their_state is not h11.SEND_BODY)
        if self._doorway is None or not answering:
            self.writer.transport.abort()
        else:  # an answer under way, or the pause between two requests, which Hypercorn ends itself
            self._timer = self.loop.call_later(self._doorway.seconds, self._late)


def install() -> None:
    """Have Hypercorn use it; its server looks the class up by this name."""
    hypercorn.asyncio.run.TCPServer = GuardedServer  # type: ignore[attr-defined]
