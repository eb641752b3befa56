"""What recorded tickets would have come to under other rules, beside what they came to.

Tickets arrive when they arrived, and rounds are run at the recorded times with the recorded seeds. Who was matched then waits here until these rules match it, or
until the pool's ttl; who left by itself then leaves at the same time here, unless it was matched before. Under the rules of the time the same matches come
out, as long as one matcher at a time served the queue and no proposal met a conflict.

Matchers follow one another, and several may serve a pool at once: their logs are read together. Each of them tells of the tickets that it found waiting, so a
ticket counts as new in a queue only once, and as matched if any of them matched it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from random import Random

import msgspec

from matchmaking.core.errors import MatchmakingError
from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules, decode_rules
from matchmaking.core.queue import QueueView
from matchmaking.core.record import RecordedRound
from matchmaking.core.ticket import Ticket

from .run import SAMPLE_TICKETS
from .trace import EXPIRED, LEFT, MATCHED

Row = tuple[float, int, float, float, float, float, float, bool]  # a match, as the columns of `trace.Matches`


class ReplayError(MatchmakingError):
    """A log that cannot be replayed; the message says which line, and why."""


class End(msgspec.Struct, frozen=True):
    """How a ticket ended, after how many seconds, and the row of its match (-1: none)."""

    outcome: int
    wait: float
    row: int = -1


class Outcome(msgspec.Struct):
    """What came of the tickets.

    Attributes:
        matches: the ids of each match's tickets, in the order of the rounds; `rows` tells more of each.
        ends: ticket id → its end; those that still wait are not there.
        clock: after each round its time and how many tickets waited.
        blocked: rule → how often it was what kept one of a queue's oldest tickets.
        expired_by: rule → tickets that expired for it.
        seen: how many tickets there were.
    """

    matches: list[tuple[str, ...]] = []
    rows: list[Row] = []
    ends: dict[str, End] = {}
    clock: list[tuple[float, int]] = []
    blocked: Counter[str] = msgspec.field(default_factory=Counter)
    expired_by: Counter[str] = msgspec.field(default_factory=Counter)
    seen: int = 0

    @property
    def waits(self) -> list[float]:
        """Of matched tickets, seconds."""
        return [self.ends[ticket].wait for match in self.matches for ticket in match]

    @property
    def waiting(self) -> int:
        """Tickets still there at the end."""
        return self.seen - len(self.ends)

    def count(self, outcome: int) -> int:
        """Tickets that ended so."""
        return sum(end.outcome == outcome for end in self.ends.values())

    def matched(self, tickets: Sequence[Ticket], now: float, region: str, judged: tuple[float, float, float, float]) -> None:
        """Note a match; `judged` is its quality, gap, imbalance and the favourite's chance."""
        waits = [max(0.0, now - ticket.enqueued) for ticket in tickets]
        spilled = any(ticket.region != region for ticket in tickets)
        self.rows.append((now, sum(len(ticket.players) for ticket in tickets), *judged, max(waits, default=0.0), spilled))
        self.matches.append(tuple(ticket.id for ticket in tickets))
        self.ends |= {ticket.id: End(MATCHED, wait, len(self.rows) - 1) for ticket, wait in zip(tickets, waits, strict=True)}


class Log(msgspec.Struct):
    """A log, or several together.

    Attributes:
        lines: in the order of time.
        tickets: all of them, by id.
        gone: how those ended that were not matched, by id: LEFT (by themselves) or EXPIRED.
    """

    lines: list[RecordedRound]
    tickets: dict[str, Ticket]
    gone: dict[str, End]

    @property
    def rules(self) -> PoolRules:
        """The rules of the time; the last ones, if they changed.

        Raises:
            ReplayError: the log does not tell.
        """
        for line in reversed(self.lines):
            if line.rules is not msgspec.UNSET:
                return decode_rules(bytes(line.rules))
        raise ReplayError("the log does not tell the rules of the time: its first line is missing")


_decoder = msgspec.json.Decoder(RecordedRound)


def read_log(*logs: Iterable[bytes]) -> Log:
    """The lines of matchers' logs. A last line that is cut off is left out: its matcher was killed.

    Raises:
        ReplayError: a line cannot be read, or there is none.
    """
    found: list[RecordedRound] = []
    for log in logs:
        for number, line in enumerate(log, 1):
            try:
                found.append(_decoder.decode(line))
            except msgspec.MsgspecError as error:
                if not line.endswith(b"\n"):
                    break
                raise ReplayError(f"line {number} is no recorded round: {error}") from error
    if not found:
        raise ReplayError("the log is empty: its matcher saw no ticket")
    return joined(found)


def joined(lines: Iterable[RecordedRound]) -> Log:
    """A log of lines."""
    ordered = sorted(lines, key=lambda line: line.now)
    matched = {ticket for line in ordered for match in line.matches for ticket in match.tickets}
    tickets: dict[str, Ticket] = {}
    gone: dict[str, End] = {}
    ttl = float("inf")
    for line in ordered:
        if line.rules is not msgspec.UNSET:
            ttl = float(decode_rules(bytes(line.rules)).ticket.ttl)
        for ticket in line.added:
            tickets.setdefault(ticket.id, ticket)
        for name in line.removed:
            left = tickets.get(name)
            if left is not None and left.region == line.region and name not in matched and name not in gone:  # elsewhere it was a guest
                waited = max(0.0, line.now - left.enqueued)
                gone[name] = End(EXPIRED if waited >= ttl else LEFT, waited)
    return Log(ordered, tickets, gone)


def happened(log: Log) -> Outcome:
    """What came of the tickets then."""
    outcome, seen = Outcome(), set[str]()
    for line in log.lines:
        seen.update(ticket.id for ticket in line.added)
        for match in line.matches:
            tickets = [log.tickets[name] for name in match.tickets if name in log.tickets]
            outcome.matched(tickets, line.now, line.region, (match.quality, match.gap, match.imbalance, match.favourite))
        outcome.ends |= {name: log.gone[name] for name in line.removed if name in log.gone}
        outcome.clock.append((line.now, len(seen) - len(outcome.ends)))
    outcome.seen = len(seen)
    return outcome


def replay(log: Log, rules: PoolRules) -> Outcome:
    """What would have come of them under these rules.

    Raises:
        ReplayError: the rules know nothing of a queue in the log.
    """
    outcome, seen = Outcome(), set[str]()
    views: dict[tuple[str, str], QueueView] = {}
    known: dict[tuple[str, str], set[str]] = {}
    last: dict[str, str] = {}  # what kept a ticket, among the oldest of its queue
    for line in log.lines:
        queue = (line.region, line.mode)
        if rules.region(line.region) is None or line.mode not in rules.modes:
            raise ReplayError(f"the pool has no queue {line.region}/{line.mode}, of which the log tells; give it that region and mode")
        view = views.setdefault(queue, QueueView(region=line.region))
        before = known.setdefault(queue, set())
        for ticket in line.added:
            if ticket.id not in before and ticket.id not in outcome.ends:
                view.add(ticket)
        before.update(ticket.id for ticket in line.added)
        seen |= before
        for ticket in [each for each in view if each.id not in outcome.ends and line.now - each.enqueued >= rules.ticket.ttl]:
            outcome.ends[ticket.id] = End(EXPIRED, line.now - ticket.enqueued)
            outcome.expired_by[last.get(ticket.id, "players")] += 1
        for name in line.removed:
            if name not in outcome.ends and name in log.gone and log.gone[name].outcome == LEFT:
                outcome.ends[name] = log.gone[name]
        _forget(view, outcome)
        found = find_matches(view, rules, line.now, Random(line.seed))
        for match in found.matches:
            favourite = max(team.win_chance for team in match.teams)
            outcome.matched(match.tickets, line.now, line.region, (match.quality, match.gap, match.imbalance, favourite))
        _forget(view, outcome)
        reasons = {ticket.id: found.reasons.get(ticket.id) for ticket in islice(view, SAMPLE_TICKETS)}
        last |= {name: reason.rule for name, reason in reasons.items() if reason is not None}
        outcome.blocked.update(last[name] for name, reason in reasons.items() if reason is not None)
        outcome.clock.append((line.now, len(seen) - len(outcome.ends)))
    outcome.seen = len(seen)
    return outcome


def _forget(view: QueueView, outcome: Outcome) -> None:
    """Take out who has ended, here or in a neighbour's queue."""
    for name in [ticket.id for ticket in view if ticket.id in outcome.ends]:
        view.remove(name)
