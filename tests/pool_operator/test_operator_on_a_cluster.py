"""The operator against a real API server, a real KEDA and a real Redis."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from matchmaking.core.ticket import Player, Ticket
from matchmaking.protocol.events import TICKET_ENDED
from matchmaking.store import values
from matchmaking.store.connect import open_store
from matchmaking.store.joining import Join, join
from matchmaking.store.redis_store import RedisStore
from pool_operator.installation import Operator, eventually, install_definition, namespace, reachable_redis, until_condition
from pool_operator.kubectl import apply, get, kubectl, listed
from pool_operator.pools import resource
from support.redis_server import RedisServer

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with reachable_redis() as server:
        yield server


@pytest.fixture(scope="module")
def operator(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    install_definition()
    with namespace() as name, Operator(name, redis.url, tmp_path_factory.mktemp("operator")) as running:
        yield running


@pytest.fixture
async def games(redis: RedisServer) -> AsyncIterator[RedisStore]:
    async with open_store(redis.url) as store:
        yield store


def pool(operator_namespace: str, name: str | None = None, **spec: Any) -> dict[str, Any]:
    made = resource("duel", **spec)
    made["metadata"] = {"name": name or f"duel-{secrets.token_hex(3)}", "namespace": operator_namespace}
    return made


def ready(made: dict[str, Any]) -> str:
    apply(made)
    name: str = made["metadata"]["name"]
    until_condition(name, made["metadata"]["namespace"], "Ready", "True")
    return name


async def wait_in(store: RedisStore, pool_name: str, player: str, region: str = "local", mode: str = "ranked") -> None:
    generation = (await store.take_over(player, "gw")).generation

    def build(place: values.Place, _: Any) -> Ticket:
        return Ticket(place.ticket, region, mode, (Player(player, 1500.0),), 0.0)

    outcome = await join(store, Join((player,), generation, "1", pool_name, region, mode), build)
    assert outcome.status == "joined"


async def told(store: RedisStore, player: str) -> str:
    events = (await store.outbox(player, 0)).events
    return msgspec.json.decode(events[-1].data)["reason"] if events and events[-1].type == TICKET_ENDED else ""


async def test_a_pool_gets_everything_it_declares(operator: Operator, games: RedisStore) -> None:
    name = ready(pool(operator.namespace))
    jobs = {job["metadata"]["labels"]["gamesessions.dev/region"] for job in listed("scaledjobs", operator.namespace) if _of(job, name)}
    assert jobs == {"local", "eu-west", "us-east"}
    assert any(_of(board, name) for board in listed("configmaps", operator.namespace))
    revision, rules = (await games.pools())[name]
    found = get("mmp", name, operator.namespace)
    assert found is not None
    assert "finalizers" not in found["metadata"]
    assert found["metadata"].get("annotations", {}).keys() <= {"kubectl.kubernetes.io/last-applied-configuration"}
    assert found["status"]["revision"] == revision
    assert [(queue["region"], queue["mode"]) for queue in found["status"]["queues"]] == [
        (region.name, mode) for region in rules.regions for mode in rules.modes
    ]
    await wait_in(games, name, "alice")
    eventually("one ticket shows", lambda: (get("mmp", name, operator.namespace) or {})["status"]["totals"]["waiting"] == 1)
    row = kubectl("get", "mmp", name, "-n", operator.namespace, "--no-headers").split()
    assert row[:5] == [name, "True", "6", "1", "0"]
    reasons = {each["reason"] for each in listed("events", operator.namespace) if each["involvedObject"]["name"] == name}
    assert reasons == {"PoolReady"}


def _of(made: dict[str, Any], name: str) -> bool:
    return made["metadata"].get("labels", {}).get("gamesessions.dev/pool") == name


async def test_new_rules_take_effect_and_status_says_of_which_generation(operator: Operator, games: RedisStore) -> None:
    made = pool(operator.namespace)
    name = ready(made)
    before = (await games.pools())[name][0]
    made["spec"]["ticket"] = {"ttl": "7m"}
    ready(made)
    revision, rules = (await games.pools())[name]
    found = get("mmp", name, operator.namespace)
    assert found is not None
    assert (revision, rules.ticket.ttl) == (before + 1, 420)
    assert (found["status"]["revision"], found["status"]["observedGeneration"]) == (revision, found["metadata"]["generation"])


async def test_drift_is_put_right(operator: Operator, games: RedisStore, redis: RedisServer) -> None:
    name = ready(pool(operator.namespace))
    jobs = [job["metadata"]["name"] for job in listed("scaledjobs", operator.namespace) if _of(job, name)]
    (board,) = [each["metadata"]["name"] for each in listed("configmaps", operator.namespace) if _of(each, name)]
    kubectl("delete", "scaledjob", jobs[0], "-n", operator.namespace)
    kubectl("patch", "scaledjob", jobs[1], "-n", operator.namespace, "--type=merge", "-p", '{"spec":{"maxReplicaCount":77}}')
    kubectl(
        "patch",
        "configmap",
        board,
        "-n",
        operator.namespace,
        "--type=merge",
        "-p",
        json.dumps({"data": {f"{operator.namespace}-{name}.json": "{}"}}),
    )
    with redis.client() as client:
        client.hdel("pools", name)

    def mended() -> bool:
        found = [get("scaledjob", job, operator.namespace) for job in jobs]
        texts = (get("configmap", board, operator.namespace) or {}).get("data", {}).values()
        return all(job and job["spec"]["maxReplicaCount"] == 4 for job in found) and "{}" not in texts

    eventually("everything is as it was", mended)
    with redis.client() as client:
        eventually("the rules are back", lambda: client.hexists("pools", name))


async def test_a_region_or_mode_that_goes_takes_its_matchers_and_tells_its_players(operator: Operator, games: RedisStore) -> None:
    made = pool(operator.namespace)
    name = ready(made)
    stays, goes, other = (f"{who}-{secrets.token_hex(3)}" for who in ("stays", "goes", "other"))
    await wait_in(games, name, stays)
    await wait_in(games, name, goes, region="eu-west")
    await wait_in(games, name, other, mode="casual")
    made["spec"]["regions"], made["spec"]["modes"] = [{"name": "local"}, {"name": "us-east"}], ["ranked"]
    ready(made)
    for player in (goes, other):
        await _eventually_told(games, player, "queue_removed")
    assert await told(games, stays) == ""
    assert await games.queue_lengths(name, [("local", "ranked")]) == [1]
    eventually("its ScaledJob went", lambda: len([job for job in listed("scaledjobs", operator.namespace) if _of(job, name)]) == 2)
    assert await games.known_queues(name) == [("local", "ranked")]


async def _eventually_told(games: RedisStore, player: str, reason: str) -> None:
    async with asyncio.timeout(90):
        while await told(games, player) != reason:
            await asyncio.sleep(0.1)


async def test_a_suspended_pool_pauses_and_goes_on(operator: Operator, games: RedisStore) -> None:
    made = pool(operator.namespace)
    name = ready(made)
    made["spec"]["suspend"] = True
    apply(made)
    assert "spec.suspend is true" in until_condition(name, operator.namespace, "Ready", "False", "Suspended")
    assert (await games.pools())[name][1].suspend
    until_condition(name, operator.namespace, "AutoscalingReady", "True", "Paused")
    eventually("KEDA pauses", lambda: all(_paused(job) for job in listed("scaledjobs", operator.namespace) if _of(job, name)))
    made["spec"]["suspend"] = False
    ready(made)
    until_condition(name, operator.namespace, "AutoscalingReady", "True", "Scaling")
    eventually("KEDA goes on", lambda: not any(_paused(job) for job in listed("scaledjobs", operator.namespace) if _of(job, name)))


def _paused(job: dict[str, Any]) -> bool:
    """What KEDA obeys; its own condition `Paused` may stay behind when it goes on (seen with 2.21)."""
    return "autoscaling.keda.sh/paused" in (job["metadata"].get("annotations") or {})


async def test_an_unsatisfiable_edit_is_told_and_the_rules_before_stay(operator: Operator, games: RedisStore) -> None:
    made = pool(operator.namespace)
    name = ready(made)
    before = (await games.pools())[name]
    made["spec"]["expansions"]["steps"].append({"target": "rematch", "after": "10m", "disable": True})
    apply(made)
    message = until_condition(name, operator.namespace, "Satisfiable", "False", "Unsatisfiable")
    assert "spec.expansions.steps[2].after" in message
    until_condition(name, operator.namespace, "Ready", "False", "Unsatisfiable")
    assert (await games.pools())[name] == before
    found = get("mmp", name, operator.namespace)
    assert found is not None
    assert len(found["status"]["queues"]) == 6, "the queues that are still served"


async def test_deleting_a_pool_with_players_tells_them_and_never_hangs(operator: Operator, games: RedisStore) -> None:
    name = ready(pool(operator.namespace))
    alice = f"alice-{secrets.token_hex(3)}"
    await wait_in(games, name, alice)
    kubectl("delete", "mmp", name, "-n", operator.namespace, timeout=30)
    await _eventually_told(games, alice, "pool_deleted")
    assert name not in await games.pools()
    eventually("its ScaledJobs go with it", lambda: not [job for job in listed("scaledjobs", operator.namespace) if _of(job, name)])
    owner = (await games.pool_owners())[name]
    assert owner.deleted_ms is not None, "kept until no join can be under way any more"


async def test_a_name_belongs_to_the_namespace_that_declared_it_first(
    operator: Operator, redis: RedisServer, games: RedisStore, tmp_path: Path
) -> None:
    name = ready(pool(operator.namespace))
    with namespace() as other, Operator(other, redis.url, tmp_path):
        apply(pool(other, name, modes=["other"]))
        message = until_condition(name, other, "Ready", "False", "NameTaken")
        assert f"Namespace {operator.namespace} has a pool `{name}` already" in message
        assert (await games.pools())[name][1].modes == ("ranked", "casual")
        assert not listed("scaledjobs", other)
        kubectl("delete", "mmp", name, "-n", other)
    assert name in await games.pools(), "the deletion of the second one touched the first"


async def test_an_operator_killed_at_any_moment_leaves_nothing_undone(operator: Operator, games: RedisStore) -> None:
    names = []
    for n in range(4):
        made = pool(operator.namespace)
        apply(made)
        names.append(made["metadata"]["name"])
        eventually("it has begun", lambda name=names[-1], n=n: _begun(operator, name, n))
        operator.kill()
        operator.start()
    for name in names:
        until_condition(name, operator.namespace, "Ready", "True")
        assert len([job for job in listed("scaledjobs", operator.namespace) if _of(job, name)]) == 3
        assert name in await games.pools()


def _begun(operator: Operator, name: str, depth: int) -> bool:
    """How far the reconcile may get before the kill: not at all, one ScaledJob, all, the status."""
    jobs = [job for job in listed("scaledjobs", operator.namespace) if _of(job, name)]
    return (True, bool(jobs), len(jobs) == 3, bool((get("mmp", name, operator.namespace) or {}).get("status")))[depth]


async def test_redis_that_dies_is_told_and_gets_the_rules_again(tmp_path: Path) -> None:
    install_definition()
    with reachable_redis() as server, namespace() as name, Operator(name, server.url, tmp_path) as running:
        made = ready(pool(name))
        server.kill()
        assert "look at Redis" in until_condition(made, name, "QueuesConfigured", "False", "RedisUnreachable")
        until_condition(made, name, "Degraded", "True", "RedisUnreachable")
        server.start()
        until_condition(made, name, "Ready", "True")
        with server.client() as client:
            assert client.hexists("pools", made)
        assert running.alive()


async def test_a_password_that_redis_refuses_is_told(tmp_path: Path) -> None:
    install_definition()
    with reachable_redis() as server, namespace() as name:
        with server.client() as client:
            client.config_set("requirepass", "right")
        url = server.url.replace("redis://", "redis://:wrong@")
        with Operator(name, url, tmp_path) as running:
            made = pool(name)
            apply(made)
            message = until_condition(made["metadata"]["name"], name, "QueuesConfigured", "False", "RedisRefused")
            assert "MATCHMAKING_REDIS_URL" in message
            assert "wrong" not in message
            assert running.alive()
