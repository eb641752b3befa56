"""JSON that means one thing only.

The standard leaves open what readers make of repeated names, of integers that a double cannot hold, of NaN and of endless nesting; each reader decides otherwise,
and what one checks is not what another one does. So such texts are refused, with the reason, before anything is decoded.
"""

import json
import re
from typing import Any

DEEPEST = 8  # levels of arrays and objects; our messages have four
LARGEST_INTEGER = 2**53  # beyond it, JavaScript and other readers of doubles see another number

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?')


class AmbiguousJsonError(ValueError):
    """The text says what is wrong, and what to do."""


def check(text: str) -> None:
    """Refuse what is no JSON, or JSON that readers understand differently.

    Raises:
        AmbiguousJsonError: a name comes twice, a number is NaN, infinite or too large, or it is nested too deeply.
        ValueError: it is no JSON.
    """
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(text)
    _decoder.decode(text)


def _check_depth(text: str) -> None:
    depth = 0
    for character in _STRING.sub("", text):
        if character in "[{":
            depth += 1
            if depth > DEEPEST:
                raise AmbiguousJsonError(f"arrays and objects are nested more than {DEEPEST} levels deep")
        elif character in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) != len(pairs):
        twice = next(name for i, (name, _) in enumerate(pairs) if name in {other for other, _ in pairs[:i]})
        raise AmbiguousJsonError(f"the name {json.dumps(twice[:40])} comes twice in an object; write it once")


def _integer(digits: str) -> None:
    if len(digits) > 17 or abs(int(digits)) > LARGEST_INTEGER:
        raise AmbiguousJsonError("an integer beyond 2^53; write it as a string")


def _constant(name: str) -> None:
    raise AmbiguousJsonError(f"{name} is no JSON number; leave the field out")


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=lambda _: None, parse_constant=_constant)
