"""A gateway over real sockets, with a plain third-party client: sign-in, joining, leaving, being matched, and everything that a client can do wrong."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis.asyncio
import websockets

from matchmaking.gateway import session as session_module
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.store.connect import open_store
from support.gateways import Gateway, Player, gateway, matcher
from support.redis_server import RedisServer
from support.tokens import AUDIENCE, ISSUER, Signer


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


@pytest.fixture
async def served(redis_url: str, signer: Signer) -> AsyncIterator[Gateway]:
    async with gateway(redis_url, signer) as opened:
        yield opened


async def test_two_players_are_matched(served: Gateway, redis_url: str) -> None:
    async with (
        served.player("alice") as alice,
        served.player("bob") as bob,
        redis.asyncio.from_url(redis_url) as bus,
        bus.pubsub() as updates,
    ):
        await updates.subscribe("player:alice:updates")
        joined = await alice.join()
        assert joined["type"] == "queue_joined"
        assert joined["data"] | {"ticket_id": ""} == {
            "ticket_id": "", "pool": "duel", "region": "local", "mode": "ranked", "op_id": "1",
        }  # fmt: skip
        update = await alice.receive()
        assert update["type"] == "queue_update"
        assert update["data"]["position"] == update["data"]["waiting"] == 1
        assert await bus.zcard("pool:{duel}:queue:local:ranked:waiting") == 1
        await bob.join()
        async with matcher(redis_url):
            found, other = await alice.receive("match_found"), await bob.receive("match_found")
        assert (found["data"]["opponent"], other["data"]["opponent"]) == ("bob", "alice")
        assert found["data"]["match_id"] == other["data"]["match_id"]
        assert found["data"]["ticket_id"] == joined["data"]["ticket_id"]
        assert found["data"]["timestamp"].endswith("Z")
        assert found["seq"] == 1
        assert await bus.zcard("pool:{duel}:queue:local:ranked:waiting") == 0
        async with asyncio.timeout(5):
            while (publication := await updates.get_message(ignore_subscribe_messages=True, timeout=1)) is None:
                pass
        envelope = json.loads(publication["data"])
        assert envelope["channel"] == "player:alice:updates"
        assert envelope["message"]["type"] == "match_ready"
        assert envelope["message"]["data"]["match_id"] == found["data"]["match_id"]
        assert envelope["message"]["timestamp"] == found["data"]["timestamp"]


async def test_after_a_match_a_player_may_queue_again(served: Gateway, redis_url: str) -> None:
    async with served.player("alice") as alice, served.player("bob") as bob, matcher(redis_url):
        for op_id in ("1", "2"):
            assert (await alice.join(op_id=op_id))["type"] == "queue_joined"
            assert (await bob.join(op_id=op_id))["type"] == "queue_joined"
            assert (await alice.receive("match_found"))["seq"] == int(op_id)
            await bob.receive("match_found")


async def test_a_new_session_may_use_an_operation_id_again(served: Gateway, redis_url: str) -> None:
    async with matcher(redis_url):
        for _ in range(2):
            async with served.player("alice") as alice, served.player("bob") as bob:
                await alice.join()
                await bob.join()
                await alice.receive("match_found")
                await bob.receive("match_found")


async def test_heartbeats_are_answered(served: Gateway) -> None:
    async with served.player("alice") as alice:
        await alice.send("heartbeat")
        assert (await alice.receive())["type"] == "heartbeat_ack"


async def test_leaving(served: Gateway) -> None:
    async with served.player("alice") as alice:
        await alice.send("queue_leave", op_id="x")
        assert (await alice.receive("error"))["data"] == {
            "code": "not_queued", "message": "you do not wait in any queue", "op_id": "x", "retry_after": None,
        }  # fmt: skip
        joined = await alice.join()
        await alice.send("queue_leave", op_id="y")
        left = await alice.receive("queue_left")
        assert (left["data"]["ticket_id"], left["data"]["reason"], left["data"]["op_id"]) == (joined["data"]["ticket_id"], "left", "y")
        assert (await alice.join(op_id="2"))["type"] == "queue_joined"


async def test_joining_twice(served: Gateway) -> None:
    async with served.player("alice") as alice:
        first = await alice.join()
        assert (await alice.join())["data"] == first["data"], "the same operation"
        again = await alice.join(op_id="2")
        assert (again["data"]["code"], again["data"]["op_id"]) == ("already_queued", "2")
        elsewhere = await alice.join(mode="casual", op_id="3")
        assert elsewhere["data"]["code"] == "already_queued"
        assert "mode `ranked`" in elsewhere["data"]["message"]


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ({"pool": "chess"}, "unknown_pool"),
        ({"pool": "{duel}"}, "unknown_pool"),
        ({"region": "mars"}, "unknown_region"),
        ({"region": "local:ranked"}, "unknown_region"),
        ({"mode": "hard"}, "unknown_mode"),
        ({"pool": ""}, "invalid_message"),
        ({"mode": 5}, "invalid_message"),
        ({"op_id": "a b"}, "invalid_message"),
        ({"op_id": "x" * 65}, "invalid_message"),
        ({"latency": {"local": -1}}, "invalid_message"),
    ],
)
async def test_joins_that_are_refused(served: Gateway, store: Any, where: dict[str, Any], code: str) -> None:
    async with served.player("alice") as alice:
        await alice.send("queue_join", **({"pool": "duel", "region": "local", "mode": "ranked", "op_id": "1"} | where))
        refused = await alice.receive("error")
        assert refused["data"]["code"] == code
        assert refused["data"]["message"]
        assert sum(await store.queue_lengths("duel", [(r, m) for r in ("local", "eu-west", "us-east") for m in ("ranked", "casual")])) == 0
        assert (await alice.join(op_id="2"))["type"] == "queue_joined", "nothing is left over"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("[" * 5000, "invalid_json"),
        ('{"type":"heartbeat"} x', "invalid_json"),
        ("null", "invalid_message"),
        ("[]", "invalid_message"),
        ('{"data":{}}', "invalid_message"),
        ('{"type":7}', "invalid_message"),
        ('{"type":"queue_win","data":{}}', "unknown_type"),
        ('{"type":"queue_join"}', "invalid_message"),
        ('{"type":"queue_join","data":[]}', "invalid_message"),
        ('{"type":"queue_join","data":{"region":"local"}}', "invalid_message"),
        ('{"type":"ack","data":{"seq":-1}}', "invalid_message"),
        ('{"type":"ack","data":{"seq":99}}', "invalid_ack"),
        ('{"type":"ack","data":{"seq":1e999}}', "invalid_message"),
        ('{"type":"queue_join","data":{"pool":"duel","region":"local","mode":"ranked","latency":{"local":NaN}}}', "invalid_json"),
    ],
)
async def test_bad_messages_get_an_error_and_cost_nothing(served: Gateway, frame: str, code: str) -> None:
    async with served.player("alice") as alice:
        await alice.join()
        await alice.socket.send(frame)
        assert (await alice.receive("error"))["data"]["code"] == code
        await alice.send("queue_leave")
        assert (await alice.receive("queue_left"))["data"]["reason"] == "left", "the ticket was lost"


async def test_too_many_bad_messages_close_the_socket(served: Gateway) -> None:
    async with served.player("alice") as alice:
        for _ in range(11):
            await alice.socket.send("?")
        assert (await alice.closed())[0] == 4400


async def test_a_binary_frame_closes_the_socket(served: Gateway) -> None:
    async with served.player("alice") as alice:
        await alice.socket.send(b'{"type":"heartbeat"}')
        assert await alice.closed() == (1003, "unsupported_data")


async def test_a_message_over_16_kib_closes_the_socket(served: Gateway) -> None:
    async with served.player("alice") as alice:
        await alice.socket.send('{"type":"heartbeat","data":{"x":"' + "a" * (17 * 1024) + '"}}')
        assert (await alice.closed())[0] == 1009


@pytest.mark.parametrize(("frame", "code"), [(b"\x81\x82\0\0\0\0\xff\xfe", 1007), (b"\xf1\x80\0\0\0\0", 1002), (b"\x80\x80\0\0\0\0", 1002)])
async def test_frames_that_cannot_be_read_close_the_socket_with_a_reason(served: Gateway, frame: bytes, code: int) -> None:
    async with served.player("alice") as alice:
        alice.socket.transport.write(frame)
        assert (await alice.closed())[0] == code


async def test_fragments_without_end_are_cut_off(served: Gateway) -> None:
    async with served.player("alice") as alice:

        async def endless() -> AsyncIterator[str]:
            while True:
                yield "a" * 4096

        with pytest.raises(websockets.ConnectionClosed):
            async with asyncio.timeout(5):
                await alice.socket.send(endless())


async def test_who_goes_on_after_being_closed_for_fragments_without_end_is_not_listened_to(served: Gateway, signer: Signer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.settings.port)
    lines = (
        "GET /ws/alice HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}", "Sec-WebSocket-Protocol: gsm.v1",
        f"Authorization: Bearer {signer.token('alice')}",
    )  # fmt: skip
    writer.write("\r\n".join((*lines, "", "")).encode())
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    sent, head = 0, b"\x01"
    cut = False
    while sent < 64 * 2**20 and not cut:
        writer.write(head + b"\xfe\x40\x00" + bytes(4) + b"x" * 0x4000)  # masked with zeros
        sent, head = sent + 0x4000, b"\x00"
        try:
            await asyncio.wait_for(writer.drain(), 20)
        except ConnectionError:
            cut = True
    assert cut
    writer.transport.abort()


async def test_compression_is_not_negotiated(served: Gateway) -> None:
    async with served.player("alice", compression="deflate") as alice:
        assert "Sec-WebSocket-Extensions" not in alice.socket.response.headers


def forged(player: str, algorithm: str, secret: bytes = b"") -> str:
    """A token without a signature, or signed by HMAC with the public key as its secret."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    claims = {"sub": player, "iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 60}
    signed = f"{part(json.dumps({'alg': algorithm, 'kid': 'ed'}).encode())}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), 'sha256')) if secret else ''}"


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("none", 4401), ("garbage", 4401), ("unsigned", 4401), ("swapped", 4401), ("expired", 4401), ("audience", 4401), ("issuer", 4401),
        ("no exp", 4401), ("no sub", 4401), ("future", 4401), ("kid", 4401), ("no kid", 4401), ("other key", 4401), ("long", 4401),
        ("issuers", 4401), ("wrong alg", 4401), ("another player", 4403), ("scope", 4403), ("odd sub", 4401),
    ],
)  # fmt: skip
async def test_tokens_that_are_refused(served: Gateway, signer: Signer, tmp_path: Path, case: str, code: int) -> None:
    hour = 3600
    (tmp_path / "other").mkdir()
    tokens = {
        "none": None,
        "garbage": "abc",
        "unsigned": forged("alice", "none"),
        "swapped": forged("alice", "HS256", signer.jwks_file.read_bytes()),
        "expired": signer.token("alice", exp=int(time.time()) - hour),
        "audience": signer.token("alice", aud="another-service"),
        "issuer": signer.token("alice", iss="https://evil.example"),
        "issuers": signer.token("alice", iss=[ISSUER]),
        "no exp": signer.token("alice", exp=None),
        "no sub": signer.token("alice", sub=None),
        "future": signer.token("alice", nbf=int(time.time()) + hour),
        "kid": signer.token("alice", headers={"kid": "../ed"}),
        "no kid": signer.token("alice", headers={"kid": None}),
        "wrong alg": signer.token("alice", "ec", headers={"kid": "ed"}),
        "other key": Signer(tmp_path / "other").token("alice"),
        "long": "a" * 9000,
        "another player": signer.token("bob"),
        "scope": signer.token("alice", scope="server"),
        "odd sub": signer.token("a{b}"),
    }
    token = tokens[case]
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    refused = await served.open("alice", additional_headers=headers)
    async with refused.socket:
        error = await refused.receive()
        assert error["type"] == "error"
        if token:
            assert token not in error["data"]["message"]
        assert (await refused.closed())[0] == code


async def test_both_kinds_of_key_sign_in(served: Gateway, signer: Signer) -> None:
    for kid in ("ed", "ec"):
        async with served.player("alice", token=signer.token("alice", kid)):
            pass


async def test_the_subprotocol_must_be_offered(served: Gateway) -> None:
    refused = await served.open("alice", subprotocols=None)
    assert (await refused.closed())[0] == 4406


async def test_another_sites_page_cannot_connect(served: Gateway) -> None:
    refused = await served.open("alice", origin="https://evil.example")
    assert (await refused.closed())[0] == 4403
    async with served.player("alice", origin=served.url):
        pass


async def test_a_second_connection_replaces_the_first(served: Gateway) -> None:
    async with served.player("alice") as first:
        joined = await first.join()
        second = await served.open("alice")
        async with second.socket:
            assert (await second.receive())["type"] == "hello"
            snapshot = await second.receive("snapshot")
            assert snapshot["data"]["ticket"]["ticket_id"] == joined["data"]["ticket_id"]
            assert await first.closed() == (4409, "replaced")
            await second.send("queue_leave")
            assert (await second.receive("queue_left"))["data"]["ticket_id"] == joined["data"]["ticket_id"]


async def test_a_second_connection_on_another_gateway_replaces_the_first(served: Gateway, redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer) as other, served.player("alice") as first:
        await first.join()
        async with other.player("alice") as second:
            assert (await first.closed())[0] == 4409
            assert second.snapshot["ticket"]


async def test_a_match_that_was_made_while_the_player_was_away_is_told_on_return(served: Gateway, redis_url: str) -> None:
    async with served.player("alice") as alice:
        await alice.join()
    async with served.player("bob") as bob, matcher(redis_url):
        await bob.join()
        found = await bob.receive("match_found")
    async with served.player("alice") as alice:
        assert alice.snapshot["match"]["match_id"] == found["data"]["match_id"]


async def test_silent_clients_are_closed(redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer, heartbeat_interval=1.0) as served, served.player("alice") as alice:
        assert (await alice.closed())[0] == 4408


@pytest.mark.parametrize(
    "off", [{"WRITE_DEADLINE": 3600.0}, {"UNSENT_MESSAGES": 10**9, "UNSENT_BYTES": 10**12}]
)  # each bound alone is enough
async def test_who_does_not_read_is_cut_off_and_nobody_else_misses_anything(
    served: Gateway, redis_url: str, monkeypatch: pytest.MonkeyPatch, off: dict[str, float]
) -> None:
    for name, value in off.items():
        monkeypatch.setattr(session_module, name, value)

    async def cut_off() -> bool:
        async with httpx.AsyncClient() as client:
            page = (await client.get(f"http://127.0.0.1:{served.settings.metrics_port}/metrics")).text
        return f'game_websocket_closed_total{{code="{int(CloseCode.SLOW_CONSUMER)}"}} 1.0' in page

    async with served.player("alice") as alice, served.player("deaf") as deaf, redis.asyncio.Redis.from_url(redis_url) as client:
        deaf.socket.transport.pause_reading()
        async with asyncio.timeout(60):
            said = 0
            while not await cut_off():  # first the system's buffers fill up, some megabytes
                news = {"type": "announcement", "data": {"message": f"{said} " + "x" * 200_000}, "timestamp": "2031-05-06T07:08:09Z"}
                await client.publish("system:announcements", json.dumps({"channel": "system:announcements", "message": news}))
                assert (await alice.receive("announcement"))["data"]["message"].startswith(f"{said} ")
                said += 1
        deaf.socket.transport.abort()


async def test_draining_sends_everybody_away(redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer) as served, served.player("alice") as alice:
        served.stop.set()
        assert (await alice.receive("reconnect"))["data"]["retry_after"] > 0
        assert (await alice.closed())[0] == 1012


async def test_positions_are_pushed_while_waiting(served: Gateway) -> None:
    async with served.player("alice") as alice, served.player("bob") as bob:
        await alice.join()
        await alice.receive("queue_update")
        await bob.join()
        update = await alice.receive("queue_update", within=8)
        assert update["data"]["waiting"] == 2


async def test_a_reason_is_given_to_who_waits_alone(served: Gateway, redis_url: str) -> None:
    async with served.player("alice") as alice, matcher(redis_url):
        await alice.join()
        async with asyncio.timeout(8):
            while (await alice.receive("queue_update"))["data"]["reason"] is None:
                pass


async def test_a_ticket_expires_with_notice(redis_url: str, signer: Signer) -> None:
    import msgspec

    from matchmaking.core.duration import Duration
    from matchmaking.core.pool import TicketLife
    from support.gateways import shipped_pool

    async with gateway(redis_url, signer) as served, open_store(redis_url) as store:
        rules = msgspec.structs.replace(shipped_pool("duel"), ticket=TicketLife(ttl=Duration(1)))
        await store.put_pool("brief", rules)
        async with served.player("alice") as alice:
            assert (await alice.join(pool="brief"))["type"] == "queue_joined"
            assert (await alice.receive("queue_left", within=8))["data"]["reason"] == "expired"
            assert (await alice.join(op_id="2"))["type"] == "queue_joined"


async def told_of_match(player: Player) -> str:
    """The match's id: told by its event, or by the snapshot of a session that began anew because the store may have been rolled back."""
    while True:
        message = await player.receive(within=15)
        match = message["data"] if message["type"] == "match_found" else message["data"].get("match")
        if match:
            return match["match_id"]


async def test_the_gateway_survives_its_redis(tmp_path: Path, signer: Signer) -> None:
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server:
        async with gateway(server.url, signer) as served, served.player("alice") as alice, served.player("bob") as bob:
            await alice.join()
            server.kill()
            await bob.send("queue_join", pool="duel", region="local", mode="ranked", op_id="1")
            assert (await bob.receive("error", within=30))["data"]["code"] == "unavailable"
            server.start()
            async with asyncio.timeout(20):
                while (await bob.join())["type"] == "error":
                    await asyncio.sleep(0.2)
            async with matcher(server.url):
                assert await told_of_match(bob) == await told_of_match(alice)
