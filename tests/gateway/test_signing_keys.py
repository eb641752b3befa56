"""Signing keys by URL from a real HTTP server: rotation, outages, and providers that answer nonsense."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from matchmaking.gateway.errors import ConfigurationError, KeysUnavailableError
from matchmaking.gateway.signing_keys import LARGEST, SigningKeys
from support.gateways import gateway
from support.tokens import Signer


class Provider:
    """An identity provider's key page."""

    def __init__(self) -> None:
        self.body, self.status, self.reads = b"", 200, 0
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page.reads += 1
                self.send_response(page.status)
                self.send_header("Content-Length", str(len(page.body)))
                self.end_headers()
                self.wfile.write(page.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as opened:
        yield opened


def keys_of(folder: Path, *names: str) -> bytes:
    folder.mkdir()
    found = json.loads(Signer(folder).jwks_file.read_text())["keys"]
    return json.dumps({"keys": [{**key, "kid": name} for name in names for key in found[:1]]}).encode()


async def test_an_unknown_key_makes_us_look_again_but_not_too_often(provider: Provider, client: httpx.AsyncClient, tmp_path: Path) -> None:
    provider.body = keys_of(tmp_path / "a", "old")
    keys = SigningKeys(provider.url, client, retry=3600)
    assert await keys.find("old") is not None
    for i in range(50):
        assert await keys.find(f"made-up-{i}") is None
    assert provider.reads == 1
    rotated = SigningKeys(provider.url, client, retry=0)
    assert await rotated.find("new") is None
    provider.body = keys_of(tmp_path / "b", "old", "new")
    assert await rotated.find("new") is not None


@pytest.mark.parametrize("broken", ["status", "nonsense", "empty", "huge", "gone", "list", "secret"])
async def test_known_keys_stay_good_while_the_provider_does_not_answer(
    provider: Provider, client: httpx.AsyncClient, tmp_path: Path, broken: str
) -> None:
    provider.body = keys_of(tmp_path / "a", "known")
    keys = SigningKeys(provider.url, client, retry=0)
    assert await keys.find("known") is not None
    secret = b'{"keys":[{"kty":"oct","k":"AAAA","kid":"known","alg":"HS256"}]}'
    bodies = {
        "nonsense": b"<html>",
        "empty": b'{"keys":[]}',
        "huge": b" " * (LARGEST + 1) + provider.body,
        "list": b'[["keys"]]',
        "secret": secret,
    }
    provider.body = bodies.get(broken, provider.body)
    provider.status = {"status": 500, "gone": 404}.get(broken, 200)
    await keys.look(at_once=True)
    assert await keys.find("known") is not None
    assert (await keys.find("known")).algorithm_name == "EdDSA"


async def test_without_any_key_nobody_is_told_that_the_token_is_bad(provider: Provider, redis_url: str, tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    provider.status = 503
    async with gateway(redis_url, signer, jwks_file=None, jwks_url=provider.url) as served:
        refused = await served.open("alice")
        async with refused.socket:
            assert (await refused.closed())[0] == 1013
        async with httpx.AsyncClient() as client:
            headers = {"Authorization": f"Bearer {signer.token('alice')}"}
            assert (await client.get(served.url + "/api/v1/matchmaking/preferences", headers=headers)).status_code == 503
    provider.status, provider.body = 200, signer.jwks_file.read_bytes()
    async with gateway(redis_url, signer, jwks_file=None, jwks_url=provider.url) as served, served.player("alice"):
        pass


async def test_odd_key_names_find_nothing(provider: Provider, client: httpx.AsyncClient) -> None:
    keys = SigningKeys(provider.url, client)
    for kid in (["a"], {"a": 1}, 7, True):
        assert await keys.find(kid) is None
    with pytest.raises(KeysUnavailableError):
        await keys.find("x")


@pytest.mark.parametrize(
    "settings", [{"jwks_file": None}, {"jwks_url": "https://x.example"}, {"jwks_file": None, "jwks_url": "file:///etc/passwd"}]
)
async def test_the_source_must_be_clear(redis_url: str, tmp_path: Path, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="MATCHMAKING_JWKS_URL"):
        async with gateway(redis_url, Signer(tmp_path), **settings):
            pass
