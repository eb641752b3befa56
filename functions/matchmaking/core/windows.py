"""What a pool's rules say at a given age: expansions applied.

Every expansion is a step function of age (`after` → `value`; each `every` another `by`; `disable`), so the rules as a whole are one too.
A stage, the tuple of how often each expansion has stepped, therefore names a rule set completely: rule sets are built once
per stage and shared by all tickets and candidate matches that are at that stage. The expansions apply in the order in which they
are written, each to what the earlier ones left.
"""

import math
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import msgspec

from .pool import Expansion, PoolRules, RoleQuota, Rule

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_MOST_STAGES = (
    4096  # kept rule sets; a linear expansion without limit has a stage for each `every`, and old tickets must not fill the memory
)
_WHOLE_NUMBERS = {"last_matches", "min_count", "max_size_difference", "max_difference", "largest", "min_players", "min", "max"}
_AT_LEAST_ONE = {"last_matches", "min_count", "largest", "min_players"}


AnyRule = TypeVar("AnyRule", Rule, RoleQuota)


class RuleSet:
    """The rules at one stage.

    Attributes:
        rules: those that are not disabled, in the pool's order, with their numbers of now.
        minimums: team name → `minPlayers` of now.
        quotas: team name → its role quotas of now.
        windows: each expansion's target → its number of now (for reasons).
    """

    __slots__ = ("minimums", "quotas", "rules", "windows")

    def __init__(
        self, rules: tuple[Rule, ...], minimums: dict[str, int], quotas: dict[str, tuple[RoleQuota, ...]], windows: dict[str, float]
    ) -> None:
        self.rules = rules
        self.minimums = minimums
        self.quotas = quotas
        self.windows = windows


def _field(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


def _stepped(step: Expansion, base: float, count: int) -> float:
    """The number after `count` steps from `base`; never below 0, never beyond the limit."""
    if step.value is not None:
        return step.value if count else base
    by = step.by or 0.0
    value = base + by * count
    if step.limit is not None and count:
        value = min(value, max(step.limit, base)) if by >= 0 else max(value, min(step.limit, base))
    return max(0.0, value)


class Schedule:
    """A pool's rules as a function of age."""

    def __init__(self, rules: PoolRules) -> None:
        self._pool = rules
        owners = {rule.name for rule in rules.rules} | {f"{team.name}.{quota.name}" for team in rules.teams for quota in team.roles}
        self._steps = tuple((step, *owner_and_field(step.target, owners)) for step in rules.expansions.steps)
        self._stages: dict[tuple[int, ...], RuleSet] = {}

    def stage(self, age: float) -> tuple[int, ...]:
        """How often each expansion has stepped at that age (seconds)."""
        return tuple([self._count(step, age) for step, _, _ in self._steps])

    @staticmethod
    def _count(step: Expansion, age: float) -> int:
        if age < step.after:
            return 0
        if step.every is None:
            return 1
        return int((age - step.after) // step.every)

    def at(self, age: float) -> RuleSet:
        """The rules at that age (seconds)."""
        stage = self.stage(age)
        found = self._stages.get(stage)
        if found is None:
            if len(self._stages) >= _MOST_STAGES:
                self._stages.clear()
            found = self._stages[stage] = self._build(stage)
        return found

    def _build(self, stage: tuple[int, ...]) -> RuleSet:
        by_name: dict[str, Rule] = {rule.name: rule for rule in self._pool.rules}
        minimums = {team.name: team.min_players for team in self._pool.teams}
        roles = {f"{team.name}.{quota.name}": quota for team in self._pool.teams for quota in team.roles}
        windows: dict[str, float] = {}
        for (step, owner, target), count in zip(self._steps, stage, strict=True):
            if step.disable:
                if count:
                    by_name.pop(owner, None)
                    roles.pop(owner, None)
                    windows = {key: value for key, value in windows.items() if key.rpartition(".")[0] != owner}
            elif owner in minimums and target == "minPlayers":
                value = max(1, int(_stepped(step, minimums[owner], count)))
                minimums[owner] = value
                windows[step.target] = value
            elif owner in roles:
                roles[owner], windows[step.target] = _changed(roles[owner], _field(target), step, count)
            elif owner in by_name:
                by_name[owner], windows[step.target] = _changed(by_name[owner], _field(target), step, count)
        active = tuple(by_name[rule.name] for rule in self._pool.rules if rule.name in by_name)
        quotas = {
            team.name: tuple(found for quota in team.roles if (found := roles.get(f"{team.name}.{quota.name}")))
            for team in self._pool.teams
        }
        return RuleSet(active, minimums, quotas, windows)

    def next_change(self, age: float) -> float | None:
        """Seconds from that age until an expansion steps next; None if none ever does."""
        waits = []
        for (step, _, _), count in zip(self._steps, self.stage(age), strict=True):
            if age < step.after + (step.every or 0.0):
                waits.append(step.after + (step.every or 0.0) - age)
            elif step.every is not None and not self._at_limit(step, count):
                waits.append(max(0.0, step.after + step.every * (count + 1) - age))
        return min(waits, default=None)

    def _at_limit(self, step: Expansion, count: int) -> bool:
        base = self._base(step)
        return _stepped(step, base, count) == _stepped(step, base, count + 1)

    def _base(self, step: Expansion) -> float:
        owner, _, target = step.target.rpartition(".")
        for team in self._pool.teams:
            if team.name == owner:
                return float(team.min_players)
            for quota in team.roles:
                if f"{team.name}.{quota.name}" == owner:
                    return _number(quota, _field(target))
        return next((_number(rule, _field(target)) for rule in self._pool.rules if rule.name == owner), 0.0)

    def changes(self, owner: str) -> bool:
        """Whether an expansion has anything to do with that rule."""
        return any(name == owner for _, name, _ in self._steps)

    def vary(self, owner: str, target: str) -> bool:
        """Whether an expansion changes that field, or disables its rule."""
        return any(name == owner and (step.disable or field == target) for step, name, field in self._steps)

    def only_disables(self, owner: str) -> bool:
        """Whether expansions leave the rule's weight alone: a rule is hard, or a preference, for as long as it is there."""
        return not any(name == owner and field == "weight" for _, name, field in self._steps)

    def vary_beyond(self, owner: str, target: str) -> bool:
        """Whether an expansion changes another field of that rule than this one."""
        return any(name == owner and not step.disable and field != target for step, name, field in self._steps)

    def only_grows(self, owner: str, target: str) -> bool:
        """Whether that field never shrinks with age, so that of two tickets the older one has the wider window."""
        steps = [step for step, name, field in self._steps if name == owner and (step.disable or field == target)]
        if any(step.disable and i < len(steps) - 1 for i, step in enumerate(steps)):
            return False
        values = [step.value for step in steps if step.value is not None]
        if any(step.every is not None for step in steps):
            return not values and all((step.by or 0.0) >= 0 for step in steps)
        rule = next((rule for rule in self._pool.rules if rule.name == owner), None)
        base = _number(rule, _field(target)) if rule is not None and target else 0.0
        after = [step.after for step in steps if step.value is not None]
        return values == sorted(values) and after == sorted(after) and (not values or values[0] >= base)

    def column(self, owner: str, target: str, base: float, ages: "NDArray[float64]") -> "NDArray[float64]":
        """One rule's number at many ages at once; infinite where the rule is disabled.

        Args:
            owner, target: the rule and its field in the manifest's spelling, for example `skill`, `maxDistance`.
            base: the field's number in the pool.
            ages: seconds.
        """
        import numpy as np

        values = np.full(len(ages), base)
        for step, name, field in self._steps:
            if name != owner or not (step.disable or field == target):
                continue
            if step.disable:
                values[ages >= step.after] = math.inf
            elif step.value is not None:
                values[(ages >= step.after) & (values < math.inf)] = step.value
            elif step.every is not None:
                counts = np.maximum(np.floor_divide(ages - step.after, step.every), 0.0)
                moved = np.maximum(values + (step.by or 0.0) * counts, 0.0)
                if step.limit is not None:
                    bound = np.maximum(values, step.limit) if (step.by or 0.0) >= 0 else np.minimum(values, step.limit)
                    moved = np.minimum(moved, bound) if (step.by or 0.0) >= 0 else np.maximum(moved, bound)
                values = np.where(counts > 0, moved, values)
        return values


def owner_and_field(target: str, owners: Collection[str]) -> tuple[str, str]:
    """What an expansion's target belongs to, and which field of it: `skill.maxDistance` and `side.tank.min` end in a field; `skill` and `side.tank`
    are a rule and a quota as a whole.

    Args:
        owners: names of rules, and of quotas in the form `side.tank`.
    """
    owner, _, field = target.rpartition(".")
    return (target, "") if target in owners or not owner else (owner, field)


def _number(rule: Rule | RoleQuota, field: str) -> float:
    value = getattr(rule, field, None)
    return float(value) if isinstance(value, int | float) else 0.0


def _changed(rule: AnyRule, field: str, step: Expansion, count: int) -> tuple[AnyRule, float]:
    """The rule after `count` steps of one expansion, and the field's number."""
    value = _stepped(step, _number(rule, field), count)
    if field in _WHOLE_NUMBERS:
        value = max(1 if field in _AT_LEAST_ONE else 0, int(value))
    if not count or not hasattr(rule, field):
        return rule, value
    return msgspec.structs.replace(rule, **{field: value}), value


@lru_cache(maxsize=16)
def schedule_of(rules: PoolRules) -> Schedule:
    """The pool's schedule; the same object for equal rules, so that its stages are built once."""
    return Schedule(rules)
