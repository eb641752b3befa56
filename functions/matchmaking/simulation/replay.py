"""What recorded tickets would have come to under other rules, beside what they came to.

Tickets arrive when they arrived, and rounds are run at the recorded times with the recorded seeds. Who was matched then waits here until these rules match it, or
until the pool's ttl; who left by itself then leaves at the same time here, unless it was matched before. Under the rules of the time the same matches come
out, as long as one matcher served the queue and no proposal met a conflict.
"""

from collections.abc import Iterable
from random import Random

import msgspec

from matchmaking.core.errors import MatchmakingError
from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules
from matchmaking.core.queue import QueueView
from matchmaking.core.ticket import Ticket


class ReplayError(MatchmakingError):
    """A log that cannot be replayed; the message says which line, and why."""


class Line(msgspec.Struct, frozen=True):
    """A recorded round; see `matcher/recording.py`."""

    region: str
    mode: str
    now: float
    seed: int
    added: tuple[Ticket, ...] = ()
    removed: tuple[str, ...] = ()
    matches: tuple[tuple[str, ...], ...] = ()


class Outcome(msgspec.Struct):
    """What came of the tickets.

    Attributes:
        matches: the ids of each match's tickets, in the order of the rounds.
        waits: of matched tickets, seconds.
        qualities, gaps: of matches, as these rules judge them.
        expired: tickets that waited until the ttl.
        left: tickets that left by themselves.
        waiting: tickets still there at the end.
    """

    matches: list[tuple[str, ...]] = []
    waits: list[float] = []
    qualities: list[float] = []
    gaps: list[float] = []
    expired: int = 0
    left: int = 0
    waiting: int = 0


_decoder = msgspec.json.Decoder(Line)


def read_log(lines: Iterable[bytes]) -> list[Line]:
    """A log's lines.

    Raises:
        ReplayError: a line cannot be read.
    """
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(_decoder.decode(line))
        except msgspec.MsgspecError as error:
            raise ReplayError(f"line {number} is no recorded round: {error}") from error
    if not found:
        raise ReplayError("the log is empty: its matcher saw no ticket")
    return found


def happened(log: list[Line]) -> Outcome:
    """What came of the tickets then."""
    outcome = Outcome()
    since = {ticket.id: ticket.enqueued for line in log for ticket in line.added}
    matched = _matched(log)
    for line in log:
        for match in line.matches:
            outcome.matches.append(match)
            outcome.waits += [max(0.0, line.now - since[ticket]) for ticket in match if ticket in since]
        outcome.left += sum(ticket not in matched for ticket in line.removed)
    gone = {ticket for line in log for ticket in line.removed} | matched
    outcome.waiting = len(since.keys() - gone)
    return outcome


def replay(log: list[Line], rules: PoolRules) -> Outcome:
    """What would have come of them under these rules.

    Raises:
        ReplayError: the rules know nothing of a queue in the log.
    """
    matched = _matched(log)
    outcome = Outcome()
    views: dict[tuple[str, str], QueueView] = {}
    for line in log:
        if rules.region(line.region) is None or line.mode not in rules.modes:
            raise ReplayError(f"the pool has no queue {line.region}/{line.mode}, of which the log tells; give it that region and mode")
        view = views.setdefault((line.region, line.mode), QueueView())
        for ticket in line.added:
            view.add(ticket)
        for name in line.removed:
            if name in view and name not in matched:
                view.remove(name)
                outcome.left += 1
        for ticket in [each for each in view if line.now - each.enqueued >= rules.ticket.ttl]:
            view.remove(ticket.id)
            outcome.expired += 1
        for match in find_matches(view, rules, line.now, Random(line.seed)).matches:
            outcome.matches.append(tuple(ticket.id for ticket in match.tickets))
            outcome.qualities.append(match.quality)
            outcome.gaps.append(match.gap)
            for ticket in match.tickets:
                outcome.waits.append(max(0.0, line.now - ticket.enqueued))
                view.remove(ticket.id)
    outcome.waiting = sum(len(view) for view in views.values())
    return outcome


def _matched(log: list[Line]) -> set[str]:
    return {ticket for line in log for match in line.matches for ticket in match}
