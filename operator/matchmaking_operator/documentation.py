"""Writes the generated parts of the operator's README: `python -m matchmaking_operator.documentation operator/README.md`."""

import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from matchmaking.commands.docs import generate, table

from .settings import OperatorSettings


def settings() -> str:
    """The operator's environment."""
    rows = []
    for name, field in OperatorSettings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        variable = "MATCHMAKING_REDIS_URL" if name == "redis_url" else f"MATCHMAKING_OPERATOR_{name.upper()}"
        shown = "" if default in (None, "", (), {}) else f"`{str(default).replace(chr(39), chr(34))}`"
        rows.append((f"`{variable}`", shown, field.description or ""))
    return table(("variable", "default", "what"), rows)


PARTS: dict[str, Callable[[], str]] = {"operator_settings": settings}


def main(files: list[str]) -> None:
    """Write them."""
    for file in map(Path, files):
        file.write_text(generate(file.read_text(), PARTS))


if __name__ == "__main__":
    main(sys.argv[1:])
