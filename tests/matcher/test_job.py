"""The matcher job: its copy of a queue, its end, its death, and what its process loads."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest

from matchmaking.core.duration import Duration
from matchmaking.core.pool import PoolRules, Scaling
from matchmaking.core.ticket import Player, Ticket
from matchmaking.matcher.copies import NeighborCopy, QueueCopy
from matchmaking.matcher.job import Job, UnknownPoolError
from matchmaking.matcher.startup import MatcherSettingsError, read_settings
from matchmaking.settings import Settings
from matchmaking.store import values
from matchmaking.store.connect import open_store
from matchmaking.store.interface import LOG_CAP, Store
from matchmaking.store.joining import Join, join
from matchmaking.store.memory import MemoryStore
from matchmaking.store.redis_store import RedisStore
from matchmaking.store.relay import sweep
from support.gateways import shipped_pool

QUEUE = ("duel", "local", "ranked")


def quick(**scaling: float) -> PoolRules:
    times = {name: Duration(value) for name, value in scaling.items()}
    return msgspec.structs.replace(shipped_pool("duel"), scaling=msgspec.structs.replace(Scaling(), **times))


async def wait(store: Store, *players: str, mode: str = "ranked", region: str = "local") -> list[values.Place]:
    places = []
    for player in players:
        generation = (await store.take_over(player, "gw-1")).generation
        request = Join((player,), generation, "1", "duel", region, mode)
        outcome = await join(
            store, request, lambda place, _, who=player: Ticket(place.ticket, place.region, place.mode, (Player(who),), 0.0)
        )
        assert outcome.status == "joined"
        places.append(outcome.place)
    return places


async def opponents(store: Store, players: Sequence[str]) -> dict[str, str]:
    """Each player's match, if there is exactly one."""
    found = {}
    for player in players:
        events = (await store.outbox(player, 0)).events
        assert len(events) <= 1, f"{player} was matched {len(events)} times"
        if events:
            found[player] = msgspec.json.decode(events[0].data)["match_id"]
    return found


async def test_a_job_serves_all_modes_and_ends_when_idle(store: RedisStore) -> None:
    await store.put_pool("duel", quick(idle_timeout=0.2))
    await wait(store, "alice", "bob")
    await wait(store, "carol", "dave", mode="casual")
    report = await Job(store, "duel", "local", asyncio.Event()).run()
    assert (report.matches, report.tickets, report.conflicts, report.reason) == (2, 4, 0, "idle")
    matches = await opponents(store, ["alice", "bob", "carol", "dave"])
    assert matches["alice"] == matches["bob"] != matches["carol"] == matches["dave"]
    assert (await store.queue_statistics("duel", [("local", "ranked")]))[0].matchers == 0, "it signed off"


def neighborly(spill_after: float, idle_timeout: float = 5.0) -> PoolRules:
    """Duels in `eu-west` and `us-east`, which spill to each other."""
    rules = quick(idle_timeout=idle_timeout)
    regions = tuple(msgspec.structs.replace(region, spill_after=Duration(spill_after)) for region in rules.regions)
    return msgspec.structs.replace(rules, regions=regions)


async def test_one_who_has_waited_long_enough_meets_a_neighbour(store: RedisStore) -> None:
    rules = neighborly(spill_after=0.4)
    await store.put_pool("duel", rules)
    (place,) = await wait(store, "alice", region="eu-west")
    await wait(store, "bob", region="us-east")
    stop = asyncio.Event()
    job = Job(store, "duel", "us-east", stop)
    running = asyncio.ensure_future(job.run())
    async with asyncio.timeout(20):
        while len(await opponents(store, ["alice", "bob"])) < 2:
            await asyncio.sleep(0.05)
    stop.set()
    report = await running
    found = await opponents(store, ["alice", "bob"])
    assert found["alice"] == found["bob"]
    ready = msgspec.json.decode((await store.outbox("alice", 0)).events[0].data)
    assert ready["region"] == "us-east"
    assert ready["waited"][place.ticket] >= 0.4, "not before her region lets her go"
    assert (report.matches, report.tickets) == (1, 2)
    assert await store.queue_lengths("duel", [("eu-west", "ranked"), ("us-east", "ranked")]) == [0, 0]


async def test_a_neighbours_ticket_counts_nowhere_but_at_home(store: RedisStore) -> None:
    await store.put_pool("duel", neighborly(spill_after=0.0, idle_timeout=0.2))
    await wait(store, "alice", region="eu-west")
    (place,) = await wait(store, "bob", region="eu-west", mode="casual")
    home = QueueCopy("duel", "us-east", "ranked")
    neighbor = NeighborCopy(home, "eu-west", 0.0)
    now = await neighbor.load(store)
    neighbor.show(now + 1)
    assert ([ticket.players[0].id for ticket in home.view], home.guests, home.waiting) == (["alice"], 1, 0)
    neighbor.drop([ticket.id for ticket in home.view])
    assert (len(home.view), home.guests, place.ticket in home.view) == (0, 0, False)


async def test_a_job_ends_at_its_lifetime_though_tickets_come(store: RedisStore) -> None:
    await store.put_pool("duel", quick(lifetime=0.3, idle_timeout=60))
    report = await Job(store, "duel", "local", asyncio.Event()).run()
    assert report.reason == "lifetime"


async def test_a_running_job_is_woken_by_the_queue_and_takes_new_rules(store: RedisStore) -> None:
    await store.put_pool("duel", msgspec.structs.replace(quick(idle_timeout=60), suspend=True))
    stop = asyncio.Event()
    task = asyncio.ensure_future(Job(store, "duel", "local", stop).run())
    await wait(store, "alice", "bob")
    await asyncio.sleep(0.3)
    assert await opponents(store, ["alice", "bob"]) == {}
    await store.put_pool("duel", quick(idle_timeout=60))
    async with asyncio.timeout(10):
        while len(await opponents(store, ["alice", "bob"])) < 2:
            await asyncio.sleep(0.05)
    stop.set()
    assert (await task).reason == "stopped"


async def test_a_job_ends_when_its_pool_is_deleted(store: RedisStore) -> None:
    await store.claim_pool("duel", "games")
    await store.put_pool("duel", quick(idle_timeout=60))
    await wait(store, "alice")
    job = Job(store, "duel", "local", asyncio.Event())
    task = asyncio.ensure_future(job.run())
    async with asyncio.timeout(10):
        while not job.report.rounds:
            await asyncio.sleep(0.02)
    await store.delete_pool("duel")
    assert (await asyncio.wait_for(task, 20)).reason == "removed"
    assert await store.queue_lengths("duel", [("local", "ranked")]) == [1], "its tickets are not the job's to end"


async def test_there_must_be_something_to_serve(store: RedisStore) -> None:
    with pytest.raises(UnknownPoolError, match="no pool"):
        await Job(store, "duel", "local", asyncio.Event()).run()
    await store.put_pool("duel", quick())
    with pytest.raises(UnknownPoolError, match="no region"):
        await Job(store, "duel", "mars", asyncio.Event()).run()


async def test_an_unreadable_ticket_is_quarantined_and_stops_nobody(store: RedisStore) -> None:
    await store.put_pool("duel", quick(idle_timeout=0.2))
    generation = (await store.take_over("mallory", "gw-1")).generation
    request = Join(("mallory",), generation, "1", *QUEUE)
    nan = await join(store, request, lambda place, _: Ticket(place.ticket, "local", "ranked", (Player("mallory", float("nan")),), 0.0))
    reservation = await store.reserve(
        "eve", generation=None, op_id="1", ticket="", pool="duel", region="local", mode="ranked", leader="eve"
    )
    await store.enqueue(reservation.place, "eve", b"\xff no record")
    await wait(store, "alice", "bob")
    report = await Job(store, "duel", "local", asyncio.Event()).run()
    assert report.matches == 1
    assert set(await opponents(store, ["alice", "bob"])) == {"alice", "bob"}
    (event,) = (await store.outbox("mallory", 0)).events
    assert msgspec.json.decode(event.data)["reason"] == "quarantined"
    assert (await store.look(nan.place, "mallory")).status == "cancelled"
    assert await store.queue_lengths("duel", [("local", "ranked")]) == [0]


async def test_several_jobs_match_everybody_once(redis_url: str) -> None:
    async with open_store(redis_url) as store:
        await store.put_pool("duel", quick(idle_timeout=0.5))
        players = [f"player-{n}" for n in range(200)]
        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(Job(store, "duel", "local", asyncio.Event()).run()) for _ in range(4)]
            await wait(store, *players)
        assert sum(job.result().matches for job in jobs) == 100
        matches = await opponents(store, players)
        assert len(matches) == 200
        assert all(list(matches.values()).count(match) == 2 for match in set(matches.values()))


async def test_a_copy_that_falls_behind_reads_the_queue_anew() -> None:
    store = MemoryStore()
    copy = QueueCopy(*QUEUE)
    await copy.load(store)
    await wait(store, "a", "b", "c")
    changes = (await store.follow("duel", {("local", "ranked"): 0}, 0))["local", "ranked"]
    assert copy.apply(changes[:1])
    assert copy.apply(changes[:1]), "what is known already is no gap"
    assert not copy.apply(changes[2:]), "one is missing"
    await copy.load(store)
    assert len(copy.view) == 3
    assert copy.number == 3


@pytest.mark.parametrize("times", [[1] * 7, [1, 1, 2, 2, 2, 2, 3], list(range(7))])
async def test_a_copy_reads_pages_that_end_in_the_midst_of_one_moment(times: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matchmaking.matcher.copies.PAGE", 2)
    store = MemoryStore()
    for n, since in enumerate(times):
        reservation = await store.reserve(
            f"p{n}", generation=None, op_id="", ticket="", pool="duel", region="local", mode="ranked", leader=f"p{n}"
        )
        record = msgspec.msgpack.encode(Ticket(reservation.place.ticket, "local", "ranked", (Player(f"p{n}"),), 0.0))
        await store.enqueue(reservation.place, f"p{n}", record, since)
    copy = QueueCopy(*QUEUE)
    await copy.load(store)
    assert sorted(ticket.players[0].id for ticket in copy.view) == [f"p{n}" for n in range(len(times))]
    assert sorted(ticket.enqueued for ticket in copy.view) == sorted(since / 1000 for since in times)


def matcher_process(redis_url: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "MATCHMAKING_REDIS_URL": redis_url}
    words = [sys.executable, "-m", "matchmaking.cli", "matcher", "--pool", "duel", "--region", "local"]
    return subprocess.Popen(words, env=environment, stderr=subprocess.PIPE)


async def test_a_hundred_players_survive_kill_9_of_their_matcher(redis_url: str) -> None:
    """Killed again and again at whatever moment; the last one ends by itself and says what it did."""
    players = [f"player-{n}" for n in range(100)]
    async with open_store(redis_url) as store:
        await store.put_pool("duel", quick(idle_timeout=0.5))
        await wait(store, *players)
        for delay in (0.12, 0.15, 0.17, 0.2):
            process = matcher_process(redis_url)
            await asyncio.sleep(delay)
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.communicate)
        process = matcher_process(redis_url)
        _, log = await asyncio.to_thread(process.communicate)
        assert process.returncode == 0
        ended = msgspec.json.decode(log.splitlines()[-1])
        assert (ended["event"], ended["reason"]) == ("matcher ended", "idle")
        await sweep(store, "duel", idle=0)
        matches = await opponents(store, players)
        assert len(matches) == 100
        assert all(list(matches.values()).count(match) == 2 for match in set(matches.values()))


def test_the_matcher_loads_nothing_heavy() -> None:
    code = "import sys, matchmaking.cli, matchmaking.commands.matcher, matchmaking.matcher.main; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split())
    assert not loaded & {
        "quart",
        "hypercorn",
        "kopf",
        "pydantic",
        "pydantic_settings",
        "numpy",
        "prometheus_client",
        "jwt",
        "openskill",
        "yaml",
        "opentelemetry",
        "importlib.metadata",
    }


def test_matcher_and_gateway_read_the_same_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"MATCHMAKING_REDIS_URL": "redis://elsewhere:1/2", "MATCHMAKING_LOG_FORMAT": "text", "MATCHMAKING_LOG_LEVEL": "ERROR"}
    for given in ({}, environment):
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        matcher, gateway = read_settings(given), Settings()
        assert (matcher.redis_url, matcher.log_format, matcher.log_level) == (
            gateway.redis_url.get_secret_value(),
            gateway.log_format,
            gateway.log_level,
        )
    with pytest.raises(MatcherSettingsError):
        read_settings({"MATCHMAKING_LOG_LEVEL": "LOUD"})


def test_the_change_log_outlasts_a_matchers_pause() -> None:
    """At 3,000 tickets/s (two entries each at most) a matcher may stop for three seconds before it must read the queue anew."""
    assert LOG_CAP >= 3 * 3000 * 2


def test_matches_are_shared_without_rest_or_overlap() -> None:
    from matchmaking.core.round import Match, TeamResult

    matches = [
        Match((TeamResult("a", (Ticket(str(n), "local", "ranked", (Player(str(n), float(n)),), 0.0),)),), "local") for n in range(97)
    ]
    taken = []
    for rank in range(3):
        job = Job(MemoryStore(), "duel", "local", asyncio.Event())
        job._beats = {("local", "ranked"): values.Beat(rank, 3)}
        share = job._share(("local", "ranked"), matches, 1234.5)
        taken += share
        assert 25 <= len(share) <= 40
    assert sorted(match.tickets[0].id for match in taken) == sorted(match.tickets[0].id for match in matches)
    assert all(a is not b for a, b in pairwise(taken))
