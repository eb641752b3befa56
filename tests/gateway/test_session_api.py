"""The API of sessions over real sockets: a server that a webhook provides, states, players who come and go, results, ratings."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.allocator import SECRET, Allocator, allocator
from support.arena import found
from support.gateways import Gateway, Player, gateway
from support.tokens import Signer

FAST = {"session": {"readyTimeout": "10s", "reconnectGrace": "1s"}}


class Api:
    """A game server's view of the gateway's API."""

    def __init__(self, client: httpx.AsyncClient, served: Gateway, match: str = "") -> None:
        self.client, self.served, self.match = client, served, match

    async def ask(self, method: str, path: str, body: Any = None, *, who: str = "server", scope: str = "server") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.served.signer.token(who, scope=scope)}", "Content-Type": "application/json"}
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        answer = await self.client.request(method, self.served.url + path, content=content, headers=headers)
        return answer.status_code, answer.json()

    async def post(self, what: str, body: Any = None, **who: str) -> tuple[int, Any]:
        return await self.ask("POST", f"/api/v1/sessions/{self.match}/{what}", body, **who)

    async def session(self, who: str = "server", scope: str = "server") -> tuple[int, Any]:
        return await self.ask("GET", f"/api/v1/sessions/{self.match}", who=who, scope=scope)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


@pytest.fixture
async def api(redis_url: str, signer: Signer, tmp_path: Path) -> AsyncIterator[Api]:
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    async with gateway(redis_url, signer, allocation_secret_file=tmp_path / "secret") as served, httpx.AsyncClient() as client:
        yield Api(client, served)


async def state(player: Player, status: str, within: float = 10.0) -> dict[str, Any]:
    async with asyncio.timeout(within):
        while True:
            update: dict[str, Any] = (await player.receive("game_state_update", within))["data"]["state"]
            if update["status"] == status:
                return update


@asynccontextmanager
async def accepted(api: Api, redis_url: str, hook: Allocator, **spec: Any) -> AsyncIterator[tuple[Player, Player]]:
    spec = FAST | spec | {"allocation": {"type": "webhook", "url": hook.url}}
    async with found(api.served, redis_url, "alice", "bob", **spec) as (match, (alice, bob)):
        api.match = match
        for player in (alice, bob):
            await player.send("match_accept", match_id=match)
        yield alice, bob


async def test_a_whole_life(api: Api, redis_url: str) -> None:
    async with allocator() as hook, accepted(api, redis_url, hook) as (alice, bob):
        ready = await state(alice, "ready")
        assert ready["connection"] == {"address": "127.0.0.1", "port": 7777}
        (asked,) = hook.requests
        assert asked["headers"]["idempotency-key"] == api.match
        signed = asked["headers"]["x-matchmaking-timestamp"].encode() + b"." + asked["body"]
        assert asked["headers"]["x-matchmaking-signature"] == "sha256=" + hmac.new(SECRET, signed, hashlib.sha256).hexdigest()
        teams = json.loads(asked["body"])["teams"]
        assert sorted(player for team in teams for player in team["players"]) == ["alice", "bob"]
        assert [team["name"] for team in teams] == ["side-1", "side-2"]
        assert await api.post("state", {"state": {"score": [0, 0], "map": "dust"}}) == (200, {"session_id": api.match, "version": 1})
        for player in (alice, bob):
            live = await state(player, "active")
            while "version" not in live:
                live = await state(player, "active")
            assert (live["version"], live["data"]) == (1, {"score": [0, 0], "map": "dust"})
        assert (await api.post("state", {"state": {"score": [1, 0], "map": None}}))[1]["version"] == 2
        assert (await state(bob, "active"))["data"] == {"score": [1, 0]}
        _, seen = await api.session("alice", "player")
        assert seen["state"] == {"status": "active", "connection": ready["connection"], "version": 2, "data": {"score": [1, 0]}}
        assert (await api.session("mallory", "player"))[0] == 403
        for _ in range(3):
            answers = await asyncio.gather(*(api.session() for _ in range(90)))
            assert {status for status, _ in answers} == {200}, "servers are not counted as players are"
        team = next(player["team"] for player in seen["players"] if player["player"] == "alice")
        status, ended = await api.post("result", {"winner": team})
        assert (status, ended["status"]) == (200, "completed")
        won, lost = await state(alice, "completed"), await state(bob, "completed")
        assert (won["outcome"], lost["outcome"]) == ("won", "lost")
        assert won["rating"]["after"] > won["rating"]["before"] == 1500
        assert lost["rating"]["after"] < 1500
        assert (await api.post("result", {"winner": team}))[0] == 200, "again"
        assert (await api.post("result", {"draw": True}))[1]["error"]["code"] == "contradiction"
        assert (await api.post("state", {"state": {}}))[1]["error"]["code"] == "session_over"
        _, history = await api.ask("GET", "/api/v1/players/alice/matches", who="alice", scope="player")
        assert [(entry["match_id"], entry["outcome"]) for entry in history["matches"]] == [(api.match, "won")]
        _, profile = await api.ask("GET", "/api/v1/players/alice/profile", who="alice", scope="player")
        assert profile["ratings"]["arena:ranked"]["mu"] == pytest.approx(won["rating"]["after"], abs=0.01)
        assert profile["counts"] == {"matches": 1, "won": 1}
        assert (await api.ask("GET", "/api/v1/players/alice/matches", who="bob", scope="player"))[0] == 403
        assert (await alice.join(pool="duel", op_id="9"))["type"] == "queue_joined", "free again"
        _, spread = await api.ask("GET", "/api/v1/matchmaking/distribution/arena")
        (queue,) = spread["queues"]
        assert (sum(queue["quality"].values()), sum(queue["gap"].values()), sum(queue["wait"].values())) == (1, 1, 2)
        assert queue["gap"]["25"] == 1
        assert (await api.ask("GET", "/api/v1/matchmaking/distribution/nothing"))[0] == 404


async def test_requests_that_are_refused(api: Api, redis_url: str) -> None:
    async with allocator() as hook, accepted(api, redis_url, hook) as (alice, _):
        await state(alice, "ready")
        for who in ("player", "admin"):
            assert (await api.post("state", {"state": {}}, scope=who))[0] == 403
        deep: Any = {}
        for _ in range(16):
            deep = {"a": deep}
        for body, status, code in (
            (b"{", 400, "invalid_request"),
            (b'{"state":[]}', 400, "invalid_request"),
            (b'{"state":{},"other":1}', 400, "invalid_request"),
            (b'{"state":' + b'{"a":' * 3000, 400, "invalid_request"),
            ({"state": deep}, 400, "state_too_deep"),
            ({"state": {"a": "x" * 16_384}}, 413, "state_too_large"),
            ({"state": {"a": "x" * 60_000}}, 413, "state_too_large"),
            ({"state": {"a": "x" * 70_000}}, 413, "state_too_large"),
            (b'{"state":{"a":1e999}}', 400, "invalid_request"),
        ):
            answer = await api.post("state", body)
            assert (answer[0], answer[1]["error"]["code"]) == (status, code), body if len(body) < 100 else code
        for body, code in (
            ({}, "invalid_request"),
            ({"winner": "side-1", "draw": True}, "invalid_request"),
            ({"winner": "side-9"}, "unknown_team"),
            ({"ranks": {"side-1": 1}}, "unknown_team"),
            ({"ranks": {"side-1": 0, "side-2": 1}}, "invalid_request"),
            ({"draw": True, "abandoned": ["stranger"]}, "unknown_player"),
        ):
            answer = await api.post("result", body)
            assert (answer[0], answer[1]["error"]["code"]) == (400, code), body
        for what in ("result", "backfill"):
            answer = await api.post(what, {"abandoned": ["x" * 70_000]})
            assert (answer[0], answer[1]["error"]["code"]) == (413, "body_too_large")
            assert "at most 65536 bytes" in answer[1]["error"]["message"]
        assert (await api.post("players/stranger/disconnected"))[1]["error"]["code"] == "unknown_player"
        assert (await api.post("backfill", {"wanted": True}))[1]["error"]["code"] == "not_playing", "it has not begun"
        for name in ("nothing", "%7Bx%7D", "x" * 65):
            api.match = name
            assert (await api.post("state", {"state": {}}))[1]["error"]["code"] == "unknown_session"
            assert (await api.post("result", {"draw": True}))[1]["error"]["code"] == "unknown_session"
            assert (await api.session())[0] == 404


async def test_state_versions(api: Api, redis_url: str) -> None:
    async with allocator() as hook, accepted(api, redis_url, hook) as (alice, bob):
        await state(alice, "ready")
        await api.post("state", {"state": {"n": 0}})
        conflict = await api.post("state", {"state": {"n": 1}, "version": 0})
        assert (conflict[0], conflict[1]["error"]["code"]) == (409, "version_conflict")
        assert (await api.post("state", {"state": {"m": 1}, "version": 1, "replace": True}))[1]["version"] == 2
        await asyncio.gather(*(api.post("state", {"state": {f"k{n}": n}}) for n in range(10)))
        _, seen = await api.session()
        assert seen["state"]["data"] == {"m": 1, **{f"k{n}": n for n in range(10)}}, "merges at once lose nothing"
        assert seen["state"]["version"] == 12
        for player in (alice, bob):
            while (await state(player, "active")).get("version") != 12:
                pass


async def test_a_player_who_does_not_come_back_has_left(api: Api, redis_url: str) -> None:
    async with allocator() as hook, accepted(api, redis_url, hook) as (alice, bob):
        await state(alice, "ready")
        await api.post("state", {"state": {}})
        await api.post("players/bob/disconnected")
        assert (await api.post("players/bob/reconnected"))[0] == 200
        await api.post("players/bob/disconnected")
        await state(bob, "abandoned")
        assert (await api.post("players/bob/reconnected"))[1]["error"]["code"] == "too_late"
        assert (await bob.join(pool="duel", op_id="2"))["type"] == "queue_joined"
        assert (await alice.join(pool="duel", op_id="2"))["data"]["code"] == "in_session"
        status, ended = await api.post("result", {"draw": True})
        assert (status, ended["status"]) == (200, "completed")
        _, profile = await api.ask("GET", "/api/v1/players/bob/profile")
        assert profile["counts"] == {"matches": 1, "abandoned": 1}


@pytest.mark.parametrize("how", ["hangs", "garbage", "large", "redirect", "error", "refuses"])
async def test_a_webhook_that_fails(api: Api, redis_url: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matchmaking.gateway.allocation.ATTEMPT_SECONDS", 0.3)
    monkeypatch.setattr("matchmaking.core.session_step.BACKOFF", (0.05,))
    async with allocator(how) as hook, accepted(api, redis_url, hook) as (alice, bob):
        for player in (alice, bob):
            told = (await player.receive("match_cancelled", 20))["data"]
            assert (told["reason"], told["requeued"], told["retry_after"]) == ("allocation_failed", True, None)
        tries = len(hook.requests)
        assert tries == (1 if how in ("redirect", "refuses") else 4)
        assert len({request["headers"]["idempotency-key"] for request in hook.requests}) == 1
        hook.how = "works"  # they are matched again, as old as before, and now there is a server
        for player in (alice, bob):
            match = (await player.receive("match_found", 10))["data"]["match_id"]
            await player.send("match_accept", match_id=match)
        await state(alice, "ready")


async def test_a_server_that_never_speaks(api: Api, redis_url: str) -> None:
    spec = {"session": {"readyTimeout": "1s"}}
    async with allocator() as hook, accepted(api, redis_url, hook, **spec) as (alice, _):
        told = (await alice.receive("match_cancelled", 10))["data"]
        assert (told["reason"], told["requeued"]) == ("allocation_failed", True)


async def test_a_session_is_cancelled_or_called_off(api: Api, redis_url: str) -> None:
    async with allocator() as hook, accepted(api, redis_url, hook) as (alice, bob):
        await state(alice, "ready")
        status, cancelled = await api.ask("DELETE", f"/api/v1/sessions/{api.match}", scope="admin")
        assert (status, cancelled["status"]) == (200, "cancelled")
        told = (await bob.receive("match_cancelled"))["data"]
        assert (told["reason"], told["requeued"]) == ("cancelled", False)
        assert (await api.post("result", {"called_off": True}))[1]["error"]["code"] == "session_over"


async def test_a_server_fills_its_session(api: Api, redis_url: str) -> None:
    spec = {
        "teams": [{"name": "side", "quantity": 2, "minPlayers": 1, "maxPlayers": 2}],
        "backfill": {"mode": "manual", "minRemaining": "1s"},
    }
    async with allocator() as hook, accepted(api, redis_url, hook, **spec) as (alice, _), api.served.player("carol") as carol:
        await state(alice, "ready")
        await api.post("state", {"state": {"round": 1}})
        status, asked = await api.post("backfill", {"wanted": True})
        assert (status, asked["filling"]) == (200, True)
        await carol.join(pool="arena")
        match = (await carol.receive("match_found", 10))["data"]
        assert match["match_id"] == api.match
        assert {"alice", "bob", "carol"} == {player for team in match["teams"] for player in team["players"]}
        live = await state(carol, "active")
        assert live["connection"] == {"address": "127.0.0.1", "port": 7777}
        _, seen = await api.session("carol", "player")
        assert (seen["filling"], len(seen["players"])) == (False, 3)
