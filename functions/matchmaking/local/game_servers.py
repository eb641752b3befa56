"""A game server for the pools that want one: the small one of `loadtest/game_server.py`, as a process of its own that speaks the HTTP API as any other would.

It takes the place of webhooks on this machine; a pool whose webhook is elsewhere keeps it.
"""

import os
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

import matchmaking
from matchmaking.core.pool import MatchmakingPool

from . import keys
from .children import spawn, stop
from .embedded_redis import free_port

HOST = "127.0.0.1"
NAME = "dev-game-server"  # whose token it has


def script() -> Path | None:
    """The game server's program, where the repository is at hand."""
    found = Path(matchmaking.__file__).parents[2] / "loadtest" / "game_server.py"
    return found if found.is_file() else None


def secret_file() -> Path:
    """The secret between gateway and game server, made if there is none yet; the signing key's folder is the user's own."""
    keys.jwks_file()
    path = keys.state_folder() / "allocation-secret"
    if not path.exists():
        written = keys.state_folder() / f".{secrets.token_hex(8)}"
        with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
        written.replace(path)
    return path


def served_here(pools: Sequence[MatchmakingPool], port: int) -> list[MatchmakingPool]:
    """The pools, with those webhooks that are on this machine at our game server's port."""
    return [_moved(pool, port) if _is_local(pool) else pool for pool in pools]


def _is_local(pool: MatchmakingPool) -> bool:
    wish = pool.spec.allocation
    return wish.type == "webhook" and urlsplit(wish.url or "").hostname in (HOST, "localhost")


def _moved(pool: MatchmakingPool, port: int) -> MatchmakingPool:
    allocation = replace(pool.spec.allocation, url=f"http://{HOST}:{port}/allocate")
    return replace(pool, spec=replace(pool.spec, allocation=allocation))


@asynccontextmanager
async def game_server(pools: Sequence[MatchmakingPool], gateway: str) -> AsyncIterator[list[MatchmakingPool]]:
    """Run the game server if a pool wants it; yields the pools as they are served.

    Args:
        gateway: its address.
    """
    program = script()
    if program is None or not any(_is_local(pool) for pool in pools):
        yield list(pools)
        return
    port = free_port()
    words: list[str | Path] = [
        sys.executable,
        program,
        "--gateway",
        gateway,
        "--port",
        str(port),
        "--secret-file",
        secret_file(),
        "--states",
        "6",
        "--pace",
        "1.5",
    ]
    child = await spawn(*words, env={"MATCHMAKING_TOKEN": keys.issue_token(NAME, "server")})
    try:
        yield served_here(pools, port)
    finally:
        await stop([child])
