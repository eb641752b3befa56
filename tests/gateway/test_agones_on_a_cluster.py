"""Allocation by the Kubernetes API, on a real API server. Agones itself is not there: resource definitions of its names answer with the status that it would give."""

import asyncio
import base64
import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from matchmaking.core.pool import Allocation
from matchmaking.core.session import Session, policy_of
from matchmaking.gateway.allocation import AllocationError, Connection
from matchmaking.gateway.allocation_agones import LABEL, AgonesAllocator, open_kubernetes
from support.agones import STATUS, agones_definitions, allocations
from support.arena import arena
from support.cluster import require, run

pytestmark = pytest.mark.cluster


class Fleet:
    """A namespace with a service account of its own."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self.namespace = namespace
        config = yaml.safe_load(run("kubectl", "config", "view", "--raw", "--minify", "--flatten"))
        server = config["clusters"][0]["cluster"]
        (folder / "ca.crt").write_bytes(base64.b64decode(server["certificate-authority-data"]))
        self.token_file, self.ca_file, self.url = folder / "token", folder / "ca.crt", server["server"]
        self.token_file.write_text(run("kubectl", "create", "token", "gateway", "-n", namespace))

    async def find(self, fleet: str | None = "arena", attempts: int = 1) -> Connection:

        session = Session("m1", "arena", "local", "ranked", "allocating", 0.0, (), (), policy_of(arena()), {}, attempts=attempts)
        async with open_kubernetes(self.url, self.ca_file) as client:
            return await AgonesAllocator(client, self.token_file, self.namespace).find(session, Allocation(type="agones", fleet=fleet))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    require("kubectl")
    namespace = f"agones-{secrets.token_hex(3)}"
    with agones_definitions():
        try:
            run("kubectl", "create", "namespace", namespace)
            run("kubectl", "create", "serviceaccount", "gateway", "-n", namespace)
            for name, verb, resource in (
                ("a", "create", "gameserverallocations.allocation.agones.dev"),
                ("b", "list", "gameservers.agones.dev"),
            ):
                run("kubectl", "create", "role", name, "-n", namespace, f"--verb={verb}", f"--resource={resource}")
                run("kubectl", "create", "rolebinding", name, "-n", namespace, f"--role={name}", f"--serviceaccount={namespace}:gateway")
            yield Fleet(tmp_path_factory.mktemp("agones"), namespace)
        finally:
            run("kubectl", "delete", "namespace", namespace, "--ignore-not-found", "--timeout=120s")


async def test_a_server_is_allocated_and_labelled_with_its_match(fleet: Fleet) -> None:
    assert await fleet.find() == Connection("10.0.0.9", 7003, {"default": 7003, "query": 7004})
    made = msgspec.json.decode(run("kubectl", "get", "gameserverallocations", "-n", fleet.namespace, "-o", "json"))["items"]
    assert made[-1]["spec"]["selectors"] == [{"matchLabels": {"agones.dev/fleet": "arena"}}]
    assert made[-1]["spec"]["metadata"]["labels"] == {LABEL: "m1"}


async def test_a_second_attempt_finds_the_server_of_the_first(fleet: Fleet) -> None:
    status = {"state": "Allocated", "address": "10.0.0.8", "ports": [{"name": "default", "port": 7001}]}
    server = {
        "apiVersion": "agones.dev/v1",
        "kind": "GameServer",
        "metadata": {"name": "earlier", "namespace": fleet.namespace, "labels": {LABEL: "m1"}},
        "status": status,
    }
    run("kubectl", "apply", "-f", "-", stdin=yaml.safe_dump(server))
    assert (await fleet.find(attempts=2)).address == "10.0.0.8"
    run("kubectl", "delete", "gameserver.agones.dev", "earlier", "-n", fleet.namespace)
    assert (await fleet.find(attempts=2)).address == "10.0.0.9"


async def test_what_cannot_be_allocated(fleet: Fleet) -> None:
    with pytest.raises(AllocationError, match="fleet` is missing") as nameless:
        await fleet.find(None)
    assert nameless.value.final
    token = fleet.token_file.read_text()
    fleet.token_file.write_text("nonsense")
    with pytest.raises(AllocationError, match="answered 401") as stranger:
        await fleet.find()
    assert stranger.value.final
    fleet.token_file.write_text(token)
    run("kubectl", "apply", "-f", "-", stdin=yaml.safe_dump(allocations({"state": "UnAllocated"})))
    try:
        refused: AllocationError | None = None
        async with asyncio.timeout(60):  # until the API server has taken the definition up
            while refused is None:
                try:
                    await fleet.find()
                except AllocationError as error:
                    refused = error
        assert "UnAllocated" in str(refused)
        assert not refused.final
    finally:
        run("kubectl", "apply", "-f", "-", stdin=yaml.safe_dump(allocations(STATUS)))
