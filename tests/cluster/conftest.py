"""One release for the whole run, in a namespace that enforces restricted Pod Security."""

import os
from collections.abc import Iterator

import pytest

from support.cluster import CHART, Namespace, require, run
from support.release import Release
from support.storage import redis_volume

NAMESPACE = os.environ.get("E2E_NAMESPACE", "gsm-e2e")


@pytest.fixture(scope="session")
def namespace() -> Iterator[Namespace]:
    """Empty at first; deleted at the end (E2E_KEEP=1 keeps it)."""
    require("kubectl", "helm")
    with Namespace(NAMESPACE) as made:
        yield made


@pytest.fixture(scope="session")
def release(namespace: Namespace) -> Iterator[Release]:
    """The chart, installed and ready."""
    made = Release(namespace)
    with redis_volume(namespace.name):
        made.upgrade()
        yield from _with_definition(made)
        made.uninstall()


def _with_definition(made: Release) -> Iterator[Release]:
    # The definition may be an older one that somebody else brought; the upgrade notes say to do this.
    run("kubectl", "apply", "--server-side", "--force-conflicts", "-f", str(CHART / "files" / "crd.yaml"))
    yield made


@pytest.fixture
def url(release: Release) -> Iterator[str]:
    """The gateways, through their service."""
    with release.gateway() as address:
        yield address
