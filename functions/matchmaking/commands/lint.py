"""`matchmaking lint POOL.yaml...`: what can never match or contradicts itself, before a player feels it."""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matchmaking.core.lint import Finding

CLEAN, FOUND, UNREADABLE = 0, 1, 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Check pools: exit 1 on errors, 0 otherwise (warnings are only printed), 2 when a file cannot be read."
    parser.add_argument("pools", nargs="+", metavar="POOL.yaml", type=Path, help="manifests; several documents in a file are fine")


def run(arguments: argparse.Namespace) -> int:
    """Print every finding as path, message and proposal."""
    worst, pools, errors, warnings = CLEAN, 0, 0, 0
    for path in arguments.pools:
        try:
            documents = read_documents(path)
        except (OSError, ValueError) as problem:
            print(f"matchmaking lint: {path}: {problem}", file=sys.stderr)  # noqa: T201 - a command's output
            worst = UNREADABLE
            continue
        for index, document in enumerate(documents):
            pools += 1
            where = f"{path}[{index}]" if len(documents) > 1 else str(path)
            for finding in findings_of(document):
                errors += finding.severity == "error"
                warnings += finding.severity == "warning"
                print(f"{where}: {finding.severity}: {finding.path}: {finding.message}\n    {finding.proposal}")  # noqa: T201
    print(f"{_counted(pools, 'pool')}: {_counted(errors, 'error')}, {_counted(warnings, 'warning')}")  # noqa: T201
    return max(worst, FOUND if errors else CLEAN)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def read_documents(path: Path) -> list[Any]:
    """The YAML documents of a file that are not empty.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no YAML, or has no document.
    """
    import yaml

    try:
        documents = [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document is not None]
    except yaml.YAMLError as problem:
        raise ValueError(f"is not YAML: {' '.join(str(problem).split())}") from problem
    except UnicodeDecodeError as problem:
        raise ValueError("is not UTF-8 text") from problem
    if not documents:
        raise ValueError("has no document; expected a MatchmakingPool")
    return documents


def findings_of(document: Any) -> Iterator["Finding"]:
    """The lint's findings for one manifest; a manifest that does not load gives one error in the same form."""
    from matchmaking.core.errors import InvalidPoolError
    from matchmaking.core.lint import error
    from matchmaking.core.pool import load_pool
    from matchmaking.core.satisfiable import lint

    try:
        pool = load_pool(document)
    except InvalidPoolError as problem:
        text = str(problem)
        message = text.removeprefix(f"{problem.path}: ")
        yield error(problem.path or "(document)", message, _proposal(problem.path, message))
        return
    yield from lint(pool.spec)


def _proposal(path: str, message: str) -> str:
    """What to write instead of what the schema refuses."""
    from typing import get_args

    from matchmaking.core.pool import Rule

    if path.startswith("spec.rules[") and path.endswith(".type"):
        return f"use one of {', '.join(str(kind.__struct_config__.tag) for kind in get_args(Rule))}"
    unknown = re.search(r"unknown field `(\w+)`", message)
    if unknown is not None:
        import difflib

        near = difflib.get_close_matches(unknown[1], _field_names(), n=1)
        return (f"write `{near[0]}`, or remove it" if near else "remove it") + "; pools/README.md lists every field"
    return "correct it; pools/README.md lists every field with its bounds"


def _field_names() -> set[str]:
    from .reference import pool_fields, rules

    rows = [*pool_fields(), *(row for _, _, fields in rules() for row in fields)]
    return {row[0].strip("`").rpartition(".")[2] for row in rows}
