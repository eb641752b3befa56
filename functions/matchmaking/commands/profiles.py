"""`matchmaking profiles export|import`: players' ratings, latest opponents and counts as JSON lines, one player each.

    {"player": "alice", "ratings": {"duel:ranked": [1520.5, 310.2, 0.06]}, "recent": ["bob"], "counts": {"matches": 3, "won": 2, "lost": 1}}

Import is repeatable: what a line says replaces what is stored of it; ratings of other modes, preferences and cooldowns stay.
"""

import argparse
import asyncio
import sys
from typing import IO, Annotated

import msgspec
from msgspec import Meta

from matchmaking.core.errors import MatchmakingError
from matchmaking.store.interface import Store
from matchmaking.store.session_values import Profile

CHUNK = 500  # players under way at once
_Number = Annotated[float, Meta(ge=-1e9, le=1e9)]
_Width = Annotated[float, Meta(gt=0, le=1e9)]


class Line(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One player, as a line says it."""

    player: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.@|+=~:\-]{1,64}$")]
    ratings: dict[Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,63}:[a-z0-9-]{1,63}$")], tuple[_Number, _Width, _Width]] = {}
    recent: Annotated[tuple[Annotated[str, Meta(pattern=r"^[^ ]{1,64}$")], ...], Meta(max_length=50)] = ()
    counts: dict[Annotated[str, Meta(pattern=r"^[a-z]{1,20}$")], Annotated[int, Meta(ge=0)]] = {}


class LineError(MatchmakingError):
    """A line that is no player; says which line, and why. Those before it were imported."""


_decoder = msgspec.json.Decoder(Line)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("direction", choices=("export", "import"), help="export: to standard output; import: from FILE")
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="JSON lines to import (default: standard input)")


def run(arguments: argparse.Namespace) -> int:
    """Export or import; reads MATCHMAKING_REDIS_URL."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    from matchmaking.settings import Settings
    from matchmaking.store.connect import open_store

    async with open_store(Settings().redis_url.get_secret_value()) as store:
        if arguments.direction == "export":
            count = await export(store, sys.stdout)
        elif arguments.file == "-":
            count = await import_lines(store, sys.stdin)
        else:
            with open(arguments.file, encoding="utf-8") as lines:  # noqa: ASYNC230, PTH123 - a command; nothing else waits
                count = await import_lines(store, lines)
    print(f"{count} players", file=sys.stderr)  # noqa: T201 - a command's output
    return 0


async def export(store: Store, out: IO[str]) -> int:
    """Write every profile; how many there are."""
    players = await store.players()
    for i in range(0, len(players), CHUNK):
        for profile in await asyncio.gather(*(store.profile(player) for player in players[i : i + CHUNK])):
            line = Line(profile.player, profile.ratings, profile.recent, profile.counts)
            out.write(msgspec.json.encode(line).decode() + "\n")
    return len(players)


async def import_lines(store: Store, lines: IO[str]) -> int:
    """Read profiles; how many there were.

    Raises:
        LineError: a line is no player.
    """
    count = 0
    chunk: list[Profile] = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            line = _decoder.decode(text)
        except msgspec.MsgspecError as error:
            await _put(store, chunk)
            raise LineError(f"line {number}: {error}; the {count} players before it were imported") from error
        chunk.append(Profile(line.player, line.ratings, line.recent, line.counts))
        count += 1
        if len(chunk) == CHUNK:
            await _put(store, chunk)
            chunk = []
    await _put(store, chunk)
    return count


async def _put(store: Store, chunk: list[Profile]) -> None:
    await asyncio.gather(*(store.put_profile(profile) for profile in chunk))
