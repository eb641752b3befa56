"""What every store must do: Redis, Redis Cluster (whose one node refuses scripts that reach beyond a slot) and the twin in memory."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import yaml

from matchmaking.core.pool import load_pool
from matchmaking.core.ticket import Player, Ticket
from matchmaking.protocol.events import MATCH_READY, TICKET_ENDED
from matchmaking.store import values
from matchmaking.store.draining import drain_pool, drain_queues
from matchmaking.store.interface import Store
from matchmaking.store.joining import Join, JoinOutcome, join, leave, ticket_ended
from matchmaking.store.keys import InvalidKeyError
from matchmaking.store.relay import relay, sweep
from support.matches import commit_one

QUEUE = ("duel", "local", "ranked")
NOW = "2030-01-01T00:00:00.000Z"


def build(players: tuple[str, ...]):
    return lambda place, found: Ticket(place.ticket, place.region, place.mode, tuple(Player(player) for player in players), 0.0)


async def connected(store: Store, *players: str) -> dict[str, int]:
    return {player: (await store.take_over(player, "gw-1")).generation for player in players}


async def resume(store: Store, player: str) -> values.Takeover:
    """Connect as the same session, with all that it was sent."""
    latest = (await store.outbox(player, 0)).seq
    return await store.take_over(player, "gw-1", values.Arrival("epoch", "token", "token", latest))


async def join_queue(store: Store, player: str, op_id: str = "1", party: tuple[str, ...] = ()) -> JoinOutcome:
    generation = (await resume(store, player)).generation
    players = (player, *party)
    return await join(store, Join(players, generation, op_id, *QUEUE), build(players))


async def commit(
    store: Store, *outcomes: JoinOutcome, match: str = "m1", grace: float = 30.0
) -> tuple[values.Commitment, values.RelayEntry]:
    players = {}
    tickets = []
    for outcome in outcomes:
        record = await store.record(outcome.place)
        if record:
            players |= dict.fromkeys((p.id for p in msgspec.msgpack.decode(record, type=Ticket).players), outcome.place.ticket)
        tickets.append(values.CommitTicket(outcome.place.ticket, *QUEUE[1:], round(outcome.enqueued.enqueued * 1000)))
    entry = values.RelayEntry("duel", players, MATCH_READY, msgspec.Raw(b'{"match_id":"m1"}'), NOW, match)
    return await commit_one(store, "duel", tickets, entry, grace=grace), entry


async def test_a_pair_joins_waits_and_is_matched(any_store: Store) -> None:
    alice = await join_queue(any_store, "alice")
    await asyncio.sleep(0.002)
    bob = await join_queue(any_store, "bob")
    assert (alice.status, alice.enqueued.position, bob.enqueued.position, bob.enqueued.length) == ("joined", 1, 2, 2)
    assert await any_store.queue_lengths("duel", [("local", "ranked"), ("local", "casual")]) == [2, 0]
    commitment, entry = await commit(any_store, alice, bob)
    assert commitment.status == "committed"
    assert await any_store.queue_lengths("duel", [("local", "ranked")]) == [0]
    numbers = await relay(any_store, values.PendingEntry(commitment.entry, entry))
    assert numbers == {"alice": 1, "bob": 1}
    assert await relay(any_store, values.PendingEntry(commitment.entry, entry)) == {"alice": 0, "bob": 0}, "delivered twice"
    (event,) = (await any_store.outbox("alice", 0)).events
    assert (event.seq, event.type, event.data, event.timestamp) == (1, MATCH_READY, b'{"match_id":"m1"}', NOW)
    (numbers_now,) = await any_store.queue_statistics("duel", [("local", "ranked")])
    assert (numbers_now.matches, numbers_now.tickets) == (1, 2)
    assert numbers_now.mean_wait is not None
    assert numbers_now.matches_per_minute == pytest.approx(1, abs=0.01)


async def test_the_same_operation_has_its_effect_once(any_store: Store) -> None:
    first, again = await join_queue(any_store, "alice"), await join_queue(any_store, "alice")
    assert first.place == again.place
    assert await any_store.queue_lengths("duel", [("local", "ranked")]) == [1]
    other = await join_queue(any_store, "alice", op_id="2")
    assert (other.status, other.place) == ("already_queued", first.place)


async def test_an_operation_that_ended_is_remembered_when_the_store_has_another_epoch(any_store: Store) -> None:
    """The answer may have been lost with the Redis that was restarted, and the client asks again."""
    first = await any_store.take_over("alice", "gw-1", values.Arrival("e1", "t1"))
    wish = Join(("alice",), first.generation, "1", *QUEUE)
    assert (await join(any_store, wish, build(("alice",)))).status == "joined"
    assert (await leave(any_store, "alice", first.generation, "2", NOW)).status == "left"
    renewed = await any_store.take_over("alice", "gw-1", values.Arrival("e2", "t2", renews=first.generation))
    again = msgspec.structs.replace(wish, generation=renewed.generation)
    assert (await join(any_store, again, build(("alice",)))).status == "repeated", "renewed in place"
    for epoch, token, offered in (("e2", "t3", "t1"), ("e3", "t4", "t3"), ("e3", "t5", "t3"), ("e3", "t6", "t3")):
        back = await any_store.take_over("alice", "gw-2", values.Arrival(epoch, token, offered))
        assert not back.resumed
        again = msgspec.structs.replace(wish, generation=back.generation)
        assert (await join(any_store, again, build(("alice",)))).status == "repeated", "the token proves the same client"


async def test_an_operation_that_ended_is_remembered_within_its_session(any_store: Store) -> None:
    first = await join_queue(any_store, "alice")
    generation = (await resume(any_store, "alice")).generation
    left = await leave(any_store, "alice", generation, "2", NOW)
    assert (left.status, left.numbers) == ("left", {"alice": 1})
    assert (await join_queue(any_store, "alice", op_id="1")).status == "repeated"
    await any_store.take_over("alice", "gw-1")
    fresh = await join_queue(any_store, "alice", op_id="1")
    assert fresh.status == "joined"
    assert fresh.place.ticket != first.place.ticket


async def test_leaving(any_store: Store) -> None:
    generation = (await connected(any_store, "alice"))["alice"]
    assert (await leave(any_store, "alice", generation, "", NOW)).status == "not_queued"
    await join_queue(any_store, "alice")
    assert (await leave(any_store, "alice", generation, "", NOW)).status == "stale", "an older connection acted"
    assert await any_store.queue_lengths("duel", [("local", "ranked")]) == [1]


async def test_leaving_too_late_names_the_match(any_store: Store) -> None:
    alice, bob = await join_queue(any_store, "alice"), await join_queue(any_store, "bob")
    commitment, entry = await commit(any_store, alice, bob)
    generation = (await resume(any_store, "alice")).generation
    late = await leave(any_store, "alice", generation, "", NOW)
    assert (late.status, late.detail) == ("already_matched", "m1")
    assert (await join_queue(any_store, "alice", op_id="9")).status == "already_matched"
    await relay(any_store, values.PendingEntry(commitment.entry, entry))
    assert (await join_queue(any_store, "alice", op_id="9")).status == "joined"


async def test_a_renewal_that_comes_again_is_the_same_one(any_store: Store) -> None:
    first = await any_store.take_over("alice", "gw-1", values.Arrival("e", "t1"))
    renewal = values.Arrival("e2", "t2", renews=first.generation)
    once, again = [await any_store.take_over("alice", "gw-1", renewal) for _ in range(2)]
    assert (once.status, again.status) == ("live", "live")
    assert once.generation == again.generation == first.generation + 1
    assert (await any_store.take_over("alice", "gw-1", values.Arrival("e2", "t3", renews=first.generation))).status == "stale"
    await any_store.take_over("alice", "gw-2", values.Arrival("e2", "t4"))
    assert (await any_store.take_over("alice", "gw-1", renewal)).status == "stale", "somebody else has it now"


async def test_a_stale_connection_cannot_join(any_store: Store) -> None:
    old = (await any_store.take_over("alice", "gw-1")).generation
    await any_store.take_over("alice", "gw-2")
    outcome = await join(any_store, Join(("alice",), old, "1", *QUEUE), build(("alice",)))
    assert outcome.status == "stale"
    assert await any_store.queue_lengths("duel", [("local", "ranked")]) == [0]


async def test_a_reservation_whose_enqueue_was_lost_is_cleared_and_a_late_enqueue_refused(any_store: Store) -> None:
    await connected(any_store, "alice")
    reservation = await any_store.reserve(
        "alice", generation=None, op_id="1", ticket="", pool="duel", region="local", mode="ranked", leader="alice"
    )
    outcome = await join_queue(any_store, "alice", op_id="2")  # another gateway, later
    assert outcome.status == "joined"
    assert outcome.place.ticket != reservation.place.ticket
    late = await any_store.enqueue(reservation.place, "alice", b"")
    assert late.status == "cancelled"
    assert await any_store.queue_lengths("duel", [("local", "ranked")]) == [1]


async def test_a_reservation_whose_enqueue_went_through_is_believed(any_store: Store) -> None:
    await connected(any_store, "alice")
    reservation = await any_store.reserve(
        "alice", generation=None, op_id="1", ticket="", pool="duel", region="local", mode="ranked", leader="alice"
    )
    assert (await any_store.enqueue(reservation.place, "alice", b"")).status == "waiting"
    assert (await any_store.enqueue(reservation.place, "alice", b"")).position == 1, "an enqueue that is repeated"
    assert (await join_queue(any_store, "alice", op_id="2")).status == "already_queued"


async def test_an_enqueue_of_a_matched_ticket_goes_on_as_if_it_waited(any_store: Store) -> None:
    alice, bob = await join_queue(any_store, "alice"), await join_queue(any_store, "bob")
    await commit(any_store, alice, bob)
    assert (await any_store.enqueue(alice.place, "alice", b"")).status == "matched"


async def test_an_enqueue_that_comes_a_minute_late_is_refused_by_its_age(any_store: Store) -> None:
    place = values.Place("00000000001aaaaaaaaaaaa", *QUEUE)
    assert (await any_store.enqueue(place, "alice", b"")).status == "cancelled"


async def test_a_party_is_reserved_whole_or_not_at_all(any_store: Store) -> None:
    carol = await join_queue(any_store, "carol")
    refused = await join_queue(any_store, "alice", party=("bob", "carol"))
    assert (refused.status, refused.player) == ("already_queued", "carol")
    for player in ("alice", "bob"):
        state = await resume(any_store, player)
        assert state.held is None, f"{player} is still bound"
    party = await join_queue(any_store, "alice", op_id="2", party=("bob",))
    assert party.status == "joined"
    commitment, entry = await commit(any_store, party, carol)
    assert await relay(any_store, values.PendingEntry(commitment.entry, entry)) == {"alice": 1, "bob": 1, "carol": 1}


async def test_of_two_commits_one_wins(any_store: Store) -> None:
    alice, bob, carol = [await join_queue(any_store, name) for name in ("alice", "bob", "carol")]
    first, _ = await commit(any_store, alice, bob, match="m1")
    second, _ = await commit(any_store, bob, carol, match="m2")
    assert first.status == "committed"
    assert (second.status, second.gone) == ("conflict", (bob.place.ticket,))
    assert await any_store.queue_lengths("duel", [("local", "ranked")]) == [1], "carol lost her place"
    again, _ = await commit(any_store, alice, bob, match="m1")
    assert (again.status, again.entry) == ("committed", ""), "a commit that is repeated"


async def test_commit_looks_at_the_enqueue_time_that_the_matcher_knows(any_store: Store) -> None:
    alice, bob = await join_queue(any_store, "alice"), await join_queue(any_store, "bob")
    wrong = msgspec.structs.replace(bob, enqueued=msgspec.structs.replace(bob.enqueued, enqueued=bob.enqueued.enqueued + 1))
    refused, _ = await commit(any_store, alice, wrong)
    assert (refused.status, refused.gone) == ("conflict", (bob.place.ticket,))


async def test_ghosts_are_not_matched_and_expire(any_store: Store) -> None:
    alice, bob = await join_queue(any_store, "alice"), await join_queue(any_store, "bob")
    await asyncio.sleep(0.03)
    assert await any_store.touch("duel", [alice.place.ticket, "unknown"]) == 1
    refused, _ = await commit(any_store, alice, bob, grace=0.02)
    assert (refused.status, refused.gone) == ("ghost", (bob.place.ticket,))
    overdue = await any_store.overdue(*QUEUE, ttl=60, grace=0.02, limit=10)
    assert bob.place.ticket in [waiter.ticket for waiter in overdue]
    entry = ticket_ended(bob.place, ["bob"], "disconnected", NOW)
    kept = await any_store.expire(bob.place, "bob", 60, 60, entry, entry)
    assert kept.status == "kept"
    gone = await any_store.expire(bob.place, "bob", 60, 0.02, entry, entry)
    assert gone.status == "disconnected"
    assert (await any_store.expire(bob.place, "bob", 60, 0.02, entry, entry)).status == "gone"
    assert await any_store.queue_lengths("duel", [("local", "ranked")]) == [1]


async def test_expiry_by_age(any_store: Store) -> None:
    alice = await join_queue(any_store, "alice")
    entry = ticket_ended(alice.place, ["alice"], "expired", NOW)
    expired = await any_store.expire(alice.place, "alice", 0, 60, entry, entry)
    assert expired.status == "expired"
    await relay(any_store, values.PendingEntry(expired.entry, entry))
    (event,) = (await any_store.outbox("alice", 0)).events
    assert msgspec.json.decode(event.data)["reason"] == "expired"


async def test_what_a_dead_matcher_left_behind_is_relayed_once(any_store: Store) -> None:
    alice, bob = await join_queue(any_store, "alice"), await join_queue(any_store, "bob")
    await commit(any_store, alice, bob)  # and dies
    assert await sweep(any_store, "duel", idle=10) == 0
    await asyncio.sleep(0.02)
    assert await sweep(any_store, "duel", idle=0.01) == 1
    assert await sweep(any_store, "duel", idle=0) == 0
    assert len((await any_store.outbox("alice", 0)).events) == 1


async def test_events_are_numbered_and_trimmed(any_store: Store) -> None:
    for n in range(1, 4):
        outcome = await join_queue(any_store, "alice", op_id=str(n))
        entry = ticket_ended(outcome.place, ["alice"], "left", NOW)
        cancelled = await any_store.cancel(outcome.place, "alice", "left", entry)
        await relay(any_store, values.PendingEntry(cancelled.detail, entry))
    assert [event.seq for event in (await any_store.outbox("alice", 1)).events] == [2, 3]
    await any_store.trim("alice", 3)
    assert (await any_store.outbox("alice", 0)).events == ()
    assert (await resume(any_store, "alice")).seq == 3, "numbers go on after trimming"


async def test_a_matcher_reads_the_queue_and_follows_it(any_store: Store) -> None:
    outcomes = [await join_queue(any_store, f"player-{n}") for n in range(5)]
    page = await any_store.page(*QUEUE, None, 3)
    by_age = sorted(outcomes, key=lambda outcome: (outcome.enqueued.enqueued, outcome.place.ticket))
    assert [waiter.ticket for waiter in page.waiters] == [outcome.place.ticket for outcome in by_age[:3]]
    assert page.number == 5
    last = page.waiters[-1].enqueued_ms
    rest = await any_store.page(*QUEUE, last, 10)
    assert {waiter.ticket for waiter in (*page.waiters, *rest.waiters)} == {outcome.place.ticket for outcome in outcomes}
    assert await any_store.follow("duel", {("local", "ranked"): 5}, 0.01) == {}
    late = await join_queue(any_store, "late")
    await commit(any_store, outcomes[0], outcomes[1])
    changes = (await any_store.follow("duel", {("local", "ranked"): 5}, 0.01))["local", "ranked"]
    assert changes[0].added is not None
    assert changes[0].added.ticket == late.place.ticket
    assert {ticket for change in changes[1:] for ticket in change.removed} == {outcomes[0].place.ticket, outcomes[1].place.ticket}
    assert [change.number for change in changes] == list(range(6, 6 + len(changes)))


async def test_matchers_divide_a_queue(any_store: Store) -> None:
    assert await any_store.beat(*QUEUE, "m-b") == values.Beat(0, 1)
    assert await any_store.beat(*QUEUE, "m-a") == values.Beat(0, 2)
    assert await any_store.beat(*QUEUE, "m-b") == values.Beat(1, 2)
    assert (await any_store.beat(*QUEUE, "m-a", leave=True)).count == 1


async def test_positions_and_reasons(any_store: Store) -> None:
    alice = await join_queue(any_store, "alice")
    await asyncio.sleep(0.002)  # two tickets of the same millisecond have no order
    bob = await join_queue(any_store, "bob")
    await any_store.explain(*QUEUE, {bob.place.ticket: b'{"rule":"skill"}'})
    standings = await any_store.positions(*QUEUE, [bob.place.ticket, alice.place.ticket, "gone"])
    assert standings.length == 2
    assert standings.tickets == (values.Standing(2, b'{"rule":"skill"}'), values.Standing(1), values.Standing(0))
    await any_store.explain(*QUEUE, {})
    assert (await any_store.positions(*QUEUE, [bob.place.ticket])).tickets[0].reason == b""


async def test_presence(any_store: Store) -> None:
    assert await any_store.presence(["alice", "bob"]) == 2
    await any_store.absent("alice")
    assert await any_store.connected() == 1


async def test_a_sign_in_ticket_works_once(any_store: Store) -> None:
    await any_store.put_sign_in_ticket("abc", b"alice", 30)
    assert await any_store.take_sign_in_ticket("abc") == b"alice"
    assert await any_store.take_sign_in_ticket("abc") is None


async def test_pools_have_revisions(any_store: Store) -> None:
    rules = load_pool(yaml.safe_load((Path(__file__).parents[2] / "pools" / "duel.yaml").read_text())).spec
    assert await any_store.put_pool("duel", rules) == 1
    assert await any_store.put_pool("duel", rules) == 1
    changed = msgspec.structs.replace(rules, suspend=True)
    assert await any_store.put_pool("duel", changed) == 2
    assert await any_store.pools() == {"duel": (2, changed)}


async def test_profiles(any_store: Store) -> None:
    assert await any_store.preferences("alice") is None
    await any_store.put_preferences("alice", b'{"regions":["local"]}')
    assert await any_store.preferences("alice") == b'{"regions":["local"]}'
    assert await any_store.epoch() == await any_store.epoch()
    await any_store.ping()


@pytest.mark.parametrize("name", ["", "a b", "{x}", "a" * 65, "ü", "a\n", "*"])
async def test_names_that_must_not_get_into_a_key(any_store: Store, name: str) -> None:
    with pytest.raises(InvalidKeyError):
        await any_store.take_over(name, "gw-1")
    with pytest.raises(InvalidKeyError):
        await any_store.put_pool(name, None)  # type: ignore[arg-type]


async def test_waits_of_matched_tickets_are_counted_by_length(any_store: Store) -> None:
    alice, bob = await join_queue(any_store, "alice"), await join_queue(any_store, "bob")
    await commit(any_store, alice, bob)
    (numbers,) = await any_store.queue_statistics("duel", [("local", "ranked")])
    assert sum(numbers.recent_waits) == 2
    p95 = values.wait_quantile(numbers.recent_waits, 0.95)
    assert p95 is not None
    assert numbers.recent_waits[-1] == 0
    (empty,) = await any_store.queue_statistics("duel", [("local", "casual")])
    assert values.wait_quantile(empty.recent_waits, 0.95) is None


async def test_a_pool_belongs_to_the_namespace_that_declared_it_first(any_store: Store) -> None:
    assert await any_store.claim_pool("duel", "games") == values.PoolOwner("games")
    assert await any_store.claim_pool("duel", "others") == values.PoolOwner("games")
    assert await any_store.claim_pool("duel", "games") == values.PoolOwner("games")
    marked = await any_store.delete_pool("duel")
    assert marked is not None
    assert marked.deleted_ms is not None
    assert await any_store.delete_pool("duel") == marked, "the time of a deletion moved"
    assert await any_store.claim_pool("duel", "others") == marked
    assert await any_store.claim_pool("duel", "games") == values.PoolOwner("games"), "declared again while it was deleted"
    assert await any_store.pool_owners() == {"duel": values.PoolOwner("games")}
    assert await any_store.delete_pool("never-declared") is None


async def test_a_deleted_pool_is_drained_and_its_players_told(any_store: Store) -> None:
    rules = load_pool(yaml.safe_load((Path(__file__).parents[2] / "pools" / "duel.yaml").read_text())).spec
    await any_store.claim_pool("duel", "games")
    await any_store.put_pool("duel", rules)
    party = await join_queue(any_store, "alice", party=("bob",))
    assert await drain_pool(any_store, "duel") == (1, False), "forgotten while a join may still be under way"
    assert await any_store.pools() == {}
    for player in ("alice", "bob"):
        (event,) = (await any_store.outbox(player, 0)).events
        data = msgspec.json.decode(event.data)
        assert (event.type, data["reason"], data["ticket_id"]) == (TICKET_ENDED, "pool_deleted", party.place.ticket)
    late = await join_queue(any_store, "carol")
    assert late.status == "joined"
    assert await drain_pool(any_store, "duel") == (1, False)
    assert await any_store.known_queues("duel") == []
    assert await any_store.forget_pool("duel")
    assert await any_store.pool_owners() == {}
    assert await drain_pool(any_store, "duel") == (0, True)


async def test_a_mode_that_is_declared_no_longer_is_drained_and_the_others_stay(any_store: Store) -> None:
    alice = await join_queue(any_store, "alice")
    await any_store.beat(*QUEUE, "m-a")
    assert await drain_queues(any_store, "duel", [("local", "ranked")], "queue_removed") == 0
    assert await any_store.queue_lengths("duel", [("local", "ranked")]) == [1]
    assert await drain_queues(any_store, "duel", [("local", "casual")], "queue_removed") == 1
    assert await any_store.known_queues("duel") == [("local", "ranked")], "forgotten under a matcher that follows it"
    (event,) = (await any_store.outbox("alice", 0)).events
    assert msgspec.json.decode(event.data)["reason"] == "queue_removed"
    assert (await any_store.cancel(alice.place, "alice", "left", ticket_ended(alice.place, ["alice"], "left", NOW))).status == "ended"
    await any_store.beat(*QUEUE, "m-a", leave=True)
    assert await drain_queues(any_store, "duel", [], "queue_removed") == 0
    assert await any_store.known_queues("duel") == []


def test_quantiles_of_counted_waits() -> None:
    counts = [0] * (len(values.WAIT_BUCKETS) + 1)
    assert values.wait_quantile(counts, 0.95) is None
    counts[4] = 100  # between 1 and 2 s
    assert values.wait_quantile(counts, 0.5) == pytest.approx(1.5)
    counts[-1] = 100
    assert values.wait_quantile(counts, 0.95) == values.WAIT_BUCKETS[-1]


async def test_a_match_and_every_other_end_are_counted_with_their_queue(any_store: Store) -> None:
    alice, bob = await join_queue(any_store, "alice"), await join_queue(any_store, "bob")
    carol = await join_queue(any_store, "carol")
    assert carol.status == "joined"
    tickets = [values.CommitTicket(each.place.ticket, *QUEUE[1:], round(each.enqueued.enqueued * 1000)) for each in (alice, bob)]
    entry = values.RelayEntry("duel", {"alice": alice.place.ticket, "bob": bob.place.ticket}, MATCH_READY, msgspec.Raw(b"{}"), NOW, "m1")
    for _ in range(2):  # repeated, it counts once
        assert (await commit_one(any_store, "duel", tickets, entry, {"matched": 1, "waited|b3": 2})).status == "committed"
    generation = (await resume(any_store, "carol")).generation
    await leave(any_store, "carol", generation, "2", NOW)
    (reading,) = await any_store.readings("duel", [("local", "ranked")])
    assert reading.counts == {"joined": 3, "matched": 1, "waited|b3": 2, "ended|left": 1}
    assert (reading.pool, reading.waiting, reading.oldest, reading.matchers) == ("duel", 0, 0.0, 0)


async def test_a_queue_is_read_with_its_oldest_ticket_its_matchers_and_what_blocks(any_store: Store) -> None:
    await join_queue(any_store, "alice")
    await any_store.beat(*QUEUE, "m-1")
    await any_store.explain(*QUEUE, {"t1": b'{"rule":"skill","text":"x"}', "t2": b'{"rule":"skill","text":"x"}'})
    await asyncio.sleep(0.01)
    (reading,) = await any_store.readings("duel", [("local", "ranked")])
    assert (reading.waiting, reading.matchers, reading.blocked) == (1, 1, {"skill": 2})
    assert 0.01 <= reading.oldest < 60


async def test_a_batch_of_counts_counts_once(any_store: Store) -> None:
    assert await any_store.count(*QUEUE, "m-1", 1, {"rounds": 2, "phase|match|sum": 5})
    assert not await any_store.count(*QUEUE, "m-1", 1, {"rounds": 2, "phase|match|sum": 5})
    assert await any_store.count(*QUEUE, "m-2", 1, {"rounds": 1})
    assert await any_store.count(*QUEUE, "m-1", 2, {"rounds": 1})
    (reading,) = await any_store.readings("duel", [("local", "ranked")])
    assert reading.counts == {"rounds": 4, "phase|match|sum": 5}


async def test_one_gateway_exports_until_it_gives_up(any_store: Store) -> None:
    assert await any_store.elect("gw-1")
    assert not await any_store.elect("gw-2")
    assert await any_store.elect("gw-1")
    assert not await any_store.elect("gw-2", leave=True)
    assert await any_store.elect("gw-1"), "only the holder can give it up"
    assert not await any_store.elect("gw-1", leave=True)
    assert await any_store.elect("gw-2")


async def test_what_is_not_relayed_is_counted_and_has_an_age(any_store: Store) -> None:
    assert await any_store.relay_backlog("duel") == (0, 0.0)
    alice, bob = await join_queue(any_store, "alice"), await join_queue(any_store, "bob")
    commitment, entry = await commit(any_store, alice, bob)
    await asyncio.sleep(0.01)
    length, age = await any_store.relay_backlog("duel")
    assert length == 1
    assert 0.005 <= age < 60
    await relay(any_store, values.PendingEntry(commitment.entry, entry))
    assert await any_store.relay_backlog("duel") == (0, 0.0)


async def test_timers_are_counted_with_how_late_the_latest_is(any_store: Store) -> None:
    assert await any_store.timer_backlog() == (0, 0.0)
    await any_store.timer_set("m1", 60)
    assert await any_store.timer_backlog() == (1, 0.0)
    await any_store.timer_set("m2", -5)
    count, late = await any_store.timer_backlog()
    assert count == 2
    assert 4.9 < late < 60


async def test_of_many_matches_each_is_made_whole_or_not_at_all(any_store: Store) -> None:
    waiting = {name: await join_queue(any_store, name) for name in ("alice", "bob", "carol", "dave", "erin", "frank")}

    def proposed(match: str, *names: str, since: int | None = None) -> values.Proposal:
        tickets = [
            values.CommitTicket(
                waiting[name].place.ticket, *QUEUE[1:], round(waiting[name].enqueued.enqueued * 1000) if since is None else since
            )
            for name in names
        ]
        players = {name: waiting[name].place.ticket for name in names}
        entry = values.RelayEntry("duel", players, MATCH_READY, msgspec.Raw(b"{}"), NOW, match)
        return values.Proposal(match, tickets, entry, {"matched": 2, f"quality:{match}": 1})

    proposals = [
        proposed("m1", "alice", "bob"),
        proposed("m2", "bob", "carol"),  # bob is in the first one
        proposed("m3", "dave", "erin", since=1),  # not as they wait
        proposed("m4", "carol", "dave"),
    ]
    for again in (False, True):
        made = await any_store.commit("duel", "matcher-1", proposals, 30.0)
        assert [each.status for each in made] == ["committed", "conflict", "conflict", "committed"]
        assert [bool(each.entry) for each in made] == [not again, False, False, not again], (
            "what was committed before is relayed by who did"
        )
    assert made[2].gone == tuple(waiting[name].place.ticket for name in ("dave", "erin"))
    assert await any_store.queue_lengths("duel", [QUEUE[1:]]) == [2]
    (reading,) = await any_store.readings("duel", [QUEUE[1:]])
    assert {name: count for name, count in reading.counts.items() if name != "joined"} == {"matched": 4, "quality:m1": 1, "quality:m4": 1}
    (numbers,) = await any_store.queue_statistics("duel", [QUEUE[1:]])
    assert (numbers.matches, numbers.tickets) == (2, 4)
    left = await any_store.left_behind("duel", 0.0, 10)
    assert sorted(pending.entry.match for pending in left) == ["m1", "m4"]
    await any_store.settle("duel", left)
    assert await any_store.left_behind("duel", 0.0, 10) == []
    ghosts = await any_store.commit("duel", "matcher-1", [proposed("m5", "erin", "frank")], 0.0)
    assert (ghosts[0].status, len(ghosts[0].gone)) == ("ghost", 2)


async def test_a_reservation_brings_the_preferences_and_a_ticket_that_is_refused_leaves_nothing(any_store: Store) -> None:
    await any_store.put_preferences("alice", b'{"roles":["tank"]}')
    generation = (await resume(any_store, "alice")).generation
    seen = []

    def refuse(_place: values.Place, found: Sequence[values.Reservation]) -> Ticket:
        seen.append(found[0].preferences)
        raise ValueError("no such role")

    for _ in range(2):
        with pytest.raises(ValueError, match="no such role"):
            await join(any_store, Join(("alice",), generation, "1", *QUEUE), refuse)
    assert seen == [b'{"roles":["tank"]}'] * 2
    assert (await any_store.ticket_state("alice")).held is None
    joined = await join_queue(any_store, "alice", "2")
    assert joined.status == "joined"
    again = await join(any_store, Join(("alice",), (await resume(any_store, "alice")).generation, "2", *QUEUE), refuse)
    assert (again.status, again.place) == ("joined", joined.place), "it waits already"
    assert (await any_store.ticket_state("alice")).held == joined.place
