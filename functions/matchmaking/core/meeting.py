"""Whether tickets could share a match at all, whoever else is in it: what a search prunes by.

Most rules for groups can only be broken further by more tickets, so they are asked as they are. The distance from the average is not among them: a
ticket in between moves the average. But every ticket stays within its own window of one and the same average, so the windows around
any two of them must overlap.
"""

import math
from collections.abc import Sequence

from .candidate import Entry
from .evaluate import GROUP, Frame
from .pool import DistanceRule
from .ticket import Player
from .windows import RuleSet


def could_meet(frame: Frame, entries: Sequence[Entry], present: Sequence[Player]) -> bool:
    """Whether these tickets keep the hard rules that further tickets can only break further, at their own age."""
    for rule in frame.schedule.at(frame.age(entries)).rules:
        if rule.weight is not None:
            continue
        if isinstance(rule, DistanceRule):
            if not _within_two_windows(frame, rule, entries):
                return False
            continue
        measure = GROUP.get(type(rule))
        if measure is not None and measure(frame, rule, entries, present):
            return False
    return True


def _within_two_windows(frame: Frame, rule: DistanceRule, entries: Sequence[Entry]) -> bool:
    if rule.around == "team":
        return True
    reach = [_reach(frame, rule, entry) for entry in entries if entry.size]
    return not reach or max(low for low, _ in reach) <= min(high for _, high in reach)


def _reach(frame: Frame, rule: DistanceRule, entry: Entry) -> tuple[float, float]:
    """The averages that a ticket bears."""
    number, window = frame.number(entry, rule.attribute), rule.max_distance
    if rule.uncertainty:
        window += rule.uncertainty * sum(player.sigma for player in entry.ticket.players) / entry.size
    return number - window, number + window


class Gathering:
    """A group of tickets that grows: `could_meet` for one more ticket, without going through the whole group again for each.

    Args:
        present: players who are there already.
    """

    def __init__(self, frame: Frame, seed: Entry, present: Sequence[Player]) -> None:
        self.entries = [seed]
        self._frame, self._present = frame, present
        self._use(frame.schedule.at(seed.age))

    def _use(self, in_force: RuleSet) -> None:
        """Look at everybody by other rules: the group's age has come to another stage."""
        hard = [rule for rule in in_force.rules if rule.weight is None]
        self._in_force = in_force
        self._windows = [rule for rule in hard if isinstance(rule, DistanceRule) and rule.around == "match"]
        self._others = [(rule, GROUP[type(rule)]) for rule in hard if type(rule) in GROUP and not isinstance(rule, DistanceRule)]
        self._borne = [(-math.inf, math.inf)] * len(self._windows)
        for entry in self.entries:
            self._borne = self._narrowed(entry)

    def _narrowed(self, entry: Entry) -> list[tuple[float, float]]:
        if not entry.size:
            return self._borne
        reaches = [_reach(self._frame, rule, entry) for rule in self._windows]
        return [(max(low, own[0]), min(high, own[1])) for (low, high), own in zip(self._borne, reaches, strict=True)]

    def admits(self, entry: Entry) -> bool:
        """Whether the group and this ticket keep the hard rules that further tickets can only break further."""
        together = [*self.entries, entry]
        in_force = self._frame.schedule.at(self._frame.age(together))
        if in_force is not self._in_force:
            return could_meet(self._frame, together, self._present)
        if not all(low <= high for low, high in self._narrowed(entry)):
            return False
        return not any(measure(self._frame, rule, together, self._present) for rule, measure in self._others)

    def add(self, entry: Entry) -> None:
        """Take a ticket in."""
        self.entries.append(entry)
        in_force = self._frame.schedule.at(self._frame.age(self.entries))
        if in_force is self._in_force:
            self._borne = self._narrowed(entry)
        else:
            self._use(in_force)
