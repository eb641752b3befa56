"""JSON merge patches (RFC 7396), and how deep a JSON value is."""

from collections.abc import Iterable
from typing import Any


def merged(value: Any, patch: Any) -> Any:
    """The value with a patch applied: objects are merged, null removes, everything else replaces. Neither argument is changed.

    Recurses as deep as the patch, which its sender's limits bound.
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, part in patch.items():
        if part is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), part)
    return result


def deeper_than(value: Any, limit: int) -> bool:
    """Whether more than `limit` objects and arrays are nested in each other."""
    level = _containers([value])
    for _ in range(limit):
        level = _containers(part for each in level for part in (each.values() if isinstance(each, dict) else each))
    return bool(level)


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]
