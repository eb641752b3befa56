"""The lint's look at attributes: of the kind that a rule can judge, with defaults that the hard rules admit.

A default stands in for every player who brings nothing, so one that a rule refuses keeps all of them waiting until their tickets expire.
"""

from collections.abc import Iterator

from .lint import Finding, error, steps_of, warning
from .pool import ComparisonRule, DistanceRule, IntersectionRule, PoolRules, Rule, TeamDistanceRule


def check_attributes(rules: PoolRules) -> Iterator[Finding]:
    """Rules that no player's attribute can keep, and defaults that no rule can judge."""
    places = {attribute.name: i for i, attribute in enumerate(rules.attributes)}
    for i, rule in enumerate(rules.rules):
        if isinstance(rule, IntersectionRule) and rule.attribute == "rating":
            yield error(f"spec.rules[{i}].attribute", "`rating` is a number; sets of words are compared here", "name an attribute of words")
        elif isinstance(rule, ComparisonRule | DistanceRule | TeamDistanceRule | IntersectionRule) and rule.attribute in places:
            yield from _check_default(places[rule.attribute], rule, rules)
    yield from _check_same_and_different(rules)


def _check_default(place: int, rule: Rule, rules: PoolRules) -> Iterator[Finding]:
    given = rules.attributes[place]
    path = f"spec.attributes[{place}]"
    if isinstance(rule, DistanceRule | TeamDistanceRule):
        if given.number is None:
            yield error(path, f"`{given.name}` is no number, and the rule `{rule.name}` measures distances of it", "give `number`")
    elif isinstance(rule, IntersectionRule):
        if given.number is not None:
            yield error(f"{path}.number", f"the rule `{rule.name}` compares sets of words", "give `words`")
        elif isinstance(given.value, list) and len(set(given.value)) < rule.min_count and _stays(rules, rule):
            yield warning(
                f"{path}.words",
                f"has under {rule.min_count} words, as many as the rule `{rule.name}` asks for: who brings none is never matched",
                "give more words, or remove the default: then such players are told at once",
            )
    elif isinstance(rule, ComparisonRule):
        yield from _check_compared_default(path, rule, rules, given.value)


def _check_compared_default(path: str, rule: ComparisonRule, rules: PoolRules, value: float | str | list[str]) -> Iterator[Finding]:
    if isinstance(value, list):
        yield error(f"{path}.words", f"the rule `{rule.name}` compares one word or number", "give `word` or `number`")
    elif isinstance(rule.value, float | int) and rule.operator not in {"=", "!="}:
        if isinstance(value, str):
            yield error(f"{path}.word", f"the rule `{rule.name}` compares numbers", "give `number`")
        elif not rule.teams and _stays(rules, rule) and not _keeps(value, rule.operator, float(rule.value)):
            yield warning(
                f"{path}.number",
                f"is {value:g}, which the rule `{rule.name}` ({rule.operator} {rule.value:g}) refuses: who brings none is never matched",
                "give a number that the rule admits, or remove the default: then such players are told at once",
            )


def _keeps(value: float, operator: str, bound: float) -> bool:
    return {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[operator]


def _stays(rules: PoolRules, rule: Rule) -> bool:
    """Whether a rule is hard, and no expansion ever touches it."""
    fields = ("value", "minCount", "weight")
    return rule.weight is None and not any(steps_of(rules, f"{rule.name}.{field}") for field in fields)


def _check_same_and_different(rules: PoolRules) -> Iterator[Finding]:
    """Two hard rules of which one wants all alike and the other all different leave no match of two."""
    first: dict[str, tuple[ComparisonRule, frozenset[str]]] = {}
    for i, rule in enumerate(rules.rules):
        if not isinstance(rule, ComparisonRule) or rule.value is not None or rule.operator not in {"=", "!="} or not _stays(rules, rule):
            continue
        teams = frozenset(rule.teams or (team.name for team in rules.teams))
        other, others = first.setdefault(rule.attribute, (rule, teams))
        both = [team for team in rules.teams if team.name in teams & others]
        if other.operator != rule.operator and sum(team.quantity * team.min_players for team in both) > 1:
            yield error(
                f"spec.rules[{i}].operator",
                f"`{other.name}` has `{other.operator}` for the same `{rule.attribute}`: no two players keep both",
                "remove one of the two, or give them different teams",
            )
