"""`matchmaking inspect`: how a queue, a ticket, a player or a match stands, as Redis knows it. It only reads."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable


def configure(parser: argparse.ArgumentParser) -> None:
    """What to look at."""
    parser.add_argument("--redis-url", help="default: MATCHMAKING_REDIS_URL, else redis://127.0.0.1:6379/0")
    parser.add_argument("--watch", action="store_true", help="look again every second, until Ctrl-C")
    what = parser.add_subparsers(dest="what", metavar="what", required=True)
    queue = what.add_parser("queue", help="one queue, or all of them: length, oldest tickets, matchers, what blocks")
    queue.add_argument("name", nargs="?", metavar="POOL[/REGION/MODE]", help="default: every queue of every pool")
    ticket = what.add_parser("ticket", help="a ticket: its players, what they bring, why it waits, or how it ended")
    ticket.add_argument("pool")
    ticket.add_argument("ticket")
    player = what.add_parser("player", help="a player: connection, ticket, latest events")
    player.add_argument("player")
    match = what.add_parser("match", help="a match's session")
    match.add_argument("match")
    for each in (queue, ticket, player, match):  # accepted behind as well, where people expect it
        each.add_argument("--watch", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Show it, once or again and again."""
    try:
        asyncio.run(_run(arguments))
    except KeyboardInterrupt:
        return 0
    return 0


async def _run(arguments: argparse.Namespace) -> None:
    import os

    from rich.console import Console, RenderableType
    from rich.live import Live

    from matchmaking.local import inspection
    from matchmaking.store.connect import open_store

    url = arguments.redis_url or os.environ.get("MATCHMAKING_REDIS_URL", "redis://127.0.0.1:6379/0")
    console = Console()
    async with open_store(url) as store:
        looks: dict[str, Callable[[], Awaitable[RenderableType]]] = {
            "queue": lambda: inspection.queues(store, arguments.name),
            "ticket": lambda: inspection.ticket(store, arguments.pool, arguments.ticket),
            "player": lambda: inspection.player(store, arguments.player),
            "match": lambda: inspection.match(store, arguments.match),
        }
        look = looks[arguments.what]
        if not arguments.watch:
            console.print(await look())
            return
        with Live(await look(), console=console, screen=sys.stdout.isatty(), auto_refresh=False) as live:
            while True:
                await asyncio.sleep(1)
                live.update(await look(), refresh=True)
