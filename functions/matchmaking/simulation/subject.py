"""A rule set in the report."""

from collections.abc import Sequence

from msgspec import Struct

from .trace import Trace


class Subject(Struct, frozen=True):
    """A rule set in the report: its name, its colour (`a` or `b`), and what happened."""

    name: str
    style: str
    trace: Trace


def subjects_of(names: Sequence[str], traces: Sequence[Trace]) -> list[Subject]:
    """Subjects in order; two of the same name are told apart."""
    if len(set(names)) < len(names):
        names = [f"{name} ({mark})" for name, mark in zip(names, "AB", strict=False)]
    return [Subject(name, style, trace) for name, style, trace in zip(names, "ab", traces, strict=False)]
