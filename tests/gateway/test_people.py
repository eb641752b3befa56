"""Signing out, bans, announcements, on two gateways."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.gateways import Gateway, gateway
from support.tokens import Signer


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


@pytest.fixture
async def served(redis_url: str, signer: Signer) -> AsyncIterator[Gateway]:
    async with gateway(redis_url, signer) as opened:
        yield opened


@pytest.fixture
async def other(redis_url: str, signer: Signer) -> AsyncIterator[Gateway]:
    async with gateway(redis_url, signer) as opened:
        yield opened


async def call(served: Gateway, method: str, path: str, token: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    async with httpx.AsyncClient() as client:
        response = await client.request(method, served.url + path, headers={"Authorization": f"Bearer {token}"}, json=body)
        return response.status_code, response.json()


async def test_signing_out_closes_sockets_everywhere_and_ends_what_was_handed_out(served: Gateway, other: Gateway, signer: Signer) -> None:
    token = signer.token("alice", iat=int(time.time()) - 5)
    async with other.player("alice", token=token) as alice:
        await alice.join()
        status, body = await call(served, "POST", "/api/v1/sign-in/ticket", token)
        assert status == 200
        assert await call(served, "POST", "/api/v1/sign-out", token) == (200, {"status": "signed_out"})
        assert await alice.closed() == (4410, "signed_out")
    assert (await call(served, "GET", "/api/v1/matchmaking/preferences", token))[0] == 401
    for how in ({"token": token}, {"additional_headers": {}, "subprotocols": ["gsm.v1", f"ticket.{body['ticket']}"]}):
        refused = await other.open("alice", **how)
        async with refused.socket:
            assert (await refused.receive("error"))["data"]["code"] == "unauthorized"
            assert (await refused.closed())[0] == 4401
    later = signer.token("alice", iat=int(time.time()) + 2)  # within the clocks' leeway
    back = await other.open("alice", token=later, subprotocols=["gsm.v1", alice.resuming(0)])
    async with back.socket:
        await back.greeted()
        assert back.hello["resumed"] is False, "the resume token went with the sign-out"
        assert back.snapshot["ticket"] is None, "whoever signs out waits no longer"


async def test_a_ban_keeps_a_player_out_until_it_ends(served: Gateway, other: Gateway, signer: Signer) -> None:
    admin = signer.token("root", scope="admin")
    async with other.player("alice") as alice:
        assert await call(served, "POST", "/api/v1/players/alice/ban", admin, {"seconds": 600, "reason": "cheating"}) == (
            200,
            {"status": "banned"},
        )
        assert await alice.closed() == (4411, "banned")
    refused = await served.open("alice")
    async with refused.socket:
        error = (await refused.receive("error"))["data"]
        assert (error["code"], error["message"]) == ("banned", "you are banned: cheating")
        assert await refused.closed() == (4411, "banned")
    assert (await call(served, "GET", "/api/v1/matchmaking/preferences", signer.token("alice")))[0] == 403
    assert await call(other, "DELETE", "/api/v1/players/alice/ban", admin) == (200, {"status": "unbanned"})
    assert await call(other, "DELETE", "/api/v1/players/alice/ban", admin) == (200, {"status": "not_banned"})
    async with served.player("alice"):
        pass
    await call(served, "POST", "/api/v1/players/alice/ban", admin, {"seconds": 0.2})
    async with asyncio.timeout(20):
        while True:
            again = await served.open("alice")
            async with again.socket:
                if (await again.receive())["type"] == "hello":
                    break


async def test_announcements_reach_everybody_on_every_gateway(served: Gateway, other: Gateway, signer: Signer) -> None:
    async with served.player("alice") as alice, other.player("bob") as bob:
        news = {"message": "Servers restart at ten.", "level": "warning"}
        assert (await call(served, "POST", "/api/v1/announcements", signer.token("root", scope="admin"), news))[0] == 200
        for player in (alice, bob):
            heard = (await player.receive("announcement"))["data"]
            assert {name: heard[name] for name in news} == news
            assert heard["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/v1/players/alice/ban"), ("DELETE", "/api/v1/players/alice/ban"), ("POST", "/api/v1/announcements")]
)
async def test_players_may_do_none_of_it(served: Gateway, signer: Signer, method: str, path: str) -> None:
    status, body = await call(served, method, path, signer.token("mallory"), {"message": "x"})
    assert (status, body["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/players/a b/ban", b"{}"), ("/api/v1/players/alice/ban", b'{"seconds":-1}'), ("/api/v1/players/alice/ban", b'{"seconds":1,"seconds":2}'),
        ("/api/v1/announcements", b""), ("/api/v1/announcements", b'{"message":""}'), ("/api/v1/announcements", b'{"message":"x","level":"loud"}'),
        ("/api/v1/announcements", b'{"message":"\xff"}'), ("/api/v1/announcements", b"[" * 9000),
    ],
)  # fmt: skip
async def test_bad_requests_are_explained(served: Gateway, signer: Signer, path: str, body: bytes) -> None:
    async with httpx.AsyncClient() as client:
        headers = {"Authorization": f"Bearer {signer.token('root', scope='admin')}"}
        response = await client.post(served.url + path, content=body, headers=headers)
    assert response.status_code == 400
    assert json.loads(response.text)["error"]["code"] == "invalid_request"
