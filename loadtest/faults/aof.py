"""Reads the store's record from Redis' append-only file: the effects of all scripts, in order.

Only what promises are about is kept. Names of keys are the ones that the README documents.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import hiredis
import msgspec

from matchmaking.core.ticket import Ticket

from .history import Ends, Goes, Holds, Renames, Step, Tells, Waits

CHUNK = 1 << 20
_ENDED = re.compile(rb"pool:\{[^}]*\}:ended:(.*)\Z")
_PLAYER = re.compile(rb"player:\{(.*)\}:(ticket|outbox)\Z", re.DOTALL)
_ticket = msgspec.msgpack.Decoder(Ticket)


class _About(msgspec.Struct):
    """What an event tells of; the rest is not looked at. `match_ready` names all its tickets, by player."""

    match_id: str = ""
    ticket_id: str = ""
    tickets: dict[str, str] = {}


_about = msgspec.json.Decoder(_About)


def files(folder: Path) -> list[Path]:
    """The append-only files of a Redis that works in this folder, oldest first."""
    return sorted((folder / "appendonlydir").glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))


def steps(folder: Path) -> Iterator[Step]:
    """Everything that matters, in order."""
    records: dict[bytes, tuple[str, ...]] = {}
    waits: list[bytes] = []
    for words in _commands(folder):
        name, key = words[0].upper(), words[1] if len(words) > 1 else b""
        if name == b"ZADD" and key.endswith(b":waiting"):
            waits += words[-1:]
        elif name == b"ZREM" and key.endswith(b":waiting"):
            yield from (Goes(ticket.decode()) for ticket in words[2:])
        elif name == b"HSET" and key.endswith(b":tickets"):
            records[words[2]] = _players(words[3])
        elif name == b"EXEC":  # the end of a script's effects
            yield from (Waits(ticket.decode(), records.pop(ticket, ())) for ticket in waits)
            waits = []
        else:
            yield from _other(name, key, words)


def _other(name: bytes, key: bytes, words: list[bytes]) -> Iterator[Step]:
    if name == b"SET" and (found := _ENDED.match(key)):
        yield Ends(found[1].decode(), words[2].decode())
    elif name == b"HSET" and key == b"store:epoch":
        yield Renames(dict(zip(words[2::2], words[3::2], strict=True))[b"name"].decode())
    elif found := _PLAYER.match(key):
        player = found[1].decode()
        if name == b"HSET" and found[2] == b"ticket":
            fields = dict(zip(words[2::2], words[3::2], strict=True))
            if b"ticket" in fields:
                yield Holds(player, fields[b"ticket"].decode(), fields.get(b"op", b"").decode())
        elif name == b"XADD":
            at = next(i for i, word in enumerate(words) if i > 1 and word.endswith(b"-0") and word[:-2].isdigit())
            fields = dict(zip(words[at + 1 :: 2], words[at + 2 :: 2], strict=True))
            about = _about.decode(fields[b"data"])
            told = (about.ticket_id or about.tickets.get(player, ""), about.match_id)
            yield Tells(player, int(words[at][:-2]), fields[b"type"].decode(), told)


def _players(record: bytes) -> tuple[str, ...]:
    try:
        return tuple(player.id for player in _ticket.decode(record).players)
    except msgspec.MsgspecError:
        return ()  # a poisonous ticket


def _commands(folder: Path) -> Iterator[list[bytes]]:
    for file in files(folder):
        reader = hiredis.Reader()
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                reader.feed(chunk)
                while (found := reader.gets()) is not False:
                    yield found
