"""An allocation webhook as another team would run it: a small HTTP server that can also hang, talk nonsense, redirect and refuse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

SECRET = b"a shared secret"
GOOD = b'{"connection":{"address":"127.0.0.1","port":7777}}'


class Allocator:
    """What it was asked, and how it answers: works, hangs, garbage, large, redirect, error, refuses."""

    def __init__(self, how: str) -> None:
        self.how, self.url = how, ""
        self.requests: list[dict[str, Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:]) if name}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.requests.append({"headers": headers, "body": body})
            if self.how == "hangs":
                await reader.read()  # until the other side gives up
                return
            status, text = {
                "garbage": ("200 OK", b"<html>"),
                "large": ("200 OK", b'{"connection":"' + b"x" * 20_000 + b'"}'),
                "redirect": ("302 Found", b""),
                "error": ("500 Internal Server Error", b"{}"),
                "refuses": ("403 Forbidden", b"{}"),
            }.get(self.how, ("200 OK", GOOD))
            where = f"Location: {self.url}\r\n" if self.how == "redirect" else ""
            writer.write(f"HTTP/1.1 {status}\r\n{where}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def allocator(how: str = "works") -> AsyncIterator[Allocator]:
    """Serve one on a free port."""
    hook = Allocator(how)
    server = await asyncio.start_server(hook.serve, "127.0.0.1", 0)
    hook.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/allocate"
    try:
        yield hook
    finally:
        server.close()
