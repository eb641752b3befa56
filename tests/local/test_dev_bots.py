"""When bots come and go: the arithmetic, and real bots on a real gateway where no matcher runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from matchmaking.client import Client
from matchmaking.local import bots, keys
from matchmaking.local.bots import Bots, bots_wanted
from matchmaking.local.manifests import default_files, read_pools
from matchmaking.store.interface import Store
from support.gateways import gateway
from support.tokens import Signer

DUEL, SQUADS, _ = read_pools(default_files())


@pytest.mark.parametrize(
    ("ages", "duel", "squads"),
    [
        ([], 0, 0),
        ([2.9], 0, 0),
        ([3.0], 1, 9),
        ([3.0, 0.1], 0, 8),
        ([9.0, 8.0, 1.0], 1, 7),
        ([5.0] * 10, 0, 0),
        ([5.0] * 11, 1, 9),
    ],
)
def test_as_many_as_are_missing_for_a_whole_match(ages: list[float], duel: int, squads: int) -> None:
    assert (bots_wanted(DUEL.spec, ages), bots_wanted(SQUADS.spec, ages)) == (duel, squads)


def test_names_never_end_and_never_repeat() -> None:
    names = iter(bots.names())
    first = [next(names) for _ in range(100)]
    assert len(set(first)) == 100
    assert all(name.startswith(bots.PREFIX) for name in first)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(8):
        while not await holds():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def served(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A gateway that accepts development tokens; no matcher runs. Bots are quick."""
    monkeypatch.setenv("MATCHMAKING_DEV_DIR", str(tmp_path / "keys"))
    monkeypatch.setattr(bots, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(bots, "PATIENCE", 0.3)
    signer = Signer(tmp_path)
    async with gateway(redis_url, signer, jwks_file=keys.jwks_file(), issuer=keys.ISSUER, drain_seconds=0.0) as running:
        yield running.url


async def test_bots_join_a_human_who_waits_and_leave_with_the_human(
    redis_url: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lengths() -> list[int]:
        return [*(await store.queue_lengths("duel", [("local", "ranked")])), *(await store.queue_lengths("squads", [("local", "ranked")]))]

    def waiting(*expected: int) -> Callable[[], Awaitable[bool]]:
        async def holds() -> bool:
            return await lengths() == list(expected)

        return holds

    async with served(redis_url, tmp_path, monkeypatch) as url, Bots(url, store, [DUEL, SQUADS], 3).playing():
        await asyncio.sleep(0.5)
        assert await lengths() == [0, 0]  # nobody waits, so no bot does
        async with client(url, "ann") as ann, client(url, "ben") as ben:
            await ann.join("duel", "local", "ranked")
            await until(waiting(2, 0))
            await ben.join("duel", "local", "ranked")
            await until(waiting(2, 0))  # two humans have each other: the bot has left
            await ben.leave()
            await ben.join("squads", "local", "ranked")
            await until(waiting(2, 10))  # more bots came than were asked for
            await ann.leave()
            await ben.leave()
            await until(waiting(0, 0))


def client(url: str, player: str) -> Any:
    return Client.connect(url, player, token=keys.issue_token(player))


async def test_no_bots_when_none_are_asked_for(redis_url: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(redis_url, tmp_path, monkeypatch) as url, Bots(url, store, [DUEL], 0).playing(), client(url, "ann") as ann:
        await ann.join("duel", "local", "ranked")
        await asyncio.sleep(0.6)
        assert await store.queue_lengths("duel", [("local", "ranked")]) == [1]
        assert await store.connected() == 1
