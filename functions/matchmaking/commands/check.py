"""`matchmaking check`: matches two players through a gateway, from end to end; `helm test` runs it."""

import argparse
import asyncio
import secrets
import sys
import time
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--url", required=True, help="the gateway's address: ws://, wss://, http:// or https://")
    parser.add_argument("--pool", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--mode", required=True)
    parser.add_argument("--within", type=float, default=60.0, metavar="SECONDS", help="give up after so long (default 60)")
    parser.add_argument(
        "--tokens",
        type=Path,
        metavar="FOLDER",
        help="two players' tokens, in files named first and second; without it they are signed as by `matchmaking token`",
    )


def run(arguments: argparse.Namespace) -> int:
    """0 if the two were matched with each other; 1 if not, with what stood in the way."""
    from matchmaking.client import ClientError

    tokens = _tokens(arguments.tokens)
    started = time.monotonic()
    try:
        match = asyncio.run(_match(arguments, tokens))
    except (ClientError, TimeoutError) as error:
        print(f"matchmaking check: {error or f'no match within {arguments.within:g} s'}", file=sys.stderr)  # noqa: T201 - a command's output
        return 1
    print(f"matched {' and '.join(sorted(tokens))} in {time.monotonic() - started:.1f} s: {match}")  # noqa: T201 - a command's output
    return 0


def _tokens(folder: Path | None) -> dict[str, str]:
    """Player → token."""
    import jwt

    from matchmaking.local.keys import issue_token

    if folder is None:
        return {player: issue_token(player) for player in (f"check-{secrets.token_hex(4)}" for _ in range(2))}
    tokens = [(folder / name).read_text().strip() for name in ("first", "second")]
    return {jwt.decode(token, options={"verify_signature": False})["sub"]: token for token in tokens}


async def _match(arguments: argparse.Namespace, tokens: dict[str, str]) -> str:
    """Both join as soon as the pool is known; the id of the match that both were told."""
    async with asyncio.timeout(arguments.within):
        first, second = await asyncio.gather(*(_play(arguments, player, token) for player, token in tokens.items()))
    if first != second:
        raise TimeoutError(f"the two were matched with others: {first} and {second}")
    return first


async def _play(arguments: argparse.Namespace, player: str, token: str) -> str:
    from matchmaking.client import Client, JoinRefusedError
    from matchmaking.protocol.messages import MatchFoundData

    async with Client.connect(arguments.url, player, token=token, connect_timeout=arguments.within) as client:
        while True:
            try:
                await client.join(arguments.pool, arguments.region, arguments.mode)
                break
            except JoinRefusedError as error:
                if error.code != "unknown_pool":  # which a new pool is for a moment
                    raise
                await asyncio.sleep(0.5)
        async for event in client.events():
            if isinstance(event, MatchFoundData):
                return event.match_id
    raise TimeoutError("the connection ended before the match")
