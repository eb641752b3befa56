"""URLs of every kind, and a Sentinel's primary for real."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from redis.asyncio import SSLConnection

from matchmaking.store.connect import InvalidRedisUrlError, close_client, open_client, open_store, parse_redis_url
from matchmaking.store.errors import StoreUnavailableError
from support.redis_server import RedisServer, find_redis, free_port


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("redis://localhost", "redis://localhost:6379"),
        ("redis://user:secret@10.0.0.1:7000/3", "redis://10.0.0.1:7000/3"),
        ("rediss://:secret@cache.example:6380", "rediss://cache.example:6380"),
        ("redis://user:s%40cret@[::1]:6379/0", "redis://::1:6379"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("redis+sentinel://:secret@a,b:26380/primary/2", "redis+sentinel://a:26379,b:26380/primary/2"),
        ("rediss+cluster://user:secret@a:7000,b:7001", "rediss+cluster://a:7000,b:7001"),
    ],
)
def test_urls_and_what_may_be_logged_of_them(url: str, public: str) -> None:
    parsed = parse_redis_url(url)
    assert parsed.public == public
    assert ("secret" in url) == (parsed.password == "secret") or parsed.password == "s@cret"


@pytest.mark.parametrize(
    "url",
    ["", "localhost:6379", "http://localhost", "redis://", "redis://:secret@/0", "redis://h:x", "redis://h/x", "redis+sentinel://a:1"],
)
def test_bad_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(InvalidRedisUrlError) as refused:
        parse_redis_url(url)
    assert "secret" not in str(refused.value)


async def test_a_sentinels_primary(tmp_path: Path) -> None:
    with RedisServer() as primary:
        port = free_port()
        configuration = tmp_path / "sentinel.conf"
        configuration.write_text(f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor game 127.0.0.1 {primary.port} 1\n")
        process = subprocess.Popen([find_redis(), str(configuration), "--sentinel"], stdout=subprocess.DEVNULL)  # noqa: ASYNC220 - a test may block
        try:
            async with open_store(f"redis+sentinel://127.0.0.1:{port}/game") as store:
                async with asyncio.timeout(10):
                    while True:
                        try:
                            await store.ping()
                            break
                        except StoreUnavailableError:
                            await asyncio.sleep(0.1)
                assert await store.presence(["alice"]) == 1
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize(("scheme", "tls"), [("redis", False), ("rediss", True)])
async def test_sentinels_are_asked_by_tls_where_their_primary_is(scheme: str, tls: bool) -> None:
    client = open_client(parse_redis_url(f"{scheme}+sentinel://s0,s1/game"))
    asked = [each.connection_pool.connection_class for each in client.connection_pool.sentinel_manager.sentinels]
    assert [issubclass(each, SSLConnection) for each in asked] == [tls, tls]
    await close_client(client)


async def test_a_password_of_an_acl_user() -> None:
    with RedisServer() as server:
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "game", "on", ">pass", "~*", "&*", "+@all")
        async with open_store(f"redis://game:pass@127.0.0.1:{server.port}") as store:
            await store.ping()
        async with open_store(f"redis://game:wrong@127.0.0.1:{server.port}") as store:
            with pytest.raises(StoreUnavailableError) as refused:
                await store.ping()
            assert "wrong:" not in str(refused.value)


async def test_no_redis_is_a_clear_error() -> None:
    async with open_store(f"redis://127.0.0.1:{free_port()}") as store:
        with pytest.raises(StoreUnavailableError):
            await store.ping()
        with pytest.raises(StoreUnavailableError):
            await store.presence([])
