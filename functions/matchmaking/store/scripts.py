"""Loads the Lua scripts: one file, one atomic operation. `-- @include name` puts a file of `scripts/lib` in its place."""

import hashlib
import re
from functools import cache
from importlib.resources import files

from msgspec import Struct

_INCLUDE = re.compile(r"^-- @include (\w+)$", re.MULTILINE)


class Script(Struct, frozen=True):
    """A script's text, and the SHA-1 by which Redis knows it."""

    name: str
    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """The script of that name (`scripts/<name>.lua`)."""
    folder = files("matchmaking.store") / "scripts"
    text = _INCLUDE.sub(lambda found: (folder / "lib" / f"{found[1]}.lua").read_text(), (folder / f"{name}.lua").read_text())
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
