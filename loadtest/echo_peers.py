"""The gateway's peers in the heartbeat benchmark: each answers a text of the heartbeat's size with one of its answer's, and does nothing else.

python loadtest/echo_peers.py hypercorn|uvicorn|websockets PORT
"""

import asyncio
import sys
from contextlib import suppress
from typing import Any

import uvloop

ANSWER = '{"type":"heartbeat_ack","data":{"timestamp":"2031-05-06T07:08:09.123Z"}}'


async def raw(scope: Any, receive: Any, send: Any) -> None:
    """ASGI without a framework."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "gsm.v1"})
    while (await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": ANSWER})


def starlette() -> Any:
    """The same by Starlette."""
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect

    async def echo(socket: WebSocket) -> None:
        await socket.accept(subprotocol="gsm.v1")
        try:
            while True:
                await socket.receive_text()
                await socket.send_text(ANSWER)
        except WebSocketDisconnect:
            pass

    return Starlette(routes=[WebSocketRoute("/ws/{player}", echo)])


async def hypercorn(port: int) -> None:
    """Raw ASGI on Hypercorn, which the gateway stands on."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.accesslog = config.errorlog = None
    await serve(raw, config, shutdown_trigger=asyncio.Event().wait)  # type: ignore[arg-type]


async def uvicorn(port: int) -> None:
    """Starlette on Uvicorn."""
    import uvicorn as library

    await library.Server(library.Config(starlette(), host="127.0.0.1", port=port, log_level="error", ws_per_message_deflate=False)).serve()


async def websockets(port: int) -> None:
    """The library of that name, without a framework."""
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import ConnectionClosed
    from websockets.typing import Subprotocol

    async def echo(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for _ in socket:
                await socket.send(ANSWER)

    async with serve(echo, "127.0.0.1", port, subprotocols=[Subprotocol("gsm.v1")], compression=None):
        await asyncio.Event().wait()


if __name__ == "__main__":
    peers = {"hypercorn": hypercorn, "uvicorn": uvicorn, "websockets": websockets}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(peers[sys.argv[1]](int(sys.argv[2])))
