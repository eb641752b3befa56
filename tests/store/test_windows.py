"""What matches come to by the hour and the day: added up over quarters of an hour, of which the store keeps a day."""

import msgspec

from matchmaking.protocol.events import MATCH_READY
from matchmaking.store import keys, values
from matchmaking.store.interface import LONG_WINDOW_MS, LONG_WINDOWS, Store
from matchmaking.store.memory import MemoryStore
from matchmaking.store.redis_store import RedisStore
from store.test_contract import NOW, QUEUE, join_queue
from support.matches import commit_one
from support.redis_server import RedisServer


async def match(store: Store, number: int, counts: dict[str, int] | None = None) -> None:
    """Two players wait, and are matched."""
    tickets = []
    for player in ("alice", "bob"):
        outcome = await join_queue(store, f"{player}-{number}")
        tickets.append(values.CommitTicket(outcome.place.ticket, *QUEUE[1:], round(outcome.enqueued.enqueued * 1000)))
    entry = values.RelayEntry("duel", {}, MATCH_READY, msgspec.Raw(b"{}"), NOW, f"m{number}")
    assert (await commit_one(store, "duel", tickets, entry, counts)).status == "committed"


async def test_matches_are_counted_by_what_they_came_to(any_store: Store) -> None:
    await match(any_store, 1, {"quality:0.9": 1, "gap:50": 1, "wait:1": 2, "quality|b3": 1})
    await match(any_store, 2, {"quality:0.9": 1, "gap:100": 1, "wait:1": 2})
    found = await any_store.window(*QUEUE, 5)
    counts = {name: count for name, count in found.counts.items() if not name.startswith(("waits:", "waited_ms"))}
    assert counts == {"matches": 2, "tickets": 4, "quality:0.9": 2, "gap:50": 1, "gap:100": 1}
    assert sum(found.waits) == 4
    assert found.since_ms % LONG_WINDOW_MS == 0
    assert (await any_store.window("duel", "local", "casual", 5)).counts == {}


async def test_a_running_session_that_looks_for_players_is_no_wait(any_store: Store) -> None:
    tickets = []
    for player in ("session", "alice"):
        outcome = await join_queue(any_store, player)
        since = round(outcome.enqueued.enqueued * 1000)
        tickets.append(values.CommitTicket(outcome.place.ticket, *QUEUE[1:], since, counts=player == "alice"))
    entry = values.RelayEntry("duel", {}, MATCH_READY, msgspec.Raw(b"{}"), NOW, "m1")
    assert (await commit_one(any_store, "duel", tickets, entry)).status == "committed"
    found = await any_store.window(*QUEUE, 5)
    assert (found.counts["matches"], found.counts["tickets"], sum(found.waits)) == (1, 1, 1)


async def test_what_is_older_than_the_window_does_not_count_and_goes() -> None:
    clock = [1_900_000_000.0]
    store = MemoryStore(lambda: clock[0])
    await match(store, 1)
    clock[0] += 2 * 3600
    await match(store, 2)
    assert (await store.window(*QUEUE, 5)).counts["matches"] == 1
    assert (await store.window(*QUEUE, LONG_WINDOWS)).counts["matches"] == 2
    clock[0] += 25 * 3600
    await match(store, 3)
    assert {window for window, _ in store._queue(*QUEUE).windows} == {int(clock[0] * 1000) // LONG_WINDOW_MS}


async def test_redis_forgets_windows_of_more_than_a_day_ago(store: RedisStore, redis_server: RedisServer) -> None:
    await match(store, 1)
    since = (await store.window(*QUEUE, 1)).since_ms // LONG_WINDOW_MS
    with redis_server.client() as client:
        windows = keys.windows(*QUEUE)
        client.delete(windows)
        client.hset(windows, mapping={f"{since - LONG_WINDOWS}:matches": 5, f"{since - 10}:matches": 3})
        assert (await store.window(*QUEUE, 5)).counts == {}
        assert (await store.window(*QUEUE, LONG_WINDOWS)).counts == {"matches": 3}
        await match(store, 2)
        assert not client.hexists(windows, f"{since - LONG_WINDOWS}:matches")
        assert client.ttl(windows) > 0
