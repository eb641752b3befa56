"""The HTTP API over a real socket, and the metrics on their own port."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from matchmaking.gateway.errors import ConfigurationError, PortTakenError
from matchmaking.store.redis_store import RedisStore
from support.gateways import Gateway, gateway, matcher
from support.redis_server import RedisServer
from support.strategies import rules_of
from support.tokens import Signer

PREFERENCES = "/api/v1/matchmaking/preferences"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


@pytest.fixture
async def served(redis_url: str, signer: Signer) -> AsyncIterator[Gateway]:
    async with gateway(redis_url, signer) as opened:
        yield opened


async def fetch(url: str, body: Any = None, token: str | None = None, method: str | None = None) -> tuple[int, Any]:
    def blocking() -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text, status = answer.read(), answer.status
        except urllib.error.HTTPError as error:
            with error:
                text, status = error.read(), error.code
        return status, json.loads(text) if text.startswith((b"{", b"[")) else text.decode()

    return await asyncio.to_thread(blocking)


async def test_preferences_are_kept_and_used(served: Gateway, signer: Signer) -> None:
    token = signer.token("alice")
    empty = {"regions": [], "modes": [], "max_latency": None, "latency": {}, "roles": [], "attributes": {}}
    assert await fetch(served.url + PREFERENCES, token=token) == (200, empty)
    wanted = empty | {"regions": ["mars", "eu-west"], "modes": ["casual"]}
    assert await fetch(served.url + PREFERENCES, {"regions": ["mars", "eu-west"], "modes": ["casual"]}, token) == (200, wanted)
    assert await fetch(served.url + PREFERENCES, token=token) == (200, wanted)
    async with served.player("alice") as alice:
        await alice.send("queue_join", pool="duel", op_id="1")
        joined = await alice.receive("queue_joined")
        assert (joined["data"]["region"], joined["data"]["mode"]) == ("eu-west", "casual")
    async with served.player("bob") as bob:
        await bob.send("queue_join", pool="duel", op_id="1")
        refused = await bob.receive("error")
        assert refused["data"]["code"] == "invalid_message"
        assert "say which region" in refused["data"]["message"]


async def test_preferences_that_the_pool_refuses_are_told_and_leave_no_ticket_behind(
    served: Gateway, signer: Signer, store: RedisStore
) -> None:
    token = signer.token("alice")
    side = {"name": "side", "quantity": 2, "minPlayers": 1, "maxPlayers": 1, "roles": [{"name": "healer", "min": 1, "max": 1}]}
    await store.put_pool("roles", rules_of(teams=[side]))
    async with served.player("alice") as alice:
        for number in range(2):
            assert (await fetch(served.url + PREFERENCES, {"roles": ["tank"]}, token))[0] == 200
            await alice.send("queue_join", pool="roles", region="eu", mode="ranked", op_id=f"refused-{number}")
            assert (await alice.receive("error"))["data"]["code"] == "unknown_role"
            assert (await fetch(served.url + PREFERENCES, {}, token))[0] == 200
            await alice.send("queue_join", pool="roles", region="eu", mode="ranked", op_id=f"taken-{number}")
            await alice.receive("queue_joined")
            await alice.send("queue_leave", op_id=f"left-{number}")
            await alice.receive("queue_left")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"regions":"eu-west"}', b'{"latency":{"eu-west":-5}}', b"\xff", b'{"regions":' + b"[" * 60_000]
)
async def test_bad_preferences_are_refused(served: Gateway, signer: Signer, body: bytes) -> None:
    status, answer = await fetch(served.url + PREFERENCES, body, signer.token("alice"))
    assert status == 400
    assert answer["error"]["code"]


async def test_a_body_that_is_too_large_is_refused(served: Gateway, signer: Signer) -> None:
    status, answer = await fetch(served.url + PREFERENCES, {"regions": ["a" * 70_000]}, signer.token("alice"))
    assert (status, answer["error"]["code"]) == (413, "body_too_large")


async def test_who_is_not_signed_in_is_refused(served: Gateway, signer: Signer) -> None:
    assert (await fetch(served.url + PREFERENCES))[0] == 401
    assert (await fetch(served.url + PREFERENCES, token="x"))[0] == 401
    status, answer = await fetch(served.url + PREFERENCES, token=signer.token("alice", scope="server"))
    assert (status, answer["error"]["code"]) == (403, "forbidden")
    assert (await fetch(served.url + "/nowhere"))[0] == 404
    assert (await fetch(served.url + PREFERENCES, method="DELETE"))[0] == 405


async def test_a_browser_signs_in_with_a_ticket_that_works_once(served: Gateway, signer: Signer) -> None:
    status, answer = await fetch(served.url + "/api/v1/sign-in/ticket", b"", signer.token("alice"))
    assert (status, answer["expires_in"]) == (200, 30)
    protocols = ["gsm.v1", f"ticket.{answer['ticket']}"]
    async with websockets.connect(f"{served.websocket_url}/alice", subprotocols=protocols, origin=served.url) as socket:
        assert socket.subprotocol == "gsm.v1"
        assert json.loads(await socket.recv())["type"] == "hello"
    for player in ("alice", "bob"):
        again = await served.open(player, subprotocols=protocols, additional_headers={})
        assert (await again.closed())[0] == 4401


async def test_statistics(served: Gateway, redis_url: str) -> None:
    url = served.url + "/api/v1/matchmaking/statistics"
    async with served.player("alice") as alice, served.player("bob") as bob, matcher(redis_url):
        await alice.join()
        await bob.join()
        await alice.receive("match_found")
        await asyncio.sleep(1.1)
        status, answer = await fetch(url)
    assert status == 200
    assert answer["connected"] == 2
    duel, squads = answer["pools"]
    assert (duel["name"], duel["regions"], duel["modes"], duel["team_sizes"]) == (
        "duel",
        ["local", "eu-west", "us-east"],
        ["ranked", "casual"],
        [1, 1],
    )
    assert squads["team_sizes"] == [5, 5]
    queue = duel["queues"][0]
    assert (queue["region"], queue["mode"], queue["waiting"], queue["matches"], queue["matchers"]) == ("local", "ranked", 0, 1, 1)
    assert queue["matches_per_minute"] == pytest.approx(1, abs=0.1)
    assert 0 <= queue["average_wait"] < 5
    assert 0 < queue["waits"]["p50"] <= queue["waits"]["p99"]
    for window in ("hour", "day"):
        status, answer = await fetch(f"{url}/duel?window={window}")
        assert (status, answer["pool"], answer["window"]) == (200, "duel", window)
        busy = next(queue for queue in answer["queues"] if queue["matches"])
        assert (busy["region"], busy["mode"], busy["tickets"], busy["waiting"]) == ("local", "ranked", 2, 0)
        assert busy["waits"] == queue["waits"]
        assert (sum(busy["wait"].values()), sum(busy["quality"].values()), sum(busy["gap"].values())) == (2, 1, 1)
    assert (await fetch(f"{url}/duel"))[1]["window"] == "hour"
    assert (await fetch(f"{url}/duel?window=year"))[0] == 400
    assert (await fetch(f"{url}/nothing"))[0] == 404


async def test_health_and_readiness(tmp_path: Path, signer: Signer) -> None:
    with RedisServer() as server:
        async with gateway(server.url, signer) as served:
            assert await fetch(served.url + "/healthz") == (200, {"status": "ok", "reason": ""})
            async with asyncio.timeout(5):
                while (await fetch(served.url + "/readyz"))[0] != 200:
                    await asyncio.sleep(0.1)
            server.kill()
            status, answer = await fetch(served.url + "/readyz")
            assert (status, answer["status"]) == (503, "unavailable")
            assert (await fetch(served.url + "/healthz"))[0] == 200
            status, answer = await fetch(served.url + PREFERENCES, token=signer.token("alice"))
            assert (status, answer["error"]["code"]) == (503, "unavailable")


async def test_the_api_describes_itself(served: Gateway) -> None:
    status, described = await fetch(served.url + "/openapi.json")
    assert status == 200
    assert set(described["paths"][PREFERENCES]) == {"get", "post"}
    assert "/api/v1/matchmaking/statistics" in described["paths"]
    status, page = await fetch(served.url + "/docs")
    assert status == 200
    assert "https://" not in page, "the page must not need a content delivery network"
    assert (await fetch(served.url + "/docs/assets/swagger-ui-bundle.js"))[0] == 200


async def test_metrics_are_on_their_own_port(served: Gateway, redis_url: str) -> None:
    async with served.player("alice") as alice, served.player("bob") as bob, matcher(redis_url):
        await alice.join()
        await bob.join()
        await alice.receive("match_found")
        await bob.receive("match_found")
        text = ""
        while (
            "game_matchmaking_success_total{" not in text or "} 0.0" in text.partition("game_matchmaking_success_total{")[2].split("\n")[0]
        ):
            await asyncio.sleep(0.1)  # the exporter reads every few seconds
            _, text = await fetch(f"http://127.0.0.1:{served.settings.metrics_port}/metrics")
    assert "\ngame_websocket_connections 2.0\n" in text
    queue = '{pool="duel",region="local",mode="ranked"}'
    assert f"\ngame_matchmaking_success_total{queue} 2.0\n" in text
    assert f"\ngame_queue_waiting_seconds_count{queue} 2.0\n" in text
    assert (await fetch(served.url + "/metrics"))[0] == 404


async def test_a_taken_port_is_named(served: Gateway, redis_url: str, signer: Signer) -> None:
    with pytest.raises(PortTakenError, match=str(served.settings.port)):
        async with gateway(redis_url, signer, port=served.settings.port):
            pass
    with pytest.raises(PortTakenError, match="MATCHMAKING_METRICS_PORT"):
        async with gateway(redis_url, signer, metrics_port=served.settings.metrics_port):
            pass


@pytest.mark.parametrize("jwks", ["", "{}", '{"keys":[]}', '{"keys":[{"kty":"oct","k":"AAAA","kid":"x","alg":"HS256"}]}'])
async def test_keys_that_cannot_be_used_are_named(redis_url: str, signer: Signer, jwks: str) -> None:
    signer.jwks_file.write_text(jwks)
    with pytest.raises(ConfigurationError, match="MATCHMAKING_JWKS_FILE"):
        async with gateway(redis_url, signer):
            pass
