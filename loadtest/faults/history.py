"""What is written down while faults happen: each client's record, and the store's.

A client writes one line for everything that it sends and hears, in the order in which it did; queue updates and heartbeats are left out. The store's record is
Redis' append-only file, in which every effect of every script stands in the one order in which it happened.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

OPENING, SENT, CLOSED = "opening", "sent", "closed"  # what a client does; all other lines are messages that it hears
ENDS = {"match_found": "m", "queue_left": "c"}  # messages that tell a ticket's end, and how its mark begins


class Entry(Struct, frozen=True, array_like=True):
    """One line of a client's record.

    Attributes:
        at: seconds, by the clock of the client's process.
        socket: the number of the player's socket, from 1.
        what: `opening` (data: the subprotocol that it offers to resume by, or empty), `sent` (data: the message), `closed` (data: the code), or
            the type of a message that was heard.
        seq: the heard message's number, if it has one.
        data: the heard message's data.
    """

    at: float
    player: str
    socket: int
    what: str
    data: Any = None
    seq: int | None = None


class Waits(Struct, frozen=True):
    """A ticket of these players begins to wait."""

    ticket: str
    players: tuple[str, ...]


class Goes(Struct, frozen=True):
    """A ticket waits no longer."""

    ticket: str


class Ends(Struct, frozen=True):
    """A ticket's end is decided: `m:<match>` or `c:<reason>`."""

    ticket: str
    mark: str


class Holds(Struct, frozen=True):
    """A player is bound to a ticket, by an operation (empty: on the party's behalf)."""

    player: str
    ticket: str
    operation: str


class Tells(Struct, frozen=True):
    """An event enters a player's outbox; `about` is what it tells of: ticket, and match if there is one."""

    player: str
    seq: int
    type: str
    about: tuple[str, str]


class Renames(Struct, frozen=True):
    """The store's history gets a new name."""

    epoch: str


Step: TypeAlias = Waits | Goes | Ends | Holds | Tells | Renames

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)


def line(entry: Entry) -> bytes:
    """An entry as it stands in a file."""
    return _encoder.encode(entry) + b"\n"


def read(files: Iterable[Path]) -> dict[str, list[Entry]]:
    """Player → record, from the files of all processes."""
    found: dict[str, list[Entry]] = {}
    for entry in _entries(files):
        found.setdefault(entry.player, []).append(entry)
    return found


def _entries(files: Iterable[Path]) -> Iterator[Entry]:
    for file in files:
        with file.open("rb") as lines:
            for each in lines:
                if each.endswith(b"\n"):
                    yield _decoder.decode(each)
