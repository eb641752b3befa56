"""A matcher's record of what it saw and did, for `matchmaking replay`: JSON lines, one for each round of a queue in which anything happened, and one a second
while anybody waits. Only pools that ask for it (`recording.enabled`) are recorded, where there is a place for it (`MATCHMAKING_RECORD_TO`).

A line holds what the pure core was given since the last one (tickets that came and went, the time, the seed of its choices) and the matches that came of it. Players'
names are replaced by hashes under a key that is forgotten with the matcher, so that rules about who met whom still work, and nobody can be found again.
A record that cannot be written ends; the matcher goes on.
"""

import hashlib
import logging
import os
import secrets
from collections.abc import Sequence
from random import Random

import msgspec

from matchmaking.core.pool import PoolRules, encode_rules
from matchmaking.core.record import RecordedMatch, RecordedRound
from matchmaking.core.round import Match
from matchmaking.core.ticket import BackfillSlots, Player, Ticket
from matchmaking.telemetry.logs import happened

from .record_places import RecordPlace, RecordPlaceError, open_place

EVERY = 1.0  # s between lines while tickets wait and nothing else happens: other rules may match them then
_json = msgspec.json.Encoder()
_log = logging.getLogger(__name__)


class Recorder:
    """Writes a matcher's log."""

    def __init__(self, place: RecordPlace) -> None:
        self._place, self._failed = place, False
        self._key = secrets.token_bytes(16)
        self._known: dict[tuple[str, str], set[str]] = {}
        self._written: dict[tuple[str, str], float] = {}
        self._rules: PoolRules | None = None
        self._seed = 0

    def seeded(self) -> Random:
        """A round's own source of choices, whose seed is written down."""
        self._seed = secrets.randbits(53)
        return Random(self._seed)

    def note(self, queue: tuple[str, str], rules: PoolRules, waiting: Sequence[Ticket], now: float, matches: Sequence[Match] = ()) -> None:
        """Write a round, unless nothing came, went or was matched.

        Args:
            waiting: the tickets that the round was about, those matched included.
            matches: those that were made.
        """
        known, there = self._known.get(queue, set()), {ticket.id: ticket for ticket in waiting}
        added = tuple(self._anonymous(ticket) for name, ticket in there.items() if name not in known)
        removed = tuple(known - there.keys())
        made = tuple(_recorded(match) for match in matches)
        last = self._written.get(queue, float("-inf"))
        if added or removed or made or (there and now - last >= EVERY):
            self._written[queue] = now
            self._known[queue] = set(there)
            news = msgspec.UNSET if rules is self._rules else msgspec.Raw(encode_rules(rules))
            self._rules = rules
            self._write(_json.encode(RecordedRound(*queue, now, self._seed, added, removed, made, news)) + b"\n")

    def _write(self, line: bytes) -> None:
        if self._failed:
            return
        try:
            self._place.write(line)
        except OSError as error:
            self._failed = True
            happened(_log, "recording ended", level=logging.ERROR, error=str(error))

    async def close(self) -> None:
        """Everything is written."""
        await self._place.close()

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


def _recorded(match: Match) -> RecordedMatch:
    favourite = max(team.win_chance for team in match.teams)
    return RecordedMatch(tuple(ticket.id for ticket in match.tickets), match.quality, match.gap, match.imbalance, favourite)


def open_recorder(to: str, pool: str, region: str, matcher: str) -> Recorder | None:
    """A recorder; None, and a line in the log, if it cannot write where it should."""
    try:
        return Recorder(open_place(to, f"{pool}-{region}-{matcher}", os.environ))
    except RecordPlaceError as error:
        happened(_log, "nothing is recorded", level=logging.ERROR, pool=pool, region=region, error=str(error))
        return None
