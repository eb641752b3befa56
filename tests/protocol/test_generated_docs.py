"""The documentation's generated parts are what the code says."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from matchmaking.commands.docs import generate
from matchmaking.protocol.asyncapi import render
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.error_codes import ERROR_CODES
from matchmaking.protocol.messages import HelloData, encode

ROOT = Path(__file__).parents[2]
SOURCES = list((ROOT / "functions" / "matchmaking").rglob("*.py"))


@pytest.mark.parametrize("name", ["README.md", "functions/README.md", "functions/matchmaking/telemetry/README.md", "pools/README.md"])
def test_generated_parts_are_true(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "<!-- generated: " in text
    assert generate(text) == text, f"run: matchmaking docs {name}"


def test_the_asyncapi_document_is_what_the_types_say() -> None:
    file = ROOT / "functions" / "matchmaking" / "protocol" / "asyncapi.json"
    assert file.read_text() == render(), f"run: matchmaking docs {file.relative_to(ROOT)}"


def test_every_message_of_the_document_has_a_schema_that_our_own_messages_fulfil() -> None:
    """An independent validator reads the schemas; a message with a wrong type is none."""
    made = json.loads(render())
    hello = {**made["components"]["messages"]["hello"]["payload"], "components": made["components"]}
    frame = json.loads(encode(HelloData("alice", 15.0, "e", 0, 1)))
    Draft202012Validator(hello).validate(frame)
    frame["data"]["seq"] = "0"
    assert not Draft202012Validator(hello).is_valid(frame)
    assert {code["code"] for code in made["x-close-codes"]} == {int(code) for code in CloseCode}


def test_every_error_code_is_documented() -> None:
    used = {code.name.lower() for code in (CloseCode.UNAUTHORIZED, CloseCode.FORBIDDEN, CloseCode.SUBPROTOCOL_REQUIRED, CloseCode.BANNED)}
    for source in SOURCES:
        text = source.read_text()
        used |= set(re.findall(r'(?:RefusedError|ErrorData|BadMessageError)\(\s*"(\w+)"', text))
        if source.name == "admission.py":
            used |= set(re.findall(r'"([a-z]+_[a-z]+)"\s*\)', text))
    assert used <= set(ERROR_CODES), used - set(ERROR_CODES)
