"""`matchmaking inspect`, on a real Redis."""

import asyncio
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from matchmaking.cli import main
from matchmaking.core.ticket import Player, Ticket
from matchmaking.local import inspection
from matchmaking.matcher.job import Job
from matchmaking.store import values
from matchmaking.store.joining import Join, join
from matchmaking.store.redis_store import RedisStore
from support.gateways import shipped_pool


async def wait(store: RedisStore, name: str) -> values.Place:
    generation = (await store.take_over(name, "gw-1")).generation
    players = (Player(name, 1510.0, 80.0, latency={"local": 20.0}),)
    outcome = await join(
        store,
        Join((name,), generation, "1", "duel", "local", "ranked"),
        lambda place, _: Ticket(place.ticket, "local", "ranked", players, 0.0),
    )
    return outcome.place


def shown(what: object) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


async def test_a_queue_its_ticket_and_why_it_waits(store: RedisStore) -> None:
    await store.put_pool("duel", shipped_pool("duel"))
    place = await wait(store, "alice")
    await store.explain("duel", "local", "ranked", {place.ticket: b'{"rule":"players","message":"Waiting for more players."}'})
    every = shown(await inspection.queues(store, None))
    assert "ranked" in every
    assert "casual" in every
    one = shown(await inspection.queues(store, "duel/local/ranked"))
    for words in (place.ticket, "alice", "1510", "Waiting for more players.", "players 1"):
        assert words in one
    ticket = shown(await inspection.ticket(store, "duel", place.ticket))
    for words in ("1 of 1", "duel/local/ranked", "local 20 ms", "Waiting for more players."):
        assert words in ticket


async def test_a_player_and_the_match(store: RedisStore) -> None:
    await store.put_pool("duel", shipped_pool("duel"))
    await wait(store, "alice")
    await wait(store, "bob")
    stop = asyncio.Event()
    running = asyncio.ensure_future(Job(store, "duel", "local", stop).run())
    async with asyncio.timeout(20):
        while not (events := (await store.outbox("alice", 0)).events):
            await asyncio.sleep(0.05)
    stop.set()
    await running
    assert "match_ready" in shown(await inspection.player(store, "alice"))
    match = events[0].data.split(b'"match_id":"')[1].split(b'"')[0].decode()
    page = shown(await inspection.match(store, match))
    assert "alice" in page
    assert "bob" in page
    assert "duel/local/ranked" in page


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("queue", "nowhere"), "there is no queue `nowhere`"),
        (("queue", "duel/mars/ranked"), "has no queue `mars/ranked`"),
        (("ticket", "nowhere", "t"), "there is no pool `nowhere`"),
        (("ticket", "duel", "t"), "does not wait"),
        (("match", "m"), "there is no session"),
    ],
)
async def test_what_is_not_there_is_said(
    store: RedisStore, redis_url: str, words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await store.put_pool("duel", shipped_pool("duel"))
    assert await asyncio.to_thread(main, ["inspect", "--redis-url", redis_url, *words]) == 2
    assert says in capsys.readouterr().err


async def test_watching_goes_on_until_it_is_stopped(store: RedisStore, redis_url: str) -> None:
    await store.put_pool("duel", shipped_pool("duel"))
    command = [sys.executable, "-m", "matchmaking.cli", "inspect", "--redis-url", redis_url, "queue", "--watch"]
    process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE)
    await asyncio.sleep(3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, _ = await asyncio.to_thread(process.communicate, timeout=20)
    assert process.returncode == 0
    assert b"Queues" in output
