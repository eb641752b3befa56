"""`matchmaking docs`: writes the generated parts of Markdown files, between `<!-- generated: NAME -->` and `<!-- end -->`, and files that are generated whole."""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import get_args


def configure(parser: argparse.ArgumentParser) -> None:
    """Which files."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="Markdown files with generated parts, and asyncapi.json")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a part is not what it should be")


def run(arguments: argparse.Namespace) -> int:
    """Write the parts, or compare them."""
    stale = [
        file
        for file in arguments.files
        if (text := file.read_text() if file.exists() else "") != (made := _made(file, text))
        and (arguments.check or not file.write_text(made))
    ]
    for file in stale:
        print(f"{file}: generated parts are stale; run: matchmaking docs {file}", file=sys.stderr)  # noqa: T201 - a command's output
    return 1 if stale else 0


def _made(file: Path, text: str) -> str:
    return WHOLE[file.name]() if file.name in WHOLE else generate(text)


def generate(text: str, parts: Mapping[str, Callable[[], str]] | None = None) -> str:
    """The text with its generated parts made anew; `parts` are those of another document's own.

    Raises:
        KeyError: a part has a name that nothing generates.
    """
    return re.sub(
        r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{(parts or PARTS)[found[2]]()}\n\n{found[3]}",
        text,
        flags=re.DOTALL,
    )


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, tuple("---" for _ in header), *rows])


def client_messages() -> str:
    """What clients send."""
    from matchmaking.protocol.messages import ClientMessage

    rows = []
    for kind in get_args(ClientMessage):
        fields = kind.__struct_fields__ and kind.__annotations__["data"].__struct_fields__
        rows.append((f"`{kind.__struct_config__.tag}`", _names(fields), _first_line(kind)))
    return table(("type", "data", "what"), rows)


def server_messages() -> str:
    """What gateways send."""
    from matchmaking.protocol.messages import SERVER_TYPES

    return table(
        ("type", "data", "what"), [(f"`{name}`", _names(kind.__struct_fields__), _first_line(kind)) for kind, name in SERVER_TYPES.items()]
    )


def close_codes() -> str:
    """Why sockets close."""
    from matchmaking.protocol.close_codes import MEANINGS

    rows = []
    for code, meaning in MEANINGS.items():
        again = f"yes, after {meaning.wait:g} s" if meaning.reconnect == "yes" and meaning.wait else meaning.reconnect
        rows.append((str(int(code)), f"`{code.name.lower()}`", meaning.what, "yes, with a new token" if again == "new token" else again))
    return table(("code", "reason", "what", "reconnect"), rows)


def error_codes() -> str:
    """What `error.code` can be."""
    from matchmaking.protocol.error_codes import ERROR_CODES

    return table(
        ("code", "what", "try again"), [(f"`{name}`", code.what, "yes" if code.again else "no") for name, code in ERROR_CODES.items()]
    )


def session_states() -> str:
    """The session's states and transitions: a picture, and why each of them."""
    from matchmaking.core.session import TABLE, diagram

    rows = [(f"`{row.event}`", ", ".join(row.sources) or "–", row.target, row.why) for row in TABLE]
    return f"```mermaid\n{diagram()}\n```\n\n" + table(("transition", "from", "to", "when"), rows)


def settings() -> str:
    """A gateway's environment."""
    from matchmaking.settings import Settings

    rows = []
    for name, field in Settings.model_fields.items():
        default = (
            ""
            if field.default in (None, "", ())
            else f"`{getattr(field.default, 'get_secret_value', lambda value=field.default: value)()}`"
        )
        rows.append((f"`MATCHMAKING_{name.upper()}`", default, field.description or ""))
    return table(("variable", "default", "what"), rows)


def metrics() -> str:
    """Every metric, and who counts it."""
    from matchmaking.telemetry.metrics import METRICS

    header = ("metric", "kind", "labels", "from", "what")
    rows = [(f"`{each.name}`", each.kind, _names(each.labels), each.source, each.what) for each in METRICS]
    return table(header, rows)


def _names(fields: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in fields)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


def asyncapi() -> str:
    """The client protocol as an AsyncAPI document."""
    from matchmaking.protocol.asyncapi import render

    return render()


WHOLE: dict[str, Callable[[], str]] = {"asyncapi.json": asyncapi}


def pool_fields() -> str:
    """Every field of a pool's spec but its rules'."""
    from . import reference

    return _with_header(reference.pool_fields())


def pool_rules() -> str:
    """Each rule with its fields."""
    from . import reference

    return "\n\n".join(f"### `{tag}`\n\n{words}\n\n{_with_header(rows)}" for tag, words, rows in reference.rules())


def pool_expandable() -> str:
    """What expansions may change."""
    from . import reference

    return _with_header(reference.expandable())


def _with_header(rows: Sequence[tuple[str, ...]]) -> str:
    return table(rows[0], rows[1:]) if len(rows) > 1 else "No fields of its own."


PARTS: dict[str, Callable[[], str]] = {
    "client_messages": client_messages,
    "server_messages": server_messages,
    "close_codes": close_codes,
    "error_codes": error_codes,
    "settings": settings,
    "pool_fields": pool_fields,
    "pool_rules": pool_rules,
    "pool_expandable": pool_expandable,
    "session_states": session_states,
    "metrics": metrics,
}
