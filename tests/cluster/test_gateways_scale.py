"""KEDA follows the number of connected players, up and down."""

import asyncio

import pytest

from support.cluster import eventually_async
from support.patience import crowd
from support.release import Release

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
QUICK = {
    "gateway": {
        "playersPerReplica": 125,
        "maxReplicas": 6,
        "scaleDown": {"stabilizationSeconds": 0, "pods": 4, "periodSeconds": 15},
        "podAnnotations": {"e2e/revision": "2"},
    }
}


async def test_two_gateways_become_four_with_500_players_and_two_again(release: Release, url: str) -> None:
    await asyncio.to_thread(release.upgrade, QUICK)
    assert len(release.namespace.pods("gateway")) == 2
    async with crowd(release, url, [f"stays-{i}" for i in range(200)]) as staying:
        async with crowd(release, url, [f"goes-{i}" for i in range(300)]):
            await eventually_async("all are present", lambda: int(release.redis("ZCARD", "presence")) == 500)
            await eventually_async("four gateways", lambda: len(release.namespace.pods("gateway")) == 4, within=180)
        await eventually_async("two gateways again", lambda: len(release.namespace.pods("gateway")) == 2, within=240)
        async with asyncio.timeout(120):
            while not all(each.connected for each in staying):
                await asyncio.sleep(0.2)
        await eventually_async("all that stayed are present", lambda: int(release.redis("ZCARD", "presence")) == 200)
