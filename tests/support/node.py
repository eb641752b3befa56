"""Node and the packages that tests take from npm: there, or the test is skipped; in CI they must be there."""

import os
import shutil
import sys
from pathlib import Path

import pytest

PACKAGES = Path(sys.prefix) / "node" / "node_modules"  # `make test` installs them there, from tests/node/package-lock.json


def node() -> str:
    """The program."""
    return shutil.which("node") or _missing("no node on the PATH (on Debian: apt install nodejs npm)")


def package(name: str) -> Path:
    """A package's folder."""
    folder = PACKAGES / name
    return (
        folder
        if folder.is_dir()
        else Path(_missing(f"the npm package {name} is not installed; `make test` installs it where there is npm"))
    )


def _missing(what: str) -> str:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
