"""Whether a candidate match keeps the rules, and what it costs.

Every rule type has up to two measures: one over the tickets as a group, whatever their teams (`GROUP`), one over the teams (`SIDES`). A measure
returns how far the rule is broken, 0 if it is kept. A broken hard rule ends the matter; a broken preference costs its weight. Kept or
broken, gaps cost a little in proportion to the rule's base window, so that of two admissible matches the closer one is better.

The rules are those at the age that `ageSelection` picks from the tickets of the match. Whole-match rules (blocklist, recent opponents,
intersection) look at all players, team-mates included: who is not to meet an opponent again is not to share a match.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .candidate import Entry, Side, number_of, ticket_number
from .pool import (
    AvoidRecentOpponentsRule,
    BlocklistRule,
    ComparisonRule,
    CountRule,
    DistanceRule,
    IntersectionRule,
    LatencyRule,
    PartyRule,
    PoolRules,
    Rule,
    TeamComparisonRule,
    TeamDistanceRule,
    TeamSizeRule,
)
from .roles import broken_quotas
from .team_measures import BROKEN, counted, counts_hold, ordered, teams_are_sized, teams_compare
from .ticket import Player
from .windows import RuleSet, Schedule, schedule_of

MOST_GAP_COST = 1000.0  # what gaps can cost at most, in base windows: a zero window must not make costs infinite


class Frame:
    """What a round judges by.

    Attributes:
        rules, schedule: the pool's.
        region: where matches are played.
        now: seconds.
        bases: rule name → the width that gaps are measured in, its window in the pool.
    """

    __slots__ = ("bases", "how", "now", "region", "rules", "schedule")

    def __init__(self, rules: PoolRules, region: str, now: float) -> None:
        self.rules = rules
        self.schedule: Schedule = schedule_of(rules)
        self.region = region
        self.now = now
        self.how: str = rules.party.rating_aggregation
        self.bases = {rule.name: rule.max_distance or 1.0 for rule in rules.rules if isinstance(rule, DistanceRule | TeamDistanceRule)}

    def age(self, entries: Sequence[Entry]) -> float:
        """The age that counts in a match of these tickets."""
        ages = [entry.age for entry in entries]
        match self.rules.expansions.age_selection:
            case "oldest":
                return max(ages)
            case "newest":
                return min(ages)
            case _:
                return math.fsum(ages) / len(ages)

    def number(self, entry: Entry, attribute: str) -> float:
        """A ticket's number; NaN, which is within no window, if it has none."""
        if attribute == "rating":
            return entry.rating
        value = ticket_number(entry.ticket, attribute, self.how)
        return math.nan if value is None else value


class Verdict:
    """How a candidate match fares.

    Attributes:
        blocked: the hard rule that it breaks; empty if none.
        cost: of a match that breaks none; 0 is perfect.
        broken: the preferences that it breaks.
    """

    __slots__ = ("blocked", "broken", "cost")

    def __init__(self, blocked: str, cost: float, broken: tuple[str, ...] = ()) -> None:
        self.blocked = blocked
        self.cost = cost
        self.broken = broken


def mean(frame: Frame, entries: Iterable[Entry], present: Iterable[Player], attribute: str) -> float | None:
    """The players' average: a party counts with its aggregated number once for each of its players. None without players."""
    total, count = 0.0, 0
    for entry in entries:
        if entry.size:
            total += frame.number(entry, attribute) * entry.size
            count += entry.size
    for player in present:
        value = number_of(player, attribute)
        if value is not None:
            total += value
            count += 1
    return total / count if count else None


def _allowance(rule: DistanceRule, entry: Entry) -> float:
    if not rule.uncertainty:
        return rule.max_distance
    players = entry.ticket.players
    return rule.max_distance + rule.uncertainty * (sum(player.sigma for player in players) / len(players))


def _excess(value: float, window: float) -> float:
    """How far a value is beyond its window, in windows; 0 if within. NaN is beyond every window."""
    if value <= window:
        return 0.0
    return min(MOST_GAP_COST, (value - window) / (window or 1.0)) or BROKEN if value == value else MOST_GAP_COST  # noqa: PLR0124 - NaN differs from itself


def distance_gaps(frame: Frame, rule: DistanceRule, entries: Sequence[Entry], present: Sequence[Player]) -> list[tuple[float, float]]:
    """Each ticket's distance from the average (of two lone tickets: from the other), with its window."""
    playing = [entry for entry in entries if entry.size]
    if len(playing) == 2 and not present:
        gap = abs(frame.number(playing[0], rule.attribute) - frame.number(playing[1], rule.attribute))
        return [(gap, _allowance(rule, entry)) for entry in playing]
    middle = mean(frame, playing, present, rule.attribute)
    if middle is None:
        return []
    return [(abs(frame.number(entry, rule.attribute) - middle), _allowance(rule, entry)) for entry in playing]


def _distance_group(frame: Frame, rule: DistanceRule, entries: Sequence[Entry], present: Sequence[Player]) -> float:
    if rule.around == "team":
        return 0.0
    return max((_excess(gap, window) for gap, window in distance_gaps(frame, rule, entries, present)), default=0.0)


def _distance_sides(frame: Frame, rule: DistanceRule, sides: Sequence[Side]) -> float:
    if rule.around == "match":
        return 0.0
    return max(
        (_excess(gap, window) for side in sides for gap, window in distance_gaps(frame, rule, side.entries, side.present)), default=0.0
    )


def team_means(frame: Frame, sides: Sequence[Side], attribute: str) -> list[float]:
    """The averages of the teams that have players."""
    means = (mean(frame, side.entries, side.present, attribute) for side in sides)
    return [value for value in means if value is not None]


def _team_distance(frame: Frame, rule: TeamDistanceRule, sides: Sequence[Side]) -> float:
    means = team_means(frame, sides, rule.attribute)
    return _excess(max(means) - min(means), rule.max_distance) if len(means) > 1 else 0.0


def _compares(rule: ComparisonRule, value: float | str) -> bool:
    wanted = rule.value
    if wanted is None:
        return True
    if rule.operator in {"=", "!="}:
        return (value == wanted) == (rule.operator == "=")
    if isinstance(value, str) or isinstance(wanted, str):
        return isinstance(value, str) and isinstance(wanted, str) and ordered(rule.operator, (value > wanted) - (value < wanted))
    return ordered(rule.operator, (value > wanted) - (value < wanted))


def attribute_of(player: Player, attribute: str) -> float | str | None:
    """What a comparison compares; None if it is missing, or is a list."""
    if attribute == "rating":
        return player.rating
    value = player.attributes.get(attribute)
    return None if isinstance(value, list) else value


def _comparison(rule: ComparisonRule, entries: Iterable[Entry], present: Iterable[Player]) -> float:
    joining = [attribute_of(player, rule.attribute) for entry in entries for player in entry.ticket.players]
    if None in joining:
        return BROKEN
    if rule.value is not None:
        return 0.0 if all(_compares(rule, value) for value in joining if value is not None) else BROKEN
    there = [value for player in present if (value := attribute_of(player, rule.attribute)) is not None]
    together = joining + there
    if rule.operator == "=":
        return 0.0 if len(set(together)) <= 1 else BROKEN
    return BROKEN if rule.operator == "!=" and len(set(together)) < len(together) else 0.0


def _comparison_group(_frame: Frame, rule: ComparisonRule, entries: Sequence[Entry], present: Sequence[Player]) -> float:
    return 0.0 if rule.teams else _comparison(rule, entries, present)


def _comparison_sides(_frame: Frame, rule: ComparisonRule, sides: Sequence[Side]) -> float:
    return 0.0 if named_teams_compare(rule, sides) else BROKEN


def named_teams_compare(rule: ComparisonRule, sides: Sequence[Side]) -> bool:
    """Whether each of the teams that the rule names keeps it for itself."""
    return not any(_comparison(rule, side.entries, side.present) for side in sides if side.kind.name in rule.teams)


def _count_group(_frame: Frame, rule: CountRule, entries: Sequence[Entry], present: Sequence[Player]) -> float:
    """Only whether they are too many: more tickets may bring those that are missing."""
    if rule.teams or rule.max is None:
        return 0.0
    joining = (player for entry in entries for player in entry.ticket.players)
    return float(max(0, counted(rule, joining) + counted(rule, present) - rule.max))


def set_of(player: Player, attribute: str) -> frozenset[str] | None:
    """What an intersection intersects: a list's values, or a single word; None if there is neither."""
    value = player.attributes.get(attribute)
    if isinstance(value, str):
        return frozenset((value,))
    return frozenset(value) if isinstance(value, list) else None


def _intersection(_frame: Frame, rule: IntersectionRule, entries: Sequence[Entry], present: Sequence[Player]) -> float:
    shared: frozenset[str] | None = None
    for player in (player for entry in entries for player in entry.ticket.players):
        values = set_of(player, rule.attribute)
        if values is None:
            return BROKEN
        shared = values if shared is None else shared & values
    for player in present:
        values = set_of(player, rule.attribute)
        if values is not None:
            shared = values if shared is None else shared & values
    return 0.0 if shared is None or len(shared) >= rule.min_count else BROKEN


def _latency(frame: Frame, rule: LatencyRule, entries: Sequence[Entry], _present: Sequence[Player]) -> float:
    known = []
    for entry in entries:
        for player in entry.ticket.players:
            value = player.latency.get(frame.region)
            if value is not None:
                known.append(value)
            elif rule.on_missing == "reject":
                return BROKEN
    if not known:
        return 0.0
    spread = 0.0 if rule.max_spread_ms is None else _excess(max(known) - min(known), rule.max_spread_ms)
    return max(_excess(max(known), rule.max_latency_ms), spread)


def _companies(entries: Sequence[Entry], present: Sequence[Player]) -> list[tuple[float, tuple[Player, ...]]]:
    """Who comes together, with the age: each ticket's players, and those who are there already, who are as old as their backfill ticket."""
    companies = [(entry.age, entry.ticket.players) for entry in entries if entry.size]
    if present:
        companies.append((max((entry.age for entry in entries if not entry.size), default=0.0), tuple(present)))
    return companies


def _avoid_recent(_frame: Frame, rule: AvoidRecentOpponentsRule, entries: Sequence[Entry], present: Sequence[Player]) -> float:
    held = [company for company in _companies(entries, present) if company[0] < rule.release_after]
    ids = [frozenset(player.id for player in players) for _, players in held]
    for i, (_, players) in enumerate(held):
        for player in players:
            recent = player.recent[: rule.last_matches]
            if recent and any(not others.isdisjoint(recent) for j, others in enumerate(ids) if j != i):
                return BROKEN
    return 0.0


def _blocklist(_frame: Frame, _rule: BlocklistRule, entries: Sequence[Entry], present: Sequence[Player]) -> float:
    companies = _companies(entries, present)
    if not any(player.blocked for _, players in companies for player in players):
        return 0.0
    ids = [frozenset(player.id for player in players) for _, players in companies]
    for i, (_, players) in enumerate(companies):
        for player in players:
            if player.blocked and any(not others.isdisjoint(player.blocked) for j, others in enumerate(ids) if j != i):
                return BROKEN
    return 0.0


def _party_group(_frame: Frame, rule: PartyRule, entries: Sequence[Entry], _present: Sequence[Player]) -> float:
    return BROKEN if rule.largest is not None and any(entry.size > rule.largest for entry in entries) else 0.0


def _party_sides(_frame: Frame, rule: PartyRule, sides: Sequence[Side]) -> float:
    if rule.max_size_difference is None:
        return 0.0
    largest = [max((1 if side.present else 0, *(entry.size for entry in side.entries))) for side in sides if side.size]
    return BROKEN if largest and max(largest) - min(largest) > rule.max_size_difference else 0.0


GROUP: dict[type, Callable[[Frame, Any, Sequence[Entry], Sequence[Player]], float]] = {
    DistanceRule: _distance_group,
    ComparisonRule: _comparison_group,
    CountRule: _count_group,
    IntersectionRule: _intersection,
    LatencyRule: _latency,
    AvoidRecentOpponentsRule: _avoid_recent,
    BlocklistRule: _blocklist,
    PartyRule: _party_group,
}
SIDES: dict[type, Callable[[Frame, Any, Sequence[Side]], float]] = {
    DistanceRule: _distance_sides,
    TeamDistanceRule: _team_distance,
    ComparisonRule: _comparison_sides,
    TeamComparisonRule: lambda _frame, rule, sides: teams_compare(rule, sides),
    TeamSizeRule: lambda _frame, rule, sides: teams_are_sized(rule, sides),
    CountRule: lambda _frame, rule, sides: counts_hold(rule, sides),
    PartyRule: _party_sides,
}


def judge_group(frame: Frame, entries: Sequence[Entry], present: Sequence[Player] = (), rules: Sequence[Rule] | None = None) -> Verdict:
    """Judge the tickets as a group, without teams.

    Args:
        rules: those to look at; all that are in force at the match's age if left out.
    """
    cost, broken = 0.0, []
    for rule in frame.schedule.at(frame.age(entries)).rules if rules is None else rules:
        measure = GROUP.get(type(rule))
        if measure is None:
            continue
        if measure(frame, rule, entries, present):
            if rule.weight is None:
                return Verdict(rule.name, math.inf)
            cost += rule.weight
            broken.append(rule.name)
        if type(rule) is DistanceRule and rule.around == "match":
            gap = max((gap for gap, _ in distance_gaps(frame, rule, entries, present)), default=0.0)
            cost += min(MOST_GAP_COST, gap / frame.bases[rule.name])
    return Verdict("", cost, tuple(broken))


def judge_sides(frame: Frame, sides: Sequence[Side], in_force: RuleSet) -> Verdict:
    """Judge the teams: sizes, role quotas, and the rules between and within teams."""
    for side in sides:
        if not in_force.minimums[side.kind.name] <= side.size <= side.kind.max_players:
            return Verdict("players", math.inf)
    cost, broken = 0.0, []
    for rule in in_force.rules:
        measure = SIDES.get(type(rule))
        if measure is None:
            continue
        if measure(frame, rule, sides):
            if rule.weight is None:
                return Verdict(rule.name, math.inf)
            cost += rule.weight
            broken.append(rule.name)
        if type(rule) is TeamDistanceRule:
            means = team_means(frame, sides, rule.attribute)
            cost += min(MOST_GAP_COST, (max(means) - min(means)) / frame.bases[rule.name]) if means else 0.0
    for side in sides:
        quotas = in_force.quotas[side.kind.name]
        if quotas:
            role, extra, missed = broken_quotas(side, quotas)
            if role:
                return Verdict(f"{side.kind.name}.{role}", math.inf)
            cost += extra
            broken += missed
    return Verdict("", cost, tuple(broken))


def judge(frame: Frame, sides: Sequence[Side], backfill: Entry | None = None) -> Verdict:
    """Judge a whole candidate match.

    Args:
        backfill: the ticket of the running match that the sides belong to; its age counts, too.
    """
    entries = [entry for side in sides for entry in side.entries]
    if backfill is not None:
        entries.append(backfill)
    present = [player for side in sides for player in side.present]
    in_force = frame.schedule.at(frame.age(entries))
    group = judge_group(frame, entries, present, in_force.rules)
    if group.blocked:
        return group
    split = judge_sides(frame, sides, in_force)
    return Verdict(split.blocked, group.cost + split.cost, group.broken + split.broken)
