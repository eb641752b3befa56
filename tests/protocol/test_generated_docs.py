"""The documentation's generated parts are what the code says."""

import re
from pathlib import Path

import pytest

from matchmaking.commands.docs import generate
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.error_codes import ERROR_CODES

ROOT = Path(__file__).parents[2]
SOURCES = list((ROOT / "functions" / "matchmaking").rglob("*.py"))


@pytest.mark.parametrize("name", ["README.md", "functions/README.md"])
def test_generated_parts_are_true(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "<!-- generated: " in text
    assert generate(text) == text, f"run: matchmaking docs {name}"


def test_every_error_code_is_documented() -> None:
    used = {code.name.lower() for code in (CloseCode.UNAUTHORIZED, CloseCode.FORBIDDEN, CloseCode.SUBPROTOCOL_REQUIRED)}
    for source in SOURCES:
        text = source.read_text()
        used |= set(re.findall(r'(?:RefusedError|ErrorData|BadMessageError)\(\s*"(\w+)"', text))
        if source.name == "admission.py":
            used |= set(re.findall(r'"([a-z]+_[a-z]+)"\s*\)', text))
    assert used <= set(ERROR_CODES), used - set(ERROR_CODES)
