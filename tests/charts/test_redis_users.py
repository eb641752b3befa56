"""Every kind of process can do its work as its Redis user, and nothing beyond it. The log of Redis' own refusals is the witness."""

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from matchmaking.matcher.job import Job
from matchmaking.settings import Settings
from matchmaking.store import keys
from matchmaking.store.connect import open_store
from support.gateways import Gateway, gateway, shipped_pool
from support.redis_server import RedisServer
from support.redis_users import declared, redis_with_users, url
from support.tokens import Signer

SCRIPTS = Path(keys.__file__).parent / "scripts"
# What KEDA 2.21 asks of a Redis, in its words.
KEDA_LENGTH = """
local kind = redis.call('type', KEYS[1]).ok
if kind == 'zset' then return redis.call('zcard', KEYS[1]) elseif kind == 'none' then return redis.call('llen', KEYS[1]) end
return redis.error_reply('ERR unsupported key type: ' .. kind)
"""
NAMES = {
    "pool": "duel",
    "region": "local",
    "mode": "ranked",
    "ticket": "t1",
    "player": "alice",
    "match": "m1",
    "digest": "d1",
    "gateway": "g1",
}


@pytest.fixture(scope="module", params=["redis", "redis+cluster"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[RedisServer, str]]:
    cluster = request.param == "redis+cluster"
    with redis_with_users(*(("--cluster-enabled", "yes") if cluster else ())) as started:
        if cluster:
            with started.client() as client:
                client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
                while b"cluster_state:ok" not in client.execute_command("CLUSTER", "INFO", NEVER_DECODE=True):
                    pass
        yield started, request.param


def refusals(server: RedisServer) -> list[str]:
    with server.client() as client:
        return [f"{entry['username']}: {entry['object']} ({entry['reason']})" for entry in client.acl_log()]


def as_user(server: RedisServer, role: str) -> redis.Redis:
    return redis.Redis(port=server.port, username=role, password=role)


async def test_a_match_from_end_to_end_with_each_process_as_its_own_user(server: tuple[RedisServer, str], tmp_path: Path) -> None:
    redis_server, scheme = server
    with redis_server.client() as client:
        client.acl_log_reset()
    signer = Signer(tmp_path)
    async with open_store(url(redis_server, "operator", scheme)) as operator:
        await operator.put_pool("duel", shipped_pool("duel"))
        await operator.queue_statistics("duel", [("local", "ranked")])
        await operator.connected()
    # The gateways of tests write pools themselves; here that is the operator's.
    async with gateway(url(redis_server, "gateway", scheme), signer, pools=()) as served:
        await play(served, redis_server, scheme)
    assert refusals(redis_server) == []


async def play(served: Gateway, redis_server: RedisServer, scheme: str) -> None:
    stop = asyncio.Event()
    async with served.player("alice") as alice, served.player("bob") as bob, open_store(url(redis_server, "matcher", scheme)) as store:
        assert (await alice.join())["type"] == "queue_joined"
        with as_user(redis_server, "keda") as keda:
            assert keda.eval(KEDA_LENGTH, 1, "pool:{duel}:queue:local:ranked:waiting") == 1
            assert keda.eval(KEDA_LENGTH, 1, "pool:{duel}:queue:local:casual:waiting") == 0  # absent: an empty list, for KEDA
            async with asyncio.timeout(10):  # arrivals are told to Redis in groups
                while keda.eval(KEDA_LENGTH, 1, "presence") < 2:
                    await asyncio.sleep(0.02)
            assert keda.eval(KEDA_LENGTH, 1, "presence") == 2
        matching = asyncio.ensure_future(Job(store, "duel", "local", stop).run())
        try:
            assert (await bob.join())["type"] == "queue_joined"
            await bob.receive("match_found", within=20)
            await alice.receive("match_found", within=20)
        finally:
            stop.set()
            await asyncio.wait_for(matching, 20)


@pytest.mark.parametrize(
    ("role", "command"),
    [
        ("gateway", "HSET pools duel x"),
        ("gateway", "FLUSHALL"),
        ("gateway", "KEYS *"),
        ("gateway", "CONFIG GET *"),
        ("gateway", "EVAL return 0"),
        ("matcher", "GET sign-in:x"),
        ("matcher", "HDEL pools duel"),
        ("matcher", "ZREM presence alice"),
        ("matcher", "SUBSCRIBE player:alice:updates"),
        ("matcher", "SCAN 0"),
        ("operator", "GET sign-in:x"),
        ("operator", "ZADD presence 1 alice"),
        ("operator", "PUBLISH gateway:g1 x"),
        ("keda", "HGETALL pools"),
        ("keda", "ZRANGE presence 0 -1"),
        ("keda", "ZREM presence alice"),
        ("keda", "PUBLISH queue:status x"),
        ("keda", "EVAL return(redis.call('type',KEYS[1])) 1 player:{alice}:profile"),
        ("keda", "EVAL return(redis.call('del',KEYS[1])) 1 presence"),
    ],
)
def test_no_user_has_more_than_its_work_needs(server: tuple[RedisServer, str], role: str, command: str) -> None:
    with as_user(server[0], role) as client, pytest.raises((redis.exceptions.NoPermissionError, redis.exceptions.ResponseError)) as refused:
        client.execute_command(*command.split())
    assert re.search("no permissions|NOPERM|can't run this command", str(refused.value)), refused.value


async def test_what_scripts_wrote_is_still_there_after_a_crash() -> None:
    with redis_with_users("--appendonly", "yes", "--appendfsync", "always", default=declared()["default"]) as redis_server:
        async with open_store(url(redis_server, "gateway")) as store:
            await store.take_over("alice", "gw-1")
        redis_server.kill()
        redis_server.start()
        with redis_server.client() as client:
            assert client.hget(keys.connection("alice"), "gateway") == b"gw-1"


def names_built() -> list[Callable[..., str]]:
    return [
        function
        for name, function in inspect.getmembers(keys, inspect.isfunction)
        if not name.startswith("_")
        and function.__module__ == keys.__name__
        and inspect.signature(function).return_annotation in (str, "str")
    ]


def test_gateways_reach_every_key_and_channel_there_is(server: tuple[RedisServer, str]) -> None:
    with server[0].client() as client:
        for command, name in (
            ("ZADD", keys.PRESENCE),
            ("ZADD", keys.GATEWAYS),
            ("SET", keys.STORE_EPOCH),
            ("SET", keys.EXPORTER),
            ("HGETALL", keys.POOLS),
            ("HGETALL", keys.POOL_OWNERS),
        ):
            assert "no permissions" not in dry_run(client, "gateway", command, name), name
        for function in names_built():
            wanted = [NAMES.get(name, "x1") for name in inspect.signature(function).parameters]
            name = function(*wanted)
            if name.endswith((":updates", ":events")) or name.startswith("gateway:"):
                verdict = client.execute_command("ACL", "DRYRUN", "gateway", "SUBSCRIBE", name)
            else:
                verdict = client.execute_command("ACL", "DRYRUN", "gateway", "DEL", name)
            assert verdict == b"OK", f"charts/game-session-manager/files/redis-users.yaml: gateway cannot reach {name}"


def test_every_command_of_the_scripts_is_allowed(server: tuple[RedisServer, str]) -> None:
    used = {
        (command, sub)
        for file in SCRIPTS.rglob("*.lua")
        for command, sub in re.findall(r"redis\.p?call\('([A-Z]+)'(?:, '(CREATE)')?", file.read_text())
    }
    assert ("ZADD", "") in used
    with server[0].client() as client:
        for role in ("gateway", "matcher", "operator"):
            for command, sub in sorted(used):
                verdict = dry_run(client, role, command, *([sub] if sub else []))
                assert "no permissions to run" not in verdict, f"redis-users.yaml: {role} cannot {command}: {verdict}"


def dry_run(client: redis.Redis, role: str, *words: str) -> str:
    """What Redis would say to a command, whatever its number of arguments."""
    for arguments in range(8):
        try:
            return str(client.execute_command("ACL", "DRYRUN", role, *words, *["pool:{duel}:tickets"] * arguments))
        except redis.exceptions.ResponseError as error:
            if "wrong number of arguments" not in str(error):
                raise
    raise AssertionError(f"{words} takes more arguments than were tried")


def test_the_settings_name_no_password_anywhere() -> None:
    settings = Settings(redis_url="redis://gateway:planted-secret@127.0.0.1/0")
    assert "planted-secret" not in repr(settings)
