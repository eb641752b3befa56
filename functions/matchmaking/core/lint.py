"""What the lint says, and its check of expansions: every step must resolve, come in time and give way.

Steps apply in the order in which they are written, each to what the earlier ones left; so they are read in that order, target by target,
and a step that is written late but comes early would take back what an older ticket has already got. For each field it is known on which
side it is looser; a step that goes to the other side contradicts what an expansion is for.
"""

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from .pool import (
    AvoidRecentOpponentsRule,
    ComparisonRule,
    CountRule,
    DistanceRule,
    Expansion,
    IntersectionRule,
    LatencyRule,
    PartyRule,
    PoolRules,
    RoleQuota,
    RuleBase,
    Team,
    TeamComparisonRule,
    TeamDistanceRule,
    TeamSizeRule,
)
from .windows import owner_and_field

LOOSER_UP, LOOSER_DOWN = 1, -1

# The fields that may expand: attribute in our structs, and the side on which they are looser.
FIELDS: dict[type, dict[str, tuple[str, int]]] = {
    DistanceRule: {"maxDistance": ("max_distance", LOOSER_UP), "uncertainty": ("uncertainty", LOOSER_UP)},
    TeamDistanceRule: {"maxDistance": ("max_distance", LOOSER_UP)},
    ComparisonRule: {"value": ("value", LOOSER_UP)},  # the operator turns it: see `_side`
    IntersectionRule: {"minCount": ("min_count", LOOSER_DOWN)},
    LatencyRule: {"maxLatencyMs": ("max_latency_ms", LOOSER_UP), "maxSpreadMs": ("max_spread_ms", LOOSER_UP)},
    AvoidRecentOpponentsRule: {"lastMatches": ("last_matches", LOOSER_DOWN), "releaseAfter": ("release_after", LOOSER_DOWN)},
    PartyRule: {"maxSizeDifference": ("max_size_difference", LOOSER_UP), "largest": ("largest", LOOSER_UP)},
    TeamSizeRule: {"maxDifference": ("max_difference", LOOSER_UP)},
    CountRule: {"min": ("min", LOOSER_DOWN), "max": ("max", LOOSER_UP)},
    TeamComparisonRule: {},
    RoleQuota: {"min": ("min", LOOSER_DOWN), "max": ("max", LOOSER_UP)},
    Team: {"minPlayers": ("min_players", LOOSER_DOWN)},
}
COUNTS = frozenset({"minCount", "lastMatches", "maxSizeDifference", "maxDifference", "largest", "minPlayers", "min", "max"})
AT_LEAST_ONE = COUNTS - {"maxSizeDifference", "maxDifference", "min", "max"}


class Finding(Struct, frozen=True):
    """One thing that the lint found.

    Attributes:
        path: the field, in the manifest's own terms, for example `spec.expansions.steps[0].after`.
        severity: `error` for what cannot work or contradicts itself, `warning` for what is hardly meant.
        message: what is wrong.
        proposal: what to write instead.
    """

    path: str
    severity: Literal["error", "warning"]
    message: str
    proposal: str


def error(path: str, message: str, proposal: str) -> Finding:
    """A finding that makes the pool unsatisfiable."""
    return Finding(path, "error", message, proposal)


def warning(path: str, message: str, proposal: str) -> Finding:
    """A finding that deserves a second look."""
    return Finding(path, "warning", message, proposal)


def steps_of(rules: PoolRules, target: str) -> list[Expansion]:
    """The steps that change a rule (by its name) or one field of it (`skill.maxDistance`)."""
    return [step for step in rules.expansions.steps if step.target == target or (step.disable and step.target == target.rpartition(".")[0])]


def check_expansions(rules: PoolRules) -> Iterator[Finding]:
    """Every step by itself, then the steps of each target one after another."""
    owners: dict[str, Any] = {team.name: team for team in rules.teams} | {rule.name: rule for rule in rules.rules}
    owners |= {f"{team.name}.{quota.name}": quota for team in rules.teams for quota in team.roles}
    timelines: dict[str, list[tuple[int, Expansion]]] = {}
    for i, step in enumerate(rules.expansions.steps):
        path = f"spec.expansions.steps[{i}]"
        yield from _check_time(path, step, rules)
        resolved = list(_check_target(path, step, owners))
        yield from resolved
        if not resolved:
            timelines.setdefault(step.target, []).append((i, step))
    for target, timeline in timelines.items():
        owner, field = owner_and_field(target, owners)
        if field:
            yield from _check_timeline(owners[owner], field, timeline)
            yield from _check_after_disabled(timelines.get(owner, []), timeline)


def _check_time(path: str, step: Expansion, rules: PoolRules) -> Iterator[Finding]:
    first = step.after + (step.every or 0)
    if first >= rules.ticket.ttl:
        field = "every" if step.after < rules.ticket.ttl else "after"
        yield error(
            f"{path}.{field}",
            f"takes effect at {first:g}s, when tickets have expired (spec.ticket.ttl is {rules.ticket.ttl})",
            f"let it come before {rules.ticket.ttl}, or raise spec.ticket.ttl",
        )
    if step.every is None and not step.disable and not step.after:
        yield warning(f"{path}.after", "is 0s: the step holds from the start", "write the value into the rule itself, or say when")
    if step.every is None and (step.by is not None or step.limit is not None):
        yield error(path, "`by` and `limit` belong to a step with `every`; here they do nothing", "remove them, or give `every`")


def _check_target(path: str, step: Expansion, owners: dict[str, Any]) -> Iterator[Finding]:
    owner, field = owner_and_field(step.target, owners)
    thing = owners[owner]
    fields = sorted([*FIELDS.get(type(thing), {}), *(["weight"] if isinstance(thing, RuleBase | RoleQuota) else [])])
    if step.disable:
        if not isinstance(thing, RuleBase | RoleQuota):
            yield error(f"{path}.target", f"`{owner}` is a team; only rules can be disabled", f"lower `{owner}.minPlayers` instead")
        elif field:
            yield error(f"{path}.target", "`disable` takes a whole rule, not a field", f"write `{owner}`")
        return
    if field not in fields:
        known = ", ".join(f"`{owner}.{name}`" for name in fields)
        yield error(f"{path}.target", f"`{owner}` has no field `{field}` that can expand", f"use {known}" if known else "remove the step")
        return
    if field == "weight":
        return
    value = getattr(thing, FIELDS[type(thing)][field][0])
    if value is None or isinstance(value, str):
        yield error(f"{path}.target", f"`{step.target}` has no number to start from", f"give `{owner}` a number for `{field}` first")


def _check_timeline(thing: Any, field: str, timeline: list[tuple[int, Expansion]]) -> Iterator[Finding]:
    """Follow one field through its steps."""
    if field == "weight":
        current, side = thing.weight if thing.weight is not None else float("inf"), LOOSER_DOWN
    else:
        current, side = float(getattr(thing, FIELDS[type(thing)][field][0])), _side(thing, field)
    latest = -1.0
    for i, step in timeline:
        path = f"spec.expansions.steps[{i}]"
        if step.after == latest:
            yield error(f"{path}.after", f"another step changes `{step.target}` at {step.after}", "keep one, or give them different ages")
        elif step.after < latest and step.value is not None:
            yield error(
                f"{path}.after",
                f"comes before a step written above it; it would still hold at {latest:g}s, because steps apply in the order written",
                "write the steps of a target in the order of their ages",
            )
        latest = max(latest, step.after)
        yield from _check_amounts(path, thing, field, step)
        if step.value is not None:
            if side and (step.value - current) * side < 0:
                yield _shrinks(f"{path}.value", step.target, current, step.value, side)
            elif step.value == current:
                yield warning(f"{path}.value", f"`{step.target}` is {current:g} already", "remove the step, or let it give way further")
            current = step.value
        elif step.by is not None:
            yield from _check_linear(path, step, current, side)
            current = step.limit if step.limit is not None else current + step.by


def _check_linear(path: str, step: Expansion, current: float, side: int) -> Iterator[Finding]:
    by = step.by or 0.0
    if by == 0:
        yield error(f"{path}.by", "is 0: nothing changes", "say how much the window widens at a time")
    elif side and by * side < 0:
        yield error(
            f"{path}.by",
            f"`{step.target}` goes from {current:g} to {current + by:g}: it gets stricter while a ticket waits",
            f"write {-by:g}; expansions only give way",
        )
    elif step.limit is not None and (step.limit - current) * by < 0:
        yield error(
            f"{path}.limit",
            f"{step.limit:g} is on the other side of where `{step.target}` starts ({current:g}), seen in the direction of `by`",
            f"give a limit {'over' if by > 0 else 'under'} {current:g}",
        )
    elif step.limit == current:
        yield warning(f"{path}.limit", f"`{step.target}` starts at its limit ({current:g})", "remove the step, or move the limit")
    elif step.limit is None and by < 0:
        yield warning(f"{path}.limit", f"without it `{step.target}` falls to nothing", "say where it ends")


def _check_amounts(path: str, thing: Any, field: str, step: Expansion) -> Iterator[Finding]:
    """Counts are whole numbers, and a team's minimum stays within the team."""
    for name, amount in (("value", step.value), ("by", step.by), ("limit", step.limit)):
        if amount is None:
            continue
        if field in COUNTS and amount != int(amount):
            yield error(f"{path}.{name}", f"`{field}` counts in whole numbers, got {amount:g}", f"write {round(amount)}")
        elif isinstance(thing, Team) and name != "by" and not 1 <= amount <= thing.max_players:
            yield error(f"{path}.{name}", f"a team has 1 to {thing.max_players} players, got {amount:g}", "stay within the team's size")
        elif field in AT_LEAST_ONE and name != "by" and amount < 1:
            yield error(f"{path}.{name}", f"`{field}` never falls under 1", "to drop the rule altogether, write `disable: true`")


def _check_after_disabled(disables: list[tuple[int, Expansion]], timeline: list[tuple[int, Expansion]]) -> Iterator[Finding]:
    end = min((step.after for _, step in disables), default=None)
    if end is None:
        return
    for i, step in timeline:
        if step.after + (step.every or 0) >= end:
            yield error(
                f"spec.expansions.steps[{i}].after",
                f"the rule is disabled at {end}; this step never takes effect",
                f"let it come before {end}, or disable the rule later",
            )


def _side(thing: Any, field: str) -> int:
    """The side on which a field is looser; 0 if it has none."""
    if isinstance(thing, ComparisonRule):
        return {"<": LOOSER_UP, "<=": LOOSER_UP, ">": LOOSER_DOWN, ">=": LOOSER_DOWN}.get(thing.operator, 0)
    return FIELDS[type(thing)][field][1]


def _shrinks(path: str, target: str, before: float, after: float, side: int) -> Finding:
    return error(
        path,
        f"`{target}` goes from {before:g} to {after:g}: it gets stricter while a ticket waits",
        f"give a value {'over' if side == LOOSER_UP else 'under'} {before:g}; expansions only give way",
    )
