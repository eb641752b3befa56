"""What dies or is replaced while players wait costs nobody its place."""

import asyncio
import secrets

import pytest

from matchmaking.client import Client
from support.cluster import eventually, eventually_async, pool
from support.patience import waiting_players
from support.release import FULLNAME, GATEWAY, Release, ready

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


async def all_connected(players: list[Client]) -> None:
    async with asyncio.timeout(120):
        while not all(each.connected for each in players):
            await asyncio.sleep(0.2)


async def test_an_upgrade_replaces_every_gateway_under_its_players(release: Release, url: str) -> None:
    before = {pod["metadata"]["uid"] for pod in release.namespace.pods("gateway")}
    async with waiting_players(release, url, 100) as players:
        revision = {"gateway": {"podAnnotations": {"e2e/revision": secrets.token_hex(4)}}}
        await asyncio.to_thread(release.upgrade, revision)
        await eventually_async(
            "every gateway is a new one",
            lambda: not before & {pod["metadata"]["uid"] for pod in release.namespace.all("pods", "app.kubernetes.io/component=gateway")},
        )
        await all_connected(players)
        assert all(each.connections >= 2 for each in players)


async def test_redis_killed_with_its_pod_comes_back_with_every_ticket(release: Release, url: str) -> None:
    async with waiting_players(release, url, 40) as players:
        uid = release.namespace.get("pod", f"{FULLNAME}-redis-0")["metadata"]["uid"]
        await asyncio.to_thread(release.namespace.kubectl, "delete", "pod", f"{FULLNAME}-redis-0", "--grace-period=1")

        def back() -> bool:
            pod = release.namespace.get("pod", f"{FULLNAME}-redis-0")
            return pod is not None and pod["metadata"]["uid"] != uid and ready(pod)

        await eventually_async("another Redis is ready", back)
        await all_connected(players)


async def test_a_gateway_killed_hard_costs_a_reconnect(release: Release, url: str) -> None:
    async with waiting_players(release, url, 40) as players:
        victim = release.namespace.pods("gateway")[0]["metadata"]["name"]
        await asyncio.to_thread(release.namespace.kubectl, "delete", "pod", victim, "--grace-period=0", "--force")
        await eventually_async("two gateways are ready", lambda: sum(ready(pod) for pod in release.namespace.pods("gateway")) >= 2)
        await all_connected(players)


def test_the_operator_killed_in_the_midst_leaves_nothing_undone(release: Release) -> None:
    names = [f"many-{i}" for i in range(12)]
    release.namespace.apply(*(pool(name, ("eu", "us")) for name in names))
    eventually("the operator has begun", lambda: release.namespace.all("scaledjobs", "app.kubernetes.io/component=matcher"), every=0.05)
    release.namespace.kubectl("delete", "pod", "-l", "app.kubernetes.io/component=operator", "--grace-period=0", "--force")
    for name in names:
        release.ready(name)
    jobs = release.namespace.all("scaledjobs")
    assert {(each["metadata"]["labels"]["gamesessions.dev/pool"]) for each in jobs} >= set(names)
    release.namespace.kubectl("delete", "mmp", *names, "--timeout=60s")
    eventually(
        "their ScaledJobs went with them",
        lambda: not {each["metadata"]["labels"]["gamesessions.dev/pool"] for each in release.namespace.all("scaledjobs")} & set(names),
    )


def test_drift_is_repaired(release: Release) -> None:
    release.declare(pool("drifting"))
    release.namespace.kubectl("delete", "scaledjob", "-l", "gamesessions.dev/pool=drifting", "--timeout=60s")
    eventually("the ScaledJob is back", lambda: release.namespace.all("scaledjobs", "gamesessions.dev/pool=drifting"))
    release.namespace.kubectl("delete", "mmp", "drifting", "--timeout=30s")


def test_the_gateways_deployment_is_what_it_was(release: Release) -> None:
    """The last one here: nothing restarted by itself."""
    for pod in release.namespace.pods("gateway"):
        assert [each["restartCount"] for each in pod["status"]["containerStatuses"]] == [0], pod["metadata"]["name"]
    assert GATEWAY in release.namespace.kubectl("get", "deployments", "-o", "name")
