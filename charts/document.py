"""The chart's README: the table of all values, made of values.yaml and the comments in it.

python charts/document.py            write it
python charts/document.py --check    exit 1 if it is not what it should be
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
VALUES = HERE / "game-session-manager" / "values.yaml"
PAGE = HERE / "README.md"
WHOLE = {"resources"}  # maps that are one value to those who set them


def rows(text: str) -> list[tuple[str, Any, str]]:
    """Each value's path, default and description (the comment above it)."""
    data = yaml.safe_load(text)
    found: list[tuple[str, Any, str]] = []
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped.lstrip("# "))
            continue
        key = re.match(r"( *)(\w+):", line)
        if key is None:
            comment = []  # a blank line: what stood above it was about the file
            continue
        depth = len(key[1])
        path = [(indent, name) for indent, name in path if indent < depth]
        inside = any(name in WHOLE for _, name in path)
        path.append((depth, key[2]))
        value = data
        for _, name in path:
            value = value[name]
        if not inside and (comment or not isinstance(value, dict) or not value or key[2] in WHOLE):
            found.append((".".join(name for _, name in path), value, " ".join(comment)))
        comment = []
    return found


def table() -> str:
    """The table in Markdown."""
    lines = ["| value | default | what |", "| --- | --- | --- |"]
    for path, value, what in rows(VALUES.read_text()):
        heading = isinstance(value, dict) and value and path.rsplit(".", 1)[-1] not in WHOLE and "\n" not in json.dumps(value)
        shown = "" if heading else f"`{json.dumps(value)}`"
        lines.append(f"| `{path}` | {shown} | {what.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def generate(page: str) -> str:
    """The page with its table made anew."""
    return re.sub(
        r"(<!-- generated: values -->\n).*?(<!-- end -->)", lambda found: f"{found[1]}\n{table()}\n\n{found[2]}", page, flags=re.DOTALL
    )


def main(arguments: list[str]) -> int:
    """Write, or compare."""
    before = PAGE.read_text()
    after = generate(before)
    if "--check" not in arguments:
        PAGE.write_text(after)
    elif before != after:
        print(f"{PAGE} is stale; run: python charts/document.py", file=sys.stderr)  # noqa: T201 - a command's output
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
