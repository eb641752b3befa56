"""`/healthz`: 200 while the operator lives, 503 with the reason when its watch is stale or its rounds stand still. A hung event loop answers nothing at all."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from .rounds import Health


@asynccontextmanager
async def serve_health(health: Health, stale: float, host: str, port: int) -> AsyncIterator[None]:
    """Answer on a port of its own."""

    async def answer(_: web.Request) -> web.Response:
        trouble = health.trouble(time.monotonic(), stale)
        return web.Response(status=503 if trouble else 200, text=trouble or "ok")

    app = web.Application()
    app.add_routes([web.get("/healthz", answer), web.get("/readyz", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
