"""What a gateway reads: messages that come whole by the short way, everything else by the parser, and all of them in order."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from matchmaking.gateway.bounded_stream import ends_whole, whole_text
from support.gateways import Gateway, gateway
from support.tokens import Signer

# Refused without asking the store, so that answers come in the order of the requests.
REFUSED = {"pool": "duel", "region": "nowhere", "mode": "ranked", "latency": {"local": 1.0}, "roles": ["any"], "attributes": {"any": 1.0}}


def masked(first: int, payload: bytes, mask: bytes) -> bytes:
    """A client's frame (RFC 6455, section 5.2)."""
    head = bytes((first, 0x80 | len(payload))) if len(payload) < 126 else bytes((first, 0xFE)) + len(payload).to_bytes(2, "big")
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


@given(st.text(max_size=300), st.binary(min_size=4, max_size=4))
def test_a_whole_message_is_read_as_the_parser_reads_it(text: str, mask: bytes) -> None:
    frame = masked(0x81, text.encode(), mask)
    assert whole_text(frame, 4096) == text
    assert ends_whole(frame)
    parser = Connection(ConnectionType.SERVER)
    parser.receive_data(frame)
    assert "".join(event.data for event in parser.events() if isinstance(event, TextMessage)) == text
    assert whole_text(frame, len(text.encode()) - 1) is None, "too long"
    for part in (frame[:-1], frame + b"\x81", frame + frame, frame[:1]):
        assert whole_text(part, 4096) is None


@given(st.binary(max_size=40))
def test_whatever_is_no_whole_text_is_left_to_the_parser(data: bytes) -> None:
    text = whole_text(data, 4096)
    if text is not None:
        parser = Connection(ConnectionType.SERVER)
        parser.receive_data(data)
        (event,) = parser.events()
        assert isinstance(event, TextMessage)
        assert (event.data, event.message_finished) == (text, True)


@given(st.lists(st.sampled_from([(0x81, 3), (0x81, 200), (0x89, 4), (0x8A, 0), (0x01, 5), (0x80, 5)]), min_size=1), st.integers(0, 20))
def test_it_is_known_whether_data_end_with_a_message(frames: list[tuple[int, int]], cut: int) -> None:
    data = b"".join(masked(first, b"x" * size, b"\1\2\3\4") for first, size in frames)
    fragments = any(first in (0x01, 0x80) for first, _ in frames)
    assert ends_whole(data) is not fragments
    last = len(masked(*[(first, b"x" * size) for first, size in frames][-1], b"\1\2\3\4"))
    if 0 < cut < last:
        assert not ends_whole(data[:-cut])


@pytest.fixture
async def served(redis_url: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(redis_url, Signer(tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize("seed", range(3))
async def test_messages_are_answered_in_order_however_they_are_cut(served: Gateway, seed: int) -> None:
    random = Random(seed)
    async with served.player("alice") as alice:
        wire = bytearray()
        for number in range(40):
            text = json.dumps({"type": "queue_join", "data": {**REFUSED, "op_id": str(number)}}).encode()
            mask = random.randbytes(4)
            kind = random.choice(["whole", "whole", "fragments", "ping"] if number < 38 else ["whole"])
            if kind == "fragments":
                wire += masked(0x01, text[:9], mask) + masked(0x80, text[9:], mask)
            elif kind == "ping" and number % 20 == 0:
                wire += masked(0x89, b"there?", mask) + masked(0x81, text, mask)
            else:
                wire += masked(0x81, text, mask)
            if random.random() < 0.5:
                alice.socket.transport.write(bytes(wire))
                wire.clear()
                await asyncio.sleep(random.uniform(0, 0.02))
            elif random.random() < 0.3:
                cut = random.randrange(len(wire))
                alice.socket.transport.write(bytes(wire[:cut]))
                del wire[:cut]
                await asyncio.sleep(random.uniform(0, 0.02))
        alice.socket.transport.write(bytes(wire))
        answers = [(await alice.receive("error"))["data"] for _ in range(40)]
    assert [answer["op_id"] for answer in answers] == [str(number) for number in range(40)]
