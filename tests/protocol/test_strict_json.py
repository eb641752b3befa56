"""JSON that readers understand differently is refused before it is decoded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.protocol.messages import BadMessageError, Heartbeat, decode
from matchmaking.protocol.strict_json import DEEPEST, AmbiguousJsonError, check


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"type":"heartbeat","type":"ack","data":{"seq":1}}', '"type" comes twice'),
        ('{"type":"ack","data":{"seq":1,"seq":2}}', '"seq" comes twice'),
        ('{"type":"ack","data":{"seq":1,"s\\u0065q":2}}', '"seq" comes twice'),
        ('{"type":"ack","data":{"seq":9007199254740993}}', "2\\^53"),
        ('{"type":"ack","data":{"seq":' + "9" * 5000 + "}}", "2\\^53"),
        ('{"type":"ack","data":{"seq":NaN}}', "NaN is no JSON number"),
        ('{"type":"ack","data":{"seq":-Infinity}}', "-Infinity is no JSON number"),
        ("[" * 9 + "]" * 9, "8 levels"),
        ('{"a":' * 4000 + "1" + "}" * 4000, "8 levels"),
    ],
)
def test_what_readers_understand_differently_is_refused_and_said(text: str, complaint: str) -> None:
    with pytest.raises(AmbiguousJsonError, match=complaint):
        check(text)
    if len(text) < 16_000:
        with pytest.raises(BadMessageError, match=complaint) as refused:
            decode(text)
        assert refused.value.code == "invalid_json"


def test_brackets_in_strings_are_no_nesting() -> None:
    check(json.dumps({"type": "x", "data": {"text": "[{" * 50 + '"' + "\\"}}))
    check("[" * DEEPEST + "]" * DEEPEST)


@given(st.text(max_size=60) | st.text(alphabet='[]{}":,\\x019eE.+-Nnul', max_size=60))
def test_everything_else_fails_as_json_does(text: str) -> None:
    try:
        json.loads(text, parse_constant=lambda name: 1 / 0)
    except (ValueError, ZeroDivisionError):
        with pytest.raises(ValueError):  # noqa: PT011 - what it says is the standard library's matter
            check(text)


def test_a_heartbeat_needs_no_reading() -> None:
    for text in ('{"type":"heartbeat"}', '{"type":"heartbeat","data":{}}', '{ "type": "heartbeat" }', '{"data":{},"type":"heartbeat"}'):
        assert decode(text) == Heartbeat()
