"""The generated parts of the pools' reference: every field of every struct, with type, default and words, and what may expand.

Made of the structs themselves, as the CustomResourceDefinition is, so that neither can say what the other does not.
"""

from collections.abc import Iterator
from typing import Any, cast, get_args

import msgspec
from msgspec import inspect

from matchmaking.core.duration import Duration
from matchmaking.core.lint import FIELDS, LOOSER_UP
from matchmaking.core.pool import PoolRules, RoleQuota, Rule, RuleBase, Team
from matchmaking.core.schema import attribute_words, default_text, summary

Rows = list[tuple[str, ...]]
HEADER = ("field", "type", "default", "what")
SHARED = ("name", "weight")  # every rule has them


def pool_fields() -> Rows:
    """The whole spec, one row per field, those of nested objects below their owner."""
    return [HEADER, *_fields(PoolRules, "spec")]


def rules() -> list[tuple[str, str, Rows]]:
    """Type, summary and fields of each rule."""
    return [
        (str(kind.__struct_config__.tag), summary(kind), [HEADER, *(_row(field, kind, "") for field in _own(kind))])
        for kind in get_args(Rule)
    ]


def _own(kind: type) -> list[inspect.Field]:
    info = inspect.type_info(kind)
    return [field for field in info.fields if field.name not in SHARED] if isinstance(info, inspect.StructType) else []


def expandable() -> Rows:
    """What an expansion's target may name, and on which side it is looser."""
    rows: Rows = [("target", "looser")]
    for kind, fields in FIELDS.items():
        tag = cast("Any", kind).__struct_config__.tag
        owner = cast("dict[type, str]", {Team: "TEAM", RoleQuota: "TEAM.ROLE"}).get(kind) or f"RULE ({tag})"
        sides = {name: "up" if side == LOOSER_UP else "down" for name, (_, side) in fields.items()}
        if tag == "comparison":
            sides = {"value": "by its operator"}
        rows += [(f"`{owner}.{name}`" if " " not in owner else f"`RULE.{name}` ({owner[6:-1]})", side) for name, side in sides.items()]
    return [
        *rows,
        ("`RULE.weight`, `TEAM.ROLE.weight`", "down; a hard rule becomes a preference"),
        ("`RULE`, `TEAM.ROLE` with `disable: true`", "gone"),
    ]


def _fields(kind: type, path: str) -> Iterator[tuple[str, ...]]:
    info = inspect.type_info(kind)
    for field in info.fields if isinstance(info, inspect.StructType) else ():
        yield _row(field, kind, f"{path}.")
        for nested, many in _nested(field.type):
            if not issubclass(nested, RuleBase):
                yield from _fields(nested, f"{path}.{field.encode_name}{'[]' if many else ''}")


def _nested(kind: inspect.Type) -> Iterator[tuple[type, bool]]:
    if isinstance(kind, inspect.Metadata):
        yield from _nested(kind.type)
    elif isinstance(kind, inspect.StructType):
        yield kind.cls, False
    elif isinstance(kind, inspect.VarTupleType):
        yield from ((found, True) for found, _ in _nested(kind.item_type))


def _row(field: inspect.Field, owner: type, path: str) -> tuple[str, ...]:
    words = attribute_words(owner).get(field.name, "")
    default = default_text(field)
    if field.default_factory is not msgspec.NODEFAULT or isinstance(field.default, msgspec.Struct):
        default = ""
    shown = "required" if field.required else f"`{default}`" if default else ""
    return f"`{path}{field.encode_name}`", _type(field.type), shown, words.replace("|", "\\|")


def _type(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata():
            return _type(kind.type)
        case inspect.UnionType():
            members = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
            return "rule" if all(isinstance(each, inspect.StructType) for each in members) else " or ".join(map(_type, members))
        case inspect.VarTupleType():
            return f"list of {_type(kind.item_type)}"
        case inspect.CustomType() if kind.cls is Duration:
            return "duration"
        case inspect.LiteralType():
            return ", ".join(f"`{value}`" for value in kind.values)
        case inspect.IntType() | inspect.FloatType():
            return ("whole number" if isinstance(kind, inspect.IntType) else "number") + _bounds(kind)
        case inspect.BoolType():
            return "true, false"
        case inspect.StrType():
            return "text"
    return "object"


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    low = f"{kind.ge:g} to " if kind.ge is not None else f"over {kind.gt:g}, to " if kind.gt is not None else ""
    return f", {low}{kind.le:g}" if low and kind.le is not None else ""
