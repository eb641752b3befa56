"""What the pool's rules ask of players: attributes and roles, drawn so that each rule has something to decide."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from matchmaking.core.pool import ComparisonRule, CountRule, IntersectionRule, PoolRules, Rule, TeamComparisonRule

Value = float | str | list[str]
Draw = Callable[[Rule, NDArray[np.float64], np.random.Generator], Sequence[Value]]

KEEPS = 0.9  # of players keep a comparison with a number
CHOICES = 6  # maps, modes, … to like
LIKES = 0.6  # chance that a player likes each of them
FLEXIBLE = 0.15  # of players take any role
SECOND_ROLE = 0.35  # of players take a second one
WANTED = 1.3  # how much more often a role (or what a rule counts) is there than the teams need it


def draw_attributes(pools: Sequence[PoolRules], ratings: NDArray[np.float64], random: np.random.Generator) -> list[dict[str, Value]]:
    """The attributes of each player; all players of a pool without such rules share one empty mapping."""
    columns: dict[str, Sequence[Value]] = {}
    for rules in pools:
        for rule in rules.rules:
            for attribute in (getattr(rule, "attribute", "rating"), getattr(rule, "other_attribute", "rating")):
                if attribute != "rating" and attribute not in columns:
                    columns[attribute] = _column(attribute, rule, rules, ratings, random)
    if not columns:
        empty: dict[str, Value] = {}
        return [empty] * len(ratings)
    names = list(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _column(attribute: str, rule: Rule, rules: PoolRules, ratings: NDArray[np.float64], random: np.random.Generator) -> Sequence[Value]:
    count = len(ratings)
    if isinstance(rule, IntersectionRule):
        return _likes(rule, count, random)
    if isinstance(rule, ComparisonRule):
        return _compared(rule, rules, count, random)
    if isinstance(rule, CountRule):
        return _counted(
            [other for other in rules.rules if isinstance(other, CountRule) and other.attribute == attribute], rules, count, random
        )
    skill = (ratings - rules.rating.initial.mu) / rules.rating.initial.sigma
    if isinstance(rule, TeamComparisonRule):
        return _asked(attribute, rule, rules, skill, random)
    unit = getattr(rule, "max_distance", 0.0) or 1.0
    drawn = unit * (10 + 3 * skill + 2 * random.standard_normal(count))
    return np.round(np.maximum(drawn, 0.0), 3).tolist()  # type: ignore[no-any-return]


def _asked(
    attribute: str, rule: TeamComparisonRule, rules: PoolRules, skill: NDArray[np.float64], random: np.random.Generator
) -> Sequence[Value]:
    """One team's number as another team asks for it: of the scale of what it is compared with, and by one deviation on the side that is easy to keep."""
    noise = random.standard_normal(len(skill)) / 2
    on_left = attribute == rule.attribute
    easy = {">": -1.0, ">=": -1.0, "<": 1.0, "<=": 1.0}.get(rule.operator, 0.0) * (-1 if on_left else 1)
    middle, unit = 10.0, 3.0
    if "rating" in {rule.attribute, rule.other_attribute}:
        middle, unit = rules.rating.initial.mu, rules.rating.initial.sigma
    return np.round(np.maximum(middle + unit * (skill + easy + noise), 0.0), 3).tolist()  # type: ignore[no-any-return]


def _counted(counts: Sequence[CountRule], rules: PoolRules, count: int, random: np.random.Generator) -> Sequence[Value]:
    """Each player is one of those who are counted, or another: the former somewhat more often than the rules need them, or than they let in."""
    shares: dict[float | str, float] = {}
    for rule in counts:
        shares[rule.value] = max(shares.get(rule.value, 0.0), _share_counted(rule, rules) * WANTED)
    values = list(shares)
    other: float | str = "other" if isinstance(values[0], str) else 1 + max(value for value in values if not isinstance(value, str))
    weights = np.array([*shares.values(), max(0.05, 1 - sum(shares.values()))])
    drawn = random.choice(len(weights), count, p=weights / weights.sum()).tolist()
    return [[*values, other][i] for i in drawn]


def _share_counted(rule: CountRule, rules: PoolRules) -> float:
    """Of a match's players, those whom the rule must have; or may have, if it must have none."""
    wanted = rule.min or (0.1 if rule.max is None else rule.max)
    teams = sum(team.quantity for team in rules.teams if team.name in rule.teams) if rule.teams else 1
    return min(1.0, wanted * teams / rules.max_match_players)


def _likes(rule: IntersectionRule, count: int, random: np.random.Generator) -> Sequence[Value]:
    options = [f"{rule.attribute}-{i + 1}" for i in range(max(CHOICES, 2 * rule.min_count))]
    liked = random.random((count, len(options))) < LIKES
    must = np.argsort(random.random(liked.shape), axis=1)[:, : rule.min_count]
    np.put_along_axis(liked, must, values=True, axis=1)
    return [[option for option, like in zip(options, row, strict=True) if like] for row in liked.tolist()]


def _compared(rule: ComparisonRule, rules: PoolRules, count: int, random: np.random.Generator) -> Sequence[Value]:
    if rule.value is None:
        options = 3 if rule.operator == "=" else 12
        return [f"{rule.attribute}-{i + 1}" for i in random.choice(options, count, p=_falling(options)).tolist()]
    keeps = random.random(count) < _share_that_keeps(rule, rules)
    if isinstance(rule.value, str):
        text = rule.value
        same = rule.operator == "="
        return [text if keep is same else "other" for keep in keeps.tolist()]
    away = np.maximum(1.0, abs(rule.value)) * (0.01 + np.abs(random.standard_normal(count)) / 2)
    if rule.operator in {"=", "!="}:
        exact = keeps if rule.operator == "=" else ~keeps
        numbers = np.where(exact, rule.value, rule.value + np.ceil(away))
    else:
        up = rule.operator in {">", ">="}
        numbers = rule.value + np.where(keeps, away, -away) * (1 if up else -1)
    result: list[Value] = np.round(numbers, 3).tolist()
    return result


def _share_that_keeps(rule: ComparisonRule, rules: PoolRules) -> float:
    """A rule for some teams is kept by as many players as these teams take; a rule for all, by most."""
    if not rule.teams:
        return KEEPS
    return sum(team.quantity * team.max_players for team in rules.teams if team.name in rule.teams) / rules.max_match_players


def draw_roles(pools: Sequence[PoolRules], count: int, random: np.random.Generator) -> list[tuple[str, ...]]:
    """The roles that each player takes, first choice first; empty where the pool has none, or the player takes any."""
    needed: dict[str, float] = {}
    for rules in pools:
        for team in rules.teams:
            for role in team.roles:
                share = team.quantity * max(role.min, min(role.max, 1)) / max(1, rules.max_match_players)
                needed[role.name] = max(needed.get(role.name, 0.0), share * WANTED)
    if not needed:
        return [()] * count
    names = [*needed, "other"]
    weights = np.array([*needed.values(), max(0.0, 1 - sum(needed.values()))])
    first, second = (random.choice(len(names), count, p=weights / weights.sum()).tolist() for _ in range(2))
    luck = random.random((count, 2)).tolist()
    return [
        () if flexible < FLEXIBLE else (names[a], names[b]) if more < SECOND_ROLE and a != b else (names[a],)
        for a, b, (flexible, more) in zip(first, second, luck, strict=True)
    ]


def _falling(count: int) -> NDArray[np.float64]:
    weights = 1 / np.arange(1, count + 1)
    falling: NDArray[np.float64] = weights / weights.sum()
    return falling
