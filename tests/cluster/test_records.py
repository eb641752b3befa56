"""A pool that asks for it is recorded on the installation's volume, by matchers as the operator makes them; what they wrote can be replayed."""

import asyncio
from collections.abc import Iterator

import pytest

from matchmaking.simulation.replay import happened, read_log, replay
from support.cluster import Manifest, eventually, eventually_async, pool
from support.release import IMAGE, Release, matched, player, reason
from support.storage import node_volume

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
CLAIM = "records"
SECURITY: Manifest = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}


def recorded(name: str) -> Manifest:
    return pool(name, recording={"enabled": True}, scaling={"maxMatchers": 1, "idleTimeout": "1s"})


@pytest.fixture
def place(release: Release) -> Iterator[None]:
    """The release with a volume for records."""
    namespace = release.namespace
    claim: Manifest = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    with node_volume(namespace.name, CLAIM, CLAIM):
        namespace.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM}, "spec": claim})
        release.upgrade({"recording": {"volume": {"persistentVolumeClaim": {"claimName": CLAIM}}}})
        yield
        release.upgrade()
        namespace.kubectl("delete", "pvc", CLAIM, "--timeout=120s")


def what_was_written(release: Release) -> str:
    """All records, as a pod reads them."""
    namespace = release.namespace
    container: Manifest = {
        "name": "reader",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "cat /records/*.jsonl"],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "records", "mountPath": "/records"}],
    }
    spec: Manifest = {
        "restartPolicy": "Never",
        "securityContext": SECURITY,
        "containers": [container],
        "volumes": [{"name": "records", "persistentVolumeClaim": {"claimName": CLAIM}}],
    }
    namespace.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reader"}, "spec": spec})
    eventually("the reader has read", lambda: (namespace.get("pod", "reader") or {})["status"]["phase"] == "Succeeded")
    text = namespace.kubectl("logs", "reader")
    namespace.kubectl("delete", "pod", "reader", "--timeout=60s")
    return text


def test_a_pool_that_asks_where_there_is_no_place_says_so_and_matches_all_the_same(release: Release) -> None:
    found = release.declare(recorded("unrecorded"))
    assert reason(found, "AutoscalingReady").startswith("ScalingUnrecorded: ")
    assert "recording.volume" in reason(found, "AutoscalingReady")
    release.namespace.kubectl("delete", "mmp", "unrecorded", "--timeout=30s")


async def test_a_pool_that_asks_is_recorded_and_its_record_can_be_replayed(release: Release, url: str, place: None) -> None:
    release.declare(recorded("recorded"))
    async with player(release, url, "secret-a") as one, player(release, url, "secret-b") as two:
        await asyncio.gather(one.join("recorded", "eu", "ranked"), two.join("recorded", "eu", "ranked"))
        first, second = await asyncio.wait_for(asyncio.gather(matched(one), matched(two)), 120)
    await eventually_async("the matcher has ended", lambda: not release.jobs("recorded"))
    text = await asyncio.to_thread(what_was_written, release)
    log = read_log(text.encode().splitlines(keepends=True))
    assert [set(match) for match in happened(log).matches] == [{first.ticket_id, second.ticket_id}]
    assert replay(log, log.rules).matches == happened(log).matches
    assert "secret" not in text
    release.namespace.kubectl("delete", "mmp", "recorded", "--timeout=30s")
