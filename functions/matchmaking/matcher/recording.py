"""A matcher's record of what it saw and did, for `matchmaking replay`: JSON lines, one for each round of a queue in which anything happened, and one a second
while anybody waits.

A line holds what the pure core was given since the last one (tickets that came and went, the time, the seed of its choices) and what it answered. Players' names
are replaced by hashes under a key that is forgotten with the matcher, so that rules about who met whom still work, and nobody can be found again.
"""

import hashlib
import secrets
from pathlib import Path
from random import Random
from typing import IO

import msgspec

from matchmaking.core.queue import QueueView
from matchmaking.core.round import Round
from matchmaking.core.ticket import BackfillSlots, Player, Ticket

EVERY = 1.0  # s between lines while tickets wait and nothing else happens: other rules may match them then
_json = msgspec.json.Encoder()


class RecordedRound(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line.

    Attributes:
        now: the round's time, seconds since the epoch.
        added, removed: tickets that came since the queue's last line, and ids of those that went.
        matches: the ids of each proposed match's tickets.
    """

    region: str
    mode: str
    now: float
    seed: int
    added: tuple[Ticket, ...] = ()
    removed: tuple[str, ...] = ()
    matches: tuple[tuple[str, ...], ...] = ()


class Recorder:
    """Writes a matcher's log; use as a context manager."""

    def __init__(self, folder: Path, pool: str, region: str, matcher: str) -> None:
        self._file: IO[bytes] = (folder / f"{pool}-{region}-{matcher}.jsonl").open("wb")
        self._key = secrets.token_bytes(16)
        self._known: dict[tuple[str, str], set[str]] = {}
        self._written: dict[tuple[str, str], float] = {}
        self._seed = 0

    def seeded(self) -> Random:
        """A round's own source of choices, whose seed is written down."""
        self._seed = secrets.randbits(53)
        return Random(self._seed)

    def note(self, queue: tuple[str, str], view: QueueView, now: float, result: Round) -> None:
        """Write a round, unless nothing came, went or was matched."""
        known = self._known.setdefault(queue, set())
        waiting = {ticket.id: ticket for ticket in view}
        added = tuple(self._anonymous(ticket) for name, ticket in waiting.items() if name not in known)
        removed = tuple(known - waiting.keys())
        matches = tuple(tuple(ticket.id for ticket in match.tickets) for match in result.matches)
        last = self._written.get(queue, float("-inf"))
        if added or removed or matches or (waiting and now - last >= EVERY):
            self._written[queue] = now
            self._known[queue] = set(waiting)
            self._file.write(_json.encode(RecordedRound(*queue, now, self._seed, added, removed, matches)) + b"\n")

    def close(self) -> None:
        """Everything is on disk."""
        self._file.close()

    def _anonymous(self, ticket: Ticket) -> Ticket:
        players = tuple(self._hidden(player) for player in ticket.players)
        slots = ticket.backfill
        if slots is not None:
            teams = {name: tuple(self._hidden(player) for player in there) for name, there in slots.teams.items()}
            slots = BackfillSlots(slots.match, teams)
        return msgspec.structs.replace(ticket, players=players, backfill=slots, trace="")

    def _hidden(self, player: Player) -> Player:
        return msgspec.structs.replace(
            player, id=self._hash(player.id), recent=tuple(map(self._hash, player.recent)), blocked=tuple(map(self._hash, player.blocked))
        )

    def _hash(self, name: str) -> str:
        return hashlib.blake2b(name.encode(), key=self._key, digest_size=8).hexdigest()
