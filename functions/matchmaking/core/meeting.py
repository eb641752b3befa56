"""Whether tickets could share a match at all, whoever else is in it: what a search prunes by.

Most rules for groups can only be broken further by more tickets, so they are asked as they are. The distance from the average is not among them: a
ticket in between moves the average. But every ticket stays within its own window of one and the same average, so the windows around
any two of them must overlap.
"""

from collections.abc import Sequence

from .candidate import Entry
from .evaluate import GROUP, Frame
from .pool import DistanceRule
from .ticket import Player


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
    reach = []
    for entry in entries:
        if entry.size:
            sigma = sum(player.sigma for player in entry.ticket.players) / entry.size if rule.uncertainty else 0.0
            reach.append((frame.number(entry, rule.attribute), rule.max_distance + rule.uncertainty * sigma))
    return not reach or max(number - window for number, window in reach) <= min(number + window for number, window in reach)
