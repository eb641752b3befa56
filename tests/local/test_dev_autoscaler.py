"""The local autoscaler: KEDA's arithmetic over a real store, with matchers that only pretend."""

import asyncio
import time
from itertools import count

import msgspec
import pytest

from matchmaking.core.pool import MatchmakingPool
from matchmaking.local import children
from matchmaking.local.autoscaler import Autoscaler
from matchmaking.local.manifests import default_files, read_pools
from matchmaking.store.interface import Store
from matchmaking.store.values import Place

_pids = count(1)


class FakeMatcher:
    """A process that ends when it is told to."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.pid = next(_pids)
        self.returncode: int | None = None
        self.signals: list[str] = []
        self._stubborn, self._ended = stubborn, asyncio.Event()

    def end(self, code: int) -> None:
        self.returncode = code
        self._ended.set()

    def terminate(self) -> None:
        self.signals.append("TERM")
        if not self._stubborn:
            self.end(0)

    def kill(self) -> None:
        self.signals.append("KILL")
        self.end(-9)

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode


class Started:
    """Counts what the autoscaler starts."""

    def __init__(self) -> None:
        self.matchers: list[tuple[str, str, FakeMatcher]] = []

    async def __call__(self, pool: str, region: str) -> FakeMatcher:
        matcher = FakeMatcher()
        self.matchers.append((pool, region, matcher))
        return matcher

    @property
    def places(self) -> list[tuple[str, str]]:
        return [(pool, region) for pool, region, _ in self.matchers]


@pytest.fixture
def started() -> Started:
    return Started()


@pytest.fixture
async def scaled(store: Store, started: Started) -> Autoscaler:
    return Autoscaler(store, small_batches(read_pools(default_files())), started)


def small_batches(pools: list[MatchmakingPool]) -> list[MatchmakingPool]:
    """The shipped pools, with a matcher for each three tickets."""
    return [
        msgspec.structs.replace(
            pool, spec=msgspec.structs.replace(pool.spec, scaling=msgspec.structs.replace(pool.spec.scaling, tickets_per_matcher=3))
        )
        for pool in pools
    ]


async def wait_in(store: Store, pool: str, region: str, mode: str, tickets: int) -> None:
    born = f"{time.time_ns() // 1_000_000:011x}"  # a ticket's id begins with the time of its reservation
    for i in range(tickets):
        await store.enqueue(Place(f"{born}-{region}-{mode}-{i}", pool, region, mode), f"p{i}", b"")


async def test_nothing_runs_while_too_few_wait(store: Store, scaled: Autoscaler, started: Started) -> None:
    await wait_in(store, "duel", "local", "ranked", 1)
    await wait_in(store, "duel", "local", "casual", 1)
    await scaled.poll()
    assert started.places == []


async def test_one_matcher_serves_all_modes_of_its_region(store: Store, scaled: Autoscaler, started: Started) -> None:
    await wait_in(store, "duel", "local", "ranked", 2)
    await wait_in(store, "duel", "us-east", "casual", 3)
    await scaled.poll()
    await scaled.poll()
    assert sorted(started.places) == [("duel", "local"), ("duel", "us-east")]


async def test_as_many_as_the_tickets_ask_for_but_no_more_than_the_pool_allows(store: Store, scaled: Autoscaler, started: Started) -> None:
    await wait_in(store, "duel", "local", "ranked", 5)
    await scaled.poll()
    assert scaled.running == 2
    await wait_in(store, "duel", "local", "casual", 40)
    await scaled.poll()
    assert scaled.running == 4


async def test_a_matcher_that_ended_is_replaced_while_tickets_wait(store: Store, scaled: Autoscaler, started: Started) -> None:
    await wait_in(store, "duel", "local", "ranked", 2)
    await scaled.poll()
    started.matchers[0][2].end(-9)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert scaled.running == 0
    await scaled.poll()
    assert scaled.running == 1


async def test_all_are_stopped_at_the_end(store: Store, started: Started) -> None:
    await wait_in(store, "duel", "local", "ranked", 9)
    autoscaler = Autoscaler(store, small_batches(read_pools(default_files())), started)
    async with autoscaler.scaling():
        async with asyncio.timeout(5):
            while autoscaler.running < 3:
                await asyncio.sleep(0.01)
    assert [matcher.signals for _, _, matcher in started.matchers] == [["TERM"]] * 3
    assert autoscaler.running == 0


async def test_a_stubborn_process_is_killed() -> None:
    obedient, stubborn = FakeMatcher(), FakeMatcher(stubborn=True)
    await children.stop([obedient, stubborn], grace=0.05)
    assert (obedient.signals, stubborn.signals) == (["TERM"], ["TERM", "KILL"])
