"""Uninstalling leaves nothing but the definition, and never waits for anything; in whichever order."""

from collections.abc import Iterator

import pytest

from support.cluster import Namespace, eventually, pool, require, run
from support.release import Release

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]
CLUSTERS_OWN = ("configmap/kube-root-ca.crt", "serviceaccount/default")


@pytest.fixture
def installed(namespace: Namespace) -> Iterator[Release]:
    require("kubectl", "helm")
    with Namespace(f"{namespace.name}-goes") as made:
        release = Release(made)
        release.upgrade({"redis": {"persistence": {"enabled": False}}})
        release.declare(pool("goes", ("eu", "us"), ("ranked", "casual")))
        yield release


def left(release: Release) -> list[str]:
    kinds = run("kubectl", "api-resources", "--namespaced", "--verbs=list,delete", "-o", "name").split()
    listed = ",".join(kind for kind in kinds if not kind.startswith("events") and "metrics" not in kind)
    names = release.namespace.kubectl("get", listed, "-o", "name", "--ignore-not-found").split()
    return [name for name in names if name not in CLUSTERS_OWN]


@pytest.mark.parametrize("order", ["release first", "pools first"])
def test_nothing_is_left(installed: Release, order: str) -> None:
    assert len(left(installed)) > 20
    if order == "release first":
        installed.uninstall()
        installed.namespace.kubectl("delete", "mmp", "--all", "--timeout=60s")
    else:
        installed.namespace.kubectl("delete", "mmp", "--all", "--timeout=60s")
        installed.uninstall()
    eventually("nothing is left", lambda: not left(installed))
    assert "matchmakingpools" in run("kubectl", "get", "crd", "-o", "name")
