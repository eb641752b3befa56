"""The checked-in AsyncAPI document, read by AsyncAPI's own parser."""

import json
import subprocess
from pathlib import Path

import matchmaking.protocol
from matchmaking.protocol.messages import CLIENT_TYPES, SERVER_TYPES
from support.node import node, package

DOCUMENT = Path(matchmaking.protocol.__file__).parent / "asyncapi.json"


def test_the_document_is_valid_and_has_every_message() -> None:
    words = [node(), str(Path(__file__).with_name("asyncapi.mjs")), str(package("@asyncapi/parser")), str(DOCUMENT)]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    result = json.loads(said)
    assert result["errors"] == []
    assert result["found"]["version"].startswith("3.")
    assert result["found"]["messages"] == len(CLIENT_TYPES) + len(SERVER_TYPES)
    assert result["found"]["operations"] > 0
