"""What must be equal in a match divides a queue: tickets that differ in it are not even looked at together.

While such a rule is hard, its words are buckets. If an expansion makes it give way, what is left in the buckets is looked at once more, together.
"""

from collections.abc import Hashable, Iterable, Sequence

from .candidate import Entry
from .pool import ComparisonRule, PoolRules
from .ticket import Player


def is_equality(rule: object) -> bool:
    """Whether the rule says that all players of a match have the same word or number."""
    return isinstance(rule, ComparisonRule) and rule.operator == "=" and rule.value is None and not rule.teams


def must_be_equal(rules: PoolRules) -> list[str]:
    """The attributes that are the same for all players of a match, at least at first."""
    return [rule.attribute for rule in rules.rules if isinstance(rule, ComparisonRule) and is_equality(rule) and rule.weight is None]


def gives_way(rules: PoolRules) -> bool:
    """Whether an expansion ever lets tickets meet that differ in one of them."""
    names = {rule.name for rule in rules.rules if is_equality(rule) and rule.weight is None}
    return any(step.target.partition(".")[0] in names for step in rules.expansions.steps)


def divided(rules: PoolRules, bucket: Sequence[Entry]) -> list[list[Entry]]:
    """The tickets in groups that may meet: first by what must be equal, then, if that gives way, all together."""
    attributes = must_be_equal(rules)
    if not attributes:
        return [list(bucket)]
    groups: dict[Hashable, list[Entry]] = {}
    for entry in bucket:
        groups.setdefault(tuple(_common(entry, attribute) for attribute in attributes), []).append(entry)
    anybody = [entry for key, entries in groups.items() if entry_is_open(key) for entry in entries]
    parts = [entries for key, entries in groups.items() if not entry_is_open(key)]
    if anybody or gives_way(rules):
        parts.append(list(bucket))
    return parts


def entry_is_open(key: Hashable) -> bool:
    """Whether a key leaves a value open: of a running match whose players do not tell theirs, or of players who differ among themselves."""
    return isinstance(key, tuple) and None in key


def _common(entry: Entry, attribute: str) -> Hashable:
    """What the ticket's players, or those of its running match, have in common; None if that is nothing."""
    slots = entry.ticket.backfill
    players: Iterable[Player] = entry.ticket.players if slots is None else (player for there in slots.teams.values() for player in there)
    values = {player.rating if attribute == "rating" else _hashable(player.attributes.get(attribute)) for player in players} - {None}
    return values.pop() if len(values) == 1 else None


def _hashable(value: float | str | list[str] | None) -> Hashable:
    return None if isinstance(value, list) else value
