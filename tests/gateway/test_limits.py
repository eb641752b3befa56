"""What one connection, one player and one address may ask, and who may stand in the doorway."""

import asyncio
from pathlib import Path

import httpx
import pytest
import websockets

from matchmaking.gateway.addresses import Proxies
from matchmaking.gateway.errors import ConfigurationError
from support.gateways import Gateway, gateway
from support.tokens import Signer


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


@pytest.mark.parametrize("limited", ["limit_connection", "limit_player", "limit_address"])
async def test_too_many_messages_are_refused_with_advice_and_nothing_is_lost(redis_url: str, signer: Signer, limited: str) -> None:
    burst = 5 if limited != "limit_address" else 6  # the address has connected, too
    async with gateway(redis_url, signer, **{limited: f"1/{burst}"}) as served, served.player("alice") as alice:
        await alice.join()
        for _ in range(6):
            await alice.send("queue_leave", op_id="x")
        async with asyncio.timeout(10):
            while True:
                error = (await alice.receive("error"))["data"]
                if error["code"] == "rate_limited":
                    break
        assert error["op_id"] == "x"
        assert 0 < error["retry_after"] <= 6
        await asyncio.sleep(error["retry_after"])
        await alice.send("heartbeat")
        await alice.receive("heartbeat_ack")


async def test_who_goes_on_is_closed(redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer, limit_connection="1/5") as served, served.player("alice") as alice:
        for _ in range(110):
            await alice.send("heartbeat")
        assert await alice.closed() == (4429, "rate_limited")


async def test_an_address_connects_only_so_often(redis_url: str, signer: Signer) -> None:
    async with (
        gateway(redis_url, signer, limit_address="0.01/3") as served,
        served.player("alice"),
        served.player("bob"),
        served.player("carol"),
    ):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await served.open("dave")
        assert refused.value.response.status_code == 429
        assert int(refused.value.response.headers["Retry-After"]) > 1
        async with httpx.AsyncClient() as client:
            response = await client.get(served.url + "/api/v1/matchmaking/statistics")
            assert (response.status_code, response.json()["error"]["code"]) == (429, "rate_limited")
            assert (await client.get(served.url + "/readyz")).status_code == 200, "probes are not counted"


async def knock(served: Gateway, request: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.settings.port)
    writer.write(request)
    return reader, writer


async def test_few_may_stand_in_the_doorway_and_not_for_long(redis_url: str, signer: Signer) -> None:
    half = b"POST /api/v1/sign-in/ticket HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    async with gateway(redis_url, signer, unsigned_connections_per_address=3) as served, served.player("alice") as alice:
        slow = [await knock(served, request) for request in (b"", b"GET /ws/alice HTT", half)]
        with pytest.raises((websockets.InvalidMessage, ConnectionError, EOFError)):
            await served.open("bob")
        await alice.send("heartbeat")
        await alice.receive("heartbeat_ack")
        for reader, writer in slow:
            async with asyncio.timeout(20):
                try:
                    while await reader.read(1000):
                        pass
                except ConnectionError:
                    pass
            writer.close()
        async with served.player("bob"):
            pass


def test_only_a_trusted_proxy_is_believed() -> None:
    proxies = Proxies(["10.0.0.0/8", "fd00::/8"])
    assert proxies.client("203.0.113.9", {"x-forwarded-for": "1.2.3.4"}) == "203.0.113.9"
    assert proxies.client("10.0.0.1", {"x-forwarded-for": "6.6.6.6, 198.51.100.7, 10.1.1.1"}) == "198.51.100.7"
    assert proxies.client("10.0.0.1", {"forwarded": 'for=6.6.6.6;proto=https, for="[2001:db8::7]:4711"'}) == "2001:db8::7"
    assert proxies.client("fd00::1", {"x-forwarded-for": "198.51.100.7, nonsense"}) == "fd00::1"
    assert proxies.client("10.0.0.1", {}) == "10.0.0.1"
    assert Proxies([]).client("10.0.0.1", {"x-forwarded-for": "1.2.3.4"}) == "10.0.0.1"
    with pytest.raises(ConfigurationError, match="MATCHMAKING_TRUSTED_PROXIES"):
        Proxies(["everywhere"])


async def test_behind_a_trusted_proxy_each_client_has_its_own_limit(redis_url: str, signer: Signer) -> None:
    async with gateway(redis_url, signer, limit_address="0.01/2", trusted_proxies="127.0.0.0/8") as served:
        for address in ("198.51.100.1", "198.51.100.2"):
            headers = {"Authorization": f"Bearer {signer.token('alice')}", "X-Forwarded-For": f"6.6.6.6, {address}"}
            async with served.player("alice", additional_headers=headers), served.player("alice", additional_headers=headers):
                with pytest.raises(websockets.InvalidStatus):
                    await served.open("alice", additional_headers=headers)


async def test_a_setting_that_is_no_rate_is_explained(redis_url: str, signer: Signer) -> None:
    with pytest.raises(ValueError, match="so many each second"):
        async with gateway(redis_url, signer, limit_player="many"):
            pass
