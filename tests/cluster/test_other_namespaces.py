"""What a release does outside of its namespace, if it is told to: pools of all namespaces, and game servers from the namespace of Agones' fleets."""

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from matchmaking.client import Client
from matchmaking.protocol.to_client import GameStateUpdateData
from support.agones import STATUS, agones_definitions
from support.cluster import Manifest, Namespace, eventually, eventually_async, pool, run
from support.release import FULLNAME, GATEWAY, Release, matched, player, reason

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
KEDA = os.environ.get("E2E_KEDA_NAMESPACE", "keda")
MATCHERS_SECRET = f"{FULLNAME}-redis-matcher"


def copied(release: Release, name: str, **metadata: str) -> Manifest:
    """One of the release's secrets, for another namespace."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, **metadata}, "stringData": release.namespace.secret(name)}


@pytest.fixture(scope="module")
def elsewhere(release: Release) -> Iterator[Namespace]:
    """A namespace that has pools, with what the production guide wants in it."""
    with Namespace(f"{release.namespace.name}-elsewhere") as made:
        made.apply(copied(release, MATCHERS_SECRET))
        yield made


@pytest.fixture(scope="module")
def fleets(release: Release) -> Iterator[Namespace]:
    """A namespace as Agones would have for its fleets; its definitions answer with the status that it would give."""
    with agones_definitions(), Namespace(f"{release.namespace.name}-fleets") as made:
        yield made


@pytest.fixture(scope="module")
def keda_knows(release: Release) -> Iterator[str]:
    """A ClusterTriggerAuthentication, whose secret is where KEDA looks for it; its name."""
    name = f"{release.namespace.name}-redis"
    secret = copied(release, f"{FULLNAME}-redis-keda") | {"metadata": {"name": name, "namespace": KEDA}}
    references = [{"parameter": each, "name": name, "key": each} for each in ("username", "password")]
    authentication: Manifest = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ClusterTriggerAuthentication",
        "metadata": {"name": name},
        "spec": {"secretTargetRef": references},
    }
    keda = Namespace(KEDA)
    keda.apply(secret)
    run("kubectl", "apply", "-f", "-", stdin=json.dumps(authentication))
    yield name
    run("kubectl", "delete", "clustertriggerauthentication", name, "--timeout=60s")
    keda.kubectl("delete", "secret", name, "--timeout=60s")


@pytest.fixture(scope="module")
def wide(release: Release, elsewhere: Namespace, fleets: Namespace, keda_knows: str) -> Iterator[Release]:
    """The release, upgraded to both; put back at the end."""
    release.upgrade(
        {
            "operator": {"watch": "cluster"},
            "keda": {"clusterTriggerAuthentication": keda_knows},
            "gateway": {"agonesNamespace": fleets.name},
        }
    )
    yield release
    release.upgrade()


async def test_a_pool_of_another_namespace_is_served_there(wide: Release, elsewhere: Namespace, url: str) -> None:
    away = Release(elsewhere)
    await asyncio.to_thread(away.declare, pool("away", scaling={"maxMatchers": 1, "idleTimeout": "2s"}))
    async with player(wide, url, "away-a") as one, player(wide, url, "away-b") as two:
        await asyncio.gather(one.join("away", "eu", "ranked"), two.join("away", "eu", "ranked"))
        first, second = await asyncio.wait_for(asyncio.gather(matched(one), matched(two)), 120)
        assert first.match_id == second.match_id
    assert elsewhere.all("jobs", "gamesessions.dev/pool=away")
    assert not wide.namespace.all("jobs", "gamesessions.dev/pool=away")
    await eventually_async("the matcher has ended", lambda: not away.jobs("away"))


def test_a_pool_whose_name_another_namespace_has_says_so(wide: Release, elsewhere: Namespace) -> None:
    wide.namespace.apply(pool("away"))
    told = eventually("a condition", lambda: (found := wide.namespace.get("mmp", "away")) and reason(found, "Ready"))
    assert told.startswith("NameTaken")
    assert elsewhere.name in told
    wide.namespace.kubectl("delete", "mmp", "away", "--timeout=30s")
    assert Release(elsewhere).ready("away"), "the first one's is not disturbed"


def test_a_pool_that_is_deleted_there_leaves_nothing(wide: Release, elsewhere: Namespace) -> None:
    elsewhere.kubectl("delete", "mmp", "away", "--timeout=30s")
    eventually("its ScaledJob is gone", lambda: not elsewhere.all("scaledjobs", "gamesessions.dev/pool=away"))
    eventually("its rules are gone", lambda: "away" not in wide.redis("hkeys", "pools").split())


async def test_a_match_gets_a_game_server_from_the_fleets_namespace(wide: Release, fleets: Namespace, url: str) -> None:
    allocation = {"type": "agones", "fleet": "arena"}
    await asyncio.to_thread(wide.declare, pool("arena", allocation=allocation, scaling={"maxMatchers": 1, "idleTimeout": "2s"}))
    async with player(wide, url, "arena-a") as one, player(wide, url, "arena-b") as two:
        await asyncio.gather(one.join("arena", "eu", "ranked"), two.join("arena", "eu", "ranked"))
        told = await asyncio.wait_for(asyncio.gather(server_of(one), server_of(two)), 120)
    assert {(each["address"], each["port"]) for each in told} == {(STATUS["address"], 7003)}
    assert len(fleets.all("gameserverallocations")) == 1
    wide.namespace.kubectl("delete", "mmp", "arena", "--timeout=30s")


async def server_of(client: Client) -> dict[str, Any]:
    """The game server that the client is told."""
    async for event in client.events():
        if isinstance(event, GameStateUpdateData) and "connection" in event.state:
            told: dict[str, Any] = event.state["connection"]
            return told
    raise AssertionError("the client was closed")


@pytest.mark.parametrize(
    ("verb", "what", "allowed"),
    [
        ("create", "gameserverallocations.allocation.agones.dev", True),
        ("list", "gameservers.agones.dev", True),
        ("delete", "gameservers.agones.dev", False),
        ("get", "secrets", False),
    ],
)
def test_gateways_may_do_that_and_nothing_else(wide: Release, fleets: Namespace, verb: str, what: str, allowed: bool) -> None:
    account = f"system:serviceaccount:{wide.namespace.name}:{GATEWAY}"
    command = f"kubectl auth can-i {verb} {what} -n {fleets.name} --as={account} || true"
    assert run("sh", "-c", command).split()[0] == ("yes" if allowed else "no")
