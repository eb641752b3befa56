"""From `kubectl apply` to a match and back to nothing, with what `kubectl get mmp` says at each step."""

import asyncio
import statistics
import time

import pytest

from support.cluster import CommandError, eventually, eventually_async, pool
from support.release import GATEWAY, NAME, Release, condition, matched, player, reason

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
COLD, WARM = 20, 20


@pytest.fixture(scope="module")
def duel(release: Release) -> str:
    release.declare(pool("duel", scaling={"maxMatchers": 2, "idleTimeout": "1s"}))
    return "duel"


async def test_a_silent_pool_has_no_matcher_and_two_players_are_matched_all_the_same(release: Release, url: str, duel: str) -> None:
    assert release.jobs(duel) == []
    async with player(release, url, "alice") as alice, player(release, url, "bob") as bob:
        await alice.join(duel, "eu", "ranked")
        said = await eventually_async(
            "status says that one waits", lambda: waiting(release, duel) == 1 and release.namespace.get("mmp", duel)
        )
        assert condition(said, "Ready") is not None
        await bob.join(duel, "eu", "ranked")
        first, second = await asyncio.gather(matched(alice), matched(bob))
        assert first.match_id == second.match_id
        assert first.opponent == "bob"
    await eventually_async("the matcher has ended", lambda: not release.jobs(duel))
    await eventually_async("status says that nobody waits", lambda: waiting(release, duel) == 0)


def waiting(release: Release, name: str) -> int:
    found = release.namespace.get("mmp", name)
    assert found is not None
    return sum(queue["waiting"] for queue in found["status"]["queues"])


async def test_cold_and_warm_waits(release: Release, url: str, duel: str, capsys: pytest.CaptureFixture[str]) -> None:
    cold = []
    async with player(release, url, "carol") as carol, player(release, url, "dave") as dave:
        for _ in range(COLD):
            await eventually_async("silence", lambda: not release.jobs(duel), every=0.25)
            cold.append(await wait_of(carol, dave, duel))
        warm = [await wait_of(carol, dave, duel) for _ in range(WARM)]
    with capsys.disabled():
        for name, waits, targets in (("cold", cold, "2500 and 4000"), ("warm", warm, "150 (p50)")):
            waits.sort()
            middle, late = statistics.median(waits), waits[int(0.95 * len(waits)) - 1]
            print(
                f"\n{name}: first queue_join → match_found, p50 {middle:.0f} ms, p95 {late:.0f} ms over {len(waits)} (targets {targets} ms)"
            )


async def wait_of(first, second, duel: str) -> float:
    started = time.perf_counter()
    await asyncio.gather(first.join(duel, "eu", "ranked"), second.join(duel, "eu", "ranked"))
    one, two = await asyncio.gather(matched(first), matched(second))
    assert one.match_id == two.match_id
    return (time.perf_counter() - started) * 1000


async def test_a_change_of_rules_takes_effect_and_loses_no_ticket(release: Release, url: str) -> None:
    rule = {"name": "level", "type": "distance", "attribute": "level", "maxDistance": 10}
    release.declare(pool("levels", rules=[rule], scaling={"maxMatchers": 1, "idleTimeout": "60s"}))
    async with player(release, url, "erin") as erin, player(release, url, "frank") as frank:
        tickets = {
            (await erin.join("levels", "eu", "ranked", attributes={"level": 1})).ticket_id,
            (await frank.join("levels", "eu", "ranked", attributes={"level": 500})).ticket_id,
        }
        await eventually_async(
            "both wait, and a matcher looks at them", lambda: len(release.jobs("levels")) == 1 and waiting(release, "levels") == 2
        )
        release.namespace.apply(pool("levels", rules=[{**rule, "maxDistance": 1000}], scaling={"maxMatchers": 1, "idleTimeout": "60s"}))
        found = await asyncio.wait_for(asyncio.gather(matched(erin), matched(frank)), 60)
        assert {each.ticket_id for each in found} == tickets
    release.namespace.kubectl("delete", "mmp", "levels", "--timeout=30s")


def test_a_wrong_pool_is_refused_when_it_is_applied_with_the_fields_path(release: Release) -> None:
    with pytest.raises(CommandError, match=r"spec\.scaling\.maxMatchers.*Invalid value"):
        release.namespace.apply(pool("wrong", scaling={"maxMatchers": -1}))
    with pytest.raises(CommandError, match=r"spec\.regions: Too many"):
        release.namespace.apply(pool("wrong", regions=[f"r{i}" for i in range(65)]))
    with pytest.raises(CommandError, match=r"spec\.regions\[1\]: Duplicate value"):
        release.namespace.apply(pool("wrong", regions=["eu", "eu"]))
    with pytest.raises(CommandError, match=r"unknown field .*spec\.colour"):
        release.namespace.apply(pool("wrong", colour="red"))


def test_a_pool_that_can_never_match_says_so_and_disturbs_no_other(release: Release, duel: str) -> None:
    rule = {"name": "level", "type": "distance", "attribute": "level", "maxDistance": 10}
    expansions = {"steps": [{"target": "level", "after": "10m", "disable": True}]}  # tickets do not live that long
    release.namespace.apply(pool("impossible", rules=[rule], expansions=expansions))
    told = eventually("a condition", lambda: (found := release.namespace.get("mmp", "impossible")) and reason(found, "Ready"))
    assert told.startswith("Unsatisfiable")
    assert "spec.expansions.steps[0].after" in told
    assert condition(release.namespace.get("mmp", duel) or {}, "Ready") is not None
    release.namespace.kubectl("delete", "mmp", "impossible", "--timeout=30s")


async def test_two_pools_three_regions_two_modes_are_matched_apart(release: Release, url: str) -> None:
    pools, regions, modes = ("chess", "go"), ("eu", "us", "asia"), ("ranked", "casual")
    for name in pools:
        release.namespace.apply(pool(name, regions, modes))
    for name in pools:
        release.ready(name)
    places = [(name, region, mode) for name in pools for region in regions for mode in modes]

    async def pair(number: int, place: tuple[str, str, str]) -> None:
        async with player(release, url, f"p{number}-a") as one, player(release, url, f"p{number}-b") as two:
            await asyncio.gather(one.join(*place), two.join(*place))
            first, second = await asyncio.wait_for(asyncio.gather(matched(one), matched(two)), 120)
            assert first.match_id == second.match_id
            assert (first.pool, first.region, first.mode) == place

    await asyncio.gather(*(pair(number, place) for number, place in enumerate(places)))
    for name in pools:
        release.namespace.kubectl("delete", "mmp", name, "--timeout=30s")
    await eventually_async(
        "their ScaledJobs are gone", lambda: not any(release.namespace.all("scaledjobs", f"gamesessions.dev/pool={name}") for name in pools)
    )


def test_helm_test_matches_two_players_and_leaves_nothing(release: Release) -> None:
    from support.cluster import helm

    assert "Phase:          Succeeded" in helm("test", NAME, "-n", release.namespace.name, "--timeout=180s")
    eventually("the test's pool and pod are gone", lambda: not release.namespace.all("mmp", "app.kubernetes.io/component=test"))


def test_the_documented_command_prints_a_token(release: Release) -> None:
    token = release.namespace.kubectl("exec", f"deploy/{GATEWAY}", "-c", "gateway", "--", "matchmaking", "token", "alice").strip()
    assert token.count(".") == 2
