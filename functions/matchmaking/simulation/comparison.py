"""Two rule sets side by side: what differs in the rules, and what that did to a figure."""

import json
import math
from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from matchmaking.core.pool import PoolRules, encode_rules

from .measures import Figure

NOISE = 0.01  # relative; two runs of one population that differ by less are called equal

Verdict = Literal["better", "worse", "different", "equal"]


class RuleChange(Struct, frozen=True):
    """One field that differs; `–` where a side does not have it."""

    path: str
    first: str
    second: str


def rule_changes(first: PoolRules, second: PoolRules) -> list[RuleChange]:
    """Every field of the two specs that differs, by its path; list items with a name are matched by it."""
    ours, theirs = (dict(_flatten(json.loads(encode_rules(rules)), "spec")) for rules in (first, second))
    paths = [*ours, *(path for path in theirs if path not in ours)]
    return [RuleChange(path, ours.get(path, "–"), theirs.get(path, "–")) for path in paths if ours.get(path) != theirs.get(path)]


def _flatten(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{path}.{key}")
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for i, item in enumerate(value):
            key = item.get("name") or (f"{i}: {item['target']}" if "target" in item else str(i))
            yield from _flatten(item, f"{path}[{key}]")
    elif isinstance(value, bool):
        yield path, str(value).lower()  # as the manifest writes it
    elif value is not None and value != []:  # what one side alone leaves out gets a dash
        yield path, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def verdict(first: float, second: float, better: str) -> Verdict:
    """Whether the second of two values is better for players, worse, or as good as equal."""
    if not (math.isfinite(first) and math.isfinite(second)):
        return "equal" if math.isfinite(first) == math.isfinite(second) else "different"
    if abs(second - first) <= NOISE * max(abs(first), abs(second)):
        return "equal"
    if better == "neither":
        return "different"
    return "better" if (second < first) == (better == "lower") else "worse"


def figure_pairs(first: list[Figure], second: list[Figure]) -> list[tuple[Figure, Figure]]:
    """The figures of two summaries by name; one that only one side has meets a NaN."""
    ours, theirs = ({figure.name: figure for figure in figures} for figures in (first, second))
    pairs = []
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        known = ours.get(name) or theirs[name]
        absent = Figure(name, math.nan, known.unit, known.better, known.digits, known.hint)
        pairs.append((ours.get(name, absent), theirs.get(name, absent)))
    return pairs
