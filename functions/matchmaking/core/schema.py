"""OpenAPI v3 schemas in Kubernetes' structural form, made of our structs: types, bounds, and each field's words from its struct's docstring.

A tagged union becomes one object with the fields of all its members, because a structural schema cannot branch; which field belongs to which
member is said by CEL rules, made here too. Defaults are told in descriptions and not filled in by the API server: a manifest stays as it was written.
"""

import re
from inspect import cleandoc
from typing import Any

import msgspec
from msgspec import inspect

from .duration import LONGEST, PATTERN, Duration

Schema = dict[str, Any]

DURATION_CHARACTERS = 24  # enough for every unit; bounds what CEL has to parse


def schema_of(kind: type) -> Schema:
    """The schema of a struct."""
    return _schema(inspect.type_info(kind))


def _schema(kind: inspect.Type) -> Schema:
    if isinstance(kind, inspect.Metadata):
        return {**_schema(kind.type), **(kind.extra_json_schema or {})}
    if isinstance(kind, inspect.UnionType):
        return _union([each for each in kind.types if not isinstance(each, inspect.NoneType)])
    if isinstance(kind, inspect.StructType):
        return _object([kind])
    if isinstance(kind, inspect.VarTupleType):
        return _list(kind)
    if isinstance(kind, inspect.CustomType) and kind.cls is Duration:
        return _duration()
    return _scalar(kind)


def _duration() -> Schema:
    longest = f"{LONGEST / 3600:.0f}h"
    rule = {"rule": f"duration(self) <= duration('{longest}')", "message": f"must be at most {longest}"}
    return {"type": "string", "pattern": PATTERN, "maxLength": DURATION_CHARACTERS, "x-kubernetes-validations": [rule]}


def _scalar(kind: inspect.Type) -> Schema:
    match kind:
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.StrType():
            return _present({"type": "string", "pattern": kind.pattern, "minLength": kind.min_length, "maxLength": kind.max_length})
        case inspect.IntType() | inspect.FloatType():
            name, form = ("integer", "int64") if isinstance(kind, inspect.IntType) else ("number", "double")
            low = kind.ge if kind.gt is None else kind.gt
            high = kind.le if kind.lt is None else kind.lt
            exclusive = {
                "exclusiveMinimum": True if kind.gt is not None else None,
                "exclusiveMaximum": True if kind.lt is not None else None,
            }
            return _present({"type": name, "format": form, "minimum": low, "maximum": high, **exclusive})
        case inspect.LiteralType():
            return {"type": "string", "enum": list(kind.values)}
    raise TypeError(f"a structural schema has no word for {kind}")


def _present(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if value is not None}


def _union(members: list[inspect.Type]) -> Schema:
    if len(members) == 1:
        return _schema(members[0])
    structs = [member for member in members if isinstance(member, inspect.StructType)]
    if len(structs) == len(members):
        return _object(structs)
    texts = [schema for member in members if (schema := _schema(member))["type"] == "string"]
    return {"x-kubernetes-int-or-string": True, **{key: value for key, value in texts[0].items() if key != "type"}}


def _list(kind: inspect.VarTupleType) -> Schema:
    items = _schema(kind.item_type)
    schema = _present({"type": "array", "minItems": kind.min_length, "maxItems": kind.max_length, "items": items})
    keys = [key for key in ("region", "mode", "type", "name") if key in items.get("required", ())]
    if "name" in keys:
        keys = ["name"]  # what a manifest calls things by; `type` tells rules apart only as kinds
    if keys:
        schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys}
    elif items.get("type") == "string" and "pattern" in items and items["pattern"] != PATTERN:
        schema["x-kubernetes-list-type"] = "set"
    else:
        schema["x-kubernetes-list-type"] = "atomic"
    return schema


def _object(members: list[inspect.StructType]) -> Schema:
    """One object of one struct, or of all the structs of a tagged union."""
    tag_field = members[0].tag_field
    union = len(members) > 1
    properties: dict[str, Schema] = {}
    owners: dict[str, list[str]] = {}
    required = [{field.encode_name for field in member.fields if field.required} for member in members]
    if tag_field:
        tags = [str(member.tag) for member in members]
        told = "\n".join(f"`{member.tag}`: {summary(member.cls)}" for member in members)
        properties[tag_field] = {"type": "string", "enum": tags, "description": f"What kind it is.\n{told}"}
    for member in members:
        words = attribute_words(member.cls)
        for field in member.fields:
            owners.setdefault(field.encode_name, []).append(str(member.tag))
            if field.encode_name not in properties:
                properties[field.encode_name] = _described(field, words.get(field.name, ""), union)
    if union:
        for name, of in owners.items():
            if len(of) < len(members):
                properties[name]["description"] += f" Only for: {', '.join(of)}."
    always = set.intersection(*required) | ({tag_field} if tag_field else set())
    schema = _present(
        {
            "type": "object",
            "description": None if union else summary(members[0].cls),
            "required": [name for name in properties if name in always] or None,
            "properties": properties,
        }
    )
    if union and tag_field:
        schema["x-kubernetes-validations"] = _tag_rules(tag_field, members, owners, required, always)
    return schema


def _tag_rules(
    tag: str, members: list[inspect.StructType], owners: dict[str, list[str]], required: list[set[str]], always: set[str]
) -> list[Schema]:
    rules = []
    for name, of in owners.items():
        if len(of) < len(members):
            kinds = ", ".join(f"'{kind}'" for kind in of)
            rules.append(
                {
                    "rule": f"!has(self.{name}) || self.{tag} in [{kinds}]",
                    "message": f"only rules of {tag} {' or '.join(of)} have this field",
                    "fieldPath": f".{name}",
                    "reason": "FieldValueForbidden",
                }
            )
        needing = [str(member.tag) for member, names in zip(members, required, strict=True) if name in names]
        if needing and name not in always:
            kinds = ", ".join(f"'{kind}'" for kind in needing)
            rules.append(
                {
                    "rule": f"!(self.{tag} in [{kinds}]) || has(self.{name})",
                    "message": f"rules of {tag} {' and '.join(needing)} need {name}",
                    "reason": "FieldValueRequired",
                }
            )
    return rules


def _described(field: inspect.Field, words: str, union: bool) -> Schema:
    schema = _schema(field.type)
    text = f"{words[:1].upper()}{words[1:]}" if words else schema.get("description", "")
    default = default_text(field)
    return {**schema, "description": f"{text} Default: {default}." if default and not union else text}


def default_text(field: inspect.Field) -> str:
    """A field's default as a manifest would say it; empty if it has none, or is an object of defaults."""
    value = field.default
    if value is msgspec.NODEFAULT or value is None or value is msgspec.UNSET or isinstance(value, msgspec.Struct) or value == ():
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return f"{value:g}" if isinstance(value, float) and not isinstance(value, Duration) else str(value)


def summary(kind: type) -> str:
    """A struct's docstring without its list of attributes, as one paragraph."""
    return " ".join((kind.__doc__ or "").split("Attributes:")[0].split())


def attribute_words(kind: type) -> dict[str, str]:
    """What the docstrings of a struct and of its bases say about each attribute."""
    words: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        told = cleandoc(base.__doc__ or "") if issubclass(base, msgspec.Struct) else ""
        _, _, listed = told.partition("Attributes:\n")
        words |= {found[1]: " ".join(found[2].split()) for found in re.finditer(r"^ {4}(\w+): (.*(?:\n {5,}\S.*)*)", listed, re.MULTILINE)}
    return words
