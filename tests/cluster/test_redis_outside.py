"""Production's Redis: in a namespace of its own, by TLS with a private authority, a user for each kind of process; asked directly, and by its Sentinel."""

import asyncio
import base64
from collections.abc import Iterator

import pytest

from support.cluster import Manifest, Namespace, eventually_async, pool
from support.redis_outside import PRIMARY, RedisOutside
from support.redis_users import ROLES
from support.release import FULLNAME, Release, matched, player

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def outside(namespace: Namespace) -> Iterator[RedisOutside]:
    with Namespace(f"{namespace.name}-redis") as made:
        redis = RedisOutside(made)
        redis.start()
        yield redis


@pytest.fixture(scope="module")
def served(namespace: Namespace, outside: RedisOutside) -> Iterator[Release]:
    """A release of its own, not installed yet, beside the secrets that production would keep for it."""
    with Namespace(f"{namespace.name}-tls") as made:
        keda = {"username": "keda", "password": "keda"}
        made.apply(secret("redis-authority", {"ca.crt": outside.authority}), secret("redis-of-keda", keda))
        yield Release(made)  # goes with its namespace: it made nothing elsewhere but the definition, which stays


def secret(name: str, content: dict[str, str]) -> Manifest:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in content.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def by(redis: dict[str, object]) -> Manifest:
    """Values for a release that reaches Redis so."""
    users = {role: {"password": role} for role in ROLES if role != "keda"} | {"keda": {"existingSecret": "redis-of-keda"}}
    tls = {"enabled": True, "caSecret": "redis-authority"}
    return {"redis": {"enabled": False}, "externalRedis": {"tls": tls, "users": users, **redis}, "gateway": {"minReplicas": 1}}


@pytest.mark.parametrize("mode", ["standalone", "sentinel"])
async def test_two_players_are_matched_by_a_matcher_that_keda_starts(served: Release, outside: RedisOutside, mode: str) -> None:
    direct: dict[str, object] = {"mode": "standalone", "addresses": [outside.server]}
    asked: dict[str, object] = {"mode": "sentinel", "addresses": [outside.sentinel], "sentinelMaster": PRIMARY}
    await asyncio.to_thread(served.upgrade, by(direct if mode == "standalone" else asked))
    await asyncio.to_thread(served.declare, pool("duel", scaling={"maxMatchers": 1, "idleTimeout": "5s"}))
    with served.gateway() as url:
        # Others each time: who left before an event was acknowledged gets it again, and it is the same Redis.
        async with player(served, url, f"{mode}-a") as one, player(served, url, f"{mode}-b") as two:
            await asyncio.gather(one.join("duel", "eu", "ranked"), two.join("duel", "eu", "ranked"))
            first, second = await asyncio.wait_for(asyncio.gather(matched(one), matched(two)), 120)
            assert first.match_id == second.match_id
            users = {each["user"] for each in await asyncio.to_thread(outside.clients)}
            assert set(ROLES) <= users, "each kind of process is its own user"
    scheme = "rediss" if mode == "standalone" else "rediss+sentinel"
    for part in ("gateway", "operator"):
        told = served.namespace.kubectl("exec", f"deploy/{FULLNAME}-{part}", "-c", part, "--", "printenv", "MATCHMAKING_REDIS_URL")
        assert told.startswith(f"{scheme}://"), "whoever ran before the way changed was replaced"
    scaled = (served.namespace.get("scaledobject", f"{FULLNAME}-gateway") or {})["spec"]["triggers"][0]
    assert scaled["type"] == ("redis" if mode == "standalone" else "redis-sentinel")
    await eventually_async("KEDA scales gateways", lambda: gateways_are_scaled(served))
    await eventually_async("the matcher has ended", lambda: not served.jobs("duel"))


def gateways_are_scaled(release: Release) -> bool:
    said = (release.namespace.get("scaledobject", f"{FULLNAME}-gateway") or {}).get("status", {}).get("conditions", [])
    return {"Ready": "True"}.items() <= {each["type"]: each["status"] for each in said}.items()
