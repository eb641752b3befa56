"""Decoding is validation: every frame is a typed message or a defined error."""

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.protocol import messages as m
from matchmaking.protocol.identifiers import valid_player_id

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(
    st.text()
    | st.binary()
    | JSON.map(json.dumps)
    | st.fixed_dictionaries({"type": st.sampled_from(m.CLIENT_TYPES), "data": JSON}).map(json.dumps)
)
def test_any_frame_is_a_message_or_a_defined_error(frame: str | bytes) -> None:
    try:
        message = m.decode(frame)
    except m.BadMessageError as error:
        code, text = error.code, str(error)
    else:
        assert isinstance(message, get_args(m.ClientMessage))
        return
    assert code in {"invalid_json", "invalid_message", "unknown_type", "message_too_big"}
    assert 0 < len(text) < 500


def test_a_join() -> None:
    frame = '{"type":"queue_join","data":{"pool":"duel","region":"local","mode":"ranked","op_id":"1","new":true}}'
    assert m.decode(frame) == m.QueueJoin(m.QueueJoinData("duel", "local", "ranked", "1")), "fields of a later version are ignored"


def test_a_server_frame_has_its_number_only_if_it_is_an_event() -> None:
    assert json.loads(m.encode(m.HeartbeatAckData("now"))) == {"type": "heartbeat_ack", "data": {"timestamp": "now"}}
    assert json.loads(m.encode(m.QueueLeftData("t", "p", "r", "m", "left"), 7))["seq"] == 7


def test_every_server_message_has_a_name() -> None:
    assert set(m.SERVER_TYPES) == set(m.ServerData.__args__)
    assert len(set(m.SERVER_TYPES.values())) == len(m.SERVER_TYPES)


@pytest.mark.parametrize(
    ("player", "valid"),
    [("alice", True), ("auth0|5f", True), ("a" * 64, True), ("a" * 65, False), ("", False), ("a b", False), ("{a}", False), ("a\n", False), ("ä", False), (None, False)],
)  # fmt: skip
def test_player_ids(player: object, valid: bool) -> None:
    assert valid_player_id(player) is valid
