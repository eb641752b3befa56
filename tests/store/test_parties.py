"""Parties, on a real Redis, a Redis Cluster and the twin in memory: each step, its repeats, and random lives in which processes die between two steps."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.protocol.events import MATCH_READY, PARTY_UPDATE, TICKET_ENDED
from matchmaking.protocol.to_client import PartyUpdateData
from matchmaking.store import parties, party_news, party_queue, party_requeue, values
from matchmaking.store.interface import LARGEST_PARTY, Store
from matchmaking.store.joining import Join, JoinOutcome, join, leave, record_decoder
from matchmaking.store.memory import MemoryStore
from matchmaking.store.party_values import Party
from matchmaking.store.relay import relay, sweep
from store.test_contract import NOW, build, join_queue, resume
from support.matches import commit_one

QUEUE = ("squads", "local", "ranked")


async def enter(store: Store, player: str) -> int:
    return (await resume(store, player)).generation


async def party_of(store: Store, *players: str) -> Party:
    """A party of these players, the leader first; their latest connections are their own."""
    created = await parties.create(store, players[0], await enter(store, players[0]), "create")
    assert created.party is not None
    for player in players[1:]:
        await asyncio.sleep(0.002)  # the order of joining goes by ms
        outcome = await parties.accept(store, player, await enter(store, player), "join", created.party.invite)
        assert outcome.status == "done", outcome
    party = await store.party_read(created.party.id)
    assert party is not None
    return party


async def told(store: Store, player: str) -> list[PartyUpdateData]:
    events = (await store.outbox(player, 0)).events
    return [msgspec.json.decode(event.data, type=PartyUpdateData) for event in events if event.type == PARTY_UPDATE]


async def queue_party(store: Store, party: Party, op_id: str = "q") -> tuple[JoinOutcome, Party | None]:
    members = (party.leader, *(member for member in party.members if member != party.leader))
    current = await enter(store, party.leader)
    holding = await store.party_holding(party.leader, current)
    return await party_queue.queue(store, Join(members, current, op_id, *QUEUE), holding, build(members))


async def test_a_party_is_created_joined_and_left(any_store: Store) -> None:
    party = await party_of(any_store, "alice", "bob", "carol")
    assert (party.leader, list(party.members)) == ("alice", ["alice", "bob", "carol"])
    assert [update.reason for update in await told(any_store, "alice")] == ["created", "joined", "joined"]
    outcome = await parties.leave(any_store, "alice", await enter(any_store, "alice"), "leave")
    assert outcome.status == "done"
    after = await any_store.party_read(party.id)
    assert after is not None
    assert (after.leader, list(after.members)) == ("bob", ["bob", "carol"]), "the oldest member leads"
    last = (await told(any_store, "alice"))[-1]
    assert (last.reason, last.members, last.invite) == ("left", [], "")
    assert (await told(any_store, "carol"))[-1].leader == "bob"
    for player in ("bob", "carol"):
        await parties.leave(any_store, player, await enter(any_store, player), "leave")
    assert await any_store.party_read(party.id) is None
    assert (await parties.leave(any_store, "bob", await enter(any_store, "bob"), "again")).status == "not_in_party"


async def test_the_same_operation_has_its_effect_once(any_store: Store) -> None:
    now = await enter(any_store, "alice")
    first, again = [await parties.create(any_store, "alice", now, "1") for _ in range(2)]
    assert first.party is not None
    assert first.party_id == again.party_id
    bob = await enter(any_store, "bob")
    for _ in range(2):
        assert (await parties.accept(any_store, "bob", bob, "1", first.party.invite)).status == "done"
    for _ in range(2):
        assert (await parties.leave(any_store, "bob", bob, "2")).status == "done"
    assert (await parties.accept(any_store, "bob", bob, "1", first.party.invite)).status == "done", "remembered"
    assert (await parties.leave(any_store, "bob", bob, "3")).status == "not_in_party", "the repeated join had an effect"
    assert (await parties.accept(any_store, "bob", bob, "4", first.party.invite)).status == "done"
    for _ in range(2):
        assert (await parties.kick(any_store, "alice", now, "5", "bob")).status == "done"
    assert [update.reason for update in await told(any_store, "bob")] == ["joined", "left", "joined", "kicked"]


async def test_operation_ids_begin_anew_with_a_session(any_store: Store) -> None:
    now = await enter(any_store, "alice")
    first = await parties.create(any_store, "alice", now, "1")
    await any_store.party_holding("alice", now, anew=True)
    assert (await parties.create(any_store, "alice", now, "1")).status == "already_in_party"
    await parties.leave(any_store, "alice", now, "2")
    await any_store.party_holding("alice", now, anew=True)
    second = await parties.create(any_store, "alice", now, "1")
    assert (second.status, second.party_id != first.party_id) == ("done", True)


async def test_nobody_is_in_two_parties(any_store: Store) -> None:
    one, other = await party_of(any_store, "alice", "bob"), await party_of(any_store, "carol")
    bob = await enter(any_store, "bob")
    assert (await parties.accept(any_store, "bob", bob, "x", other.invite)).status == "already_in_party"
    assert (await parties.create(any_store, "bob", bob, "y")).status == "already_in_party"
    assert (await parties.accept(any_store, "alice", await enter(any_store, "alice"), "z", one.invite)).status == "already_in_party"


async def test_invites_end_and_are_guessed_in_vain(any_store: Store) -> None:
    party = await party_of(any_store, "alice", "bob")
    carol, alice = await enter(any_store, "carol"), await enter(any_store, "alice")
    for invite in ("nonsense", "", f"{party.id}-{party_news.code()}", f"{party_news.code()}-{party.secret}", "a" * 64):
        assert (await parties.accept(any_store, "carol", carol, f"op{invite[-20:]}", invite)).status == "unknown_invite"
    renewed = await parties.renew_invite(any_store, "alice", alice, "renew")
    assert renewed.party is not None
    assert renewed.party.invite != party.invite
    assert (await parties.accept(any_store, "carol", carol, "old", party.invite)).status == "unknown_invite"
    assert (await parties.accept(any_store, "carol", carol, "new", f"  {renewed.party.invite.upper()} ")).status == "done"
    await parties.kick(any_store, "alice", alice, "kick", "carol")
    assert (await parties.accept(any_store, "carol", carol, "back", renewed.party.invite)).status == "unknown_invite", (
        "sent away, and back by the same code"
    )
    assert (await parties.renew_invite(any_store, "bob", await enter(any_store, "bob"), "r")).status == "not_party_leader"


async def test_only_the_leader_sends_away_and_promotes(any_store: Store) -> None:
    await party_of(any_store, "alice", "bob", "carol")
    bob = await enter(any_store, "bob")
    assert (await parties.kick(any_store, "bob", bob, "1", "carol")).status == "not_party_leader"
    assert (await parties.promote(any_store, "bob", bob, "2", "bob")).status == "not_party_leader"
    alice = await enter(any_store, "alice")
    assert (await parties.promote(any_store, "alice", alice, "3", "nobody")).status == "not_a_member"
    assert (await parties.kick(any_store, "alice", alice, "4", "nobody")).status == "not_a_member"
    assert (await parties.kick(any_store, "alice", alice, "5", "alice")).status == "not_a_member", "leaving is another request"
    for _ in range(2):
        assert (await parties.promote(any_store, "alice", alice, "6", "bob")).status == "done"
    assert (await parties.kick(any_store, "bob", bob, "7", "carol")).status == "done"
    assert (await parties.create(any_store, "dan", 99, "8")).status == "stale"


async def test_a_party_queues_whole_and_nobody_comes_in_meanwhile(any_store: Store) -> None:
    party = await party_of(any_store, "alice", "bob", "carol")
    outcome, after = await queue_party(any_store, party)
    assert outcome.status == "joined"
    assert after is not None
    assert after.place == outcome.place
    record = await any_store.record(outcome.place)
    assert record is not None
    assert [player.id for player in record_decoder.decode(record).players] == ["alice", "bob", "carol"]
    assert [(await told(any_store, player))[-1].reason for player in ("alice", "bob", "carol")] == ["queued"] * 3
    queued = (await told(any_store, "carol"))[-1].queued
    assert queued is not None
    assert queued.ticket_id == outcome.place.ticket
    assert (await parties.accept(any_store, "dan", await enter(any_store, "dan"), "1", party.invite)).status == "party_queued"
    again, _ = await queue_party(any_store, party)
    assert (again.status, again.place) == ("joined", outcome.place), "the same operation again"
    other, _ = await queue_party(any_store, party, op_id="other")
    assert other.status == "already_queued"
    assert await any_store.queue_lengths("squads", [QUEUE[1:]]) == [1]


@pytest.mark.parametrize("how", ["leave", "kick"])
async def test_a_member_who_goes_ends_the_ticket_with_notice_to_all(any_store: Store, how: str) -> None:
    party = await party_of(any_store, "alice", "bob", "carol")
    outcome, _ = await queue_party(any_store, party)
    if how == "leave":
        await parties.leave(any_store, "carol", await enter(any_store, "carol"), "l")
    else:
        await parties.kick(any_store, "alice", await enter(any_store, "alice"), "k", "carol")
    assert (await any_store.look(outcome.place, "alice")).status == "cancelled"
    for player in ("alice", "bob", "carol"):
        ended = [event for event in (await any_store.outbox(player, 0)).events if event.type == TICKET_ENDED]
        assert [msgspec.json.decode(event.data)["reason"] for event in ended] == ["party_changed"], player
        assert (await resume(any_store, player)).held is None
    assert (await told(any_store, "bob"))[-1].queued is None
    smaller = await any_store.party_read(party.id)
    assert smaller is not None
    assert (await queue_party(any_store, smaller, op_id="again"))[0].status == "joined"


async def test_leaving_after_the_match_leaves_the_match_alone(any_store: Store) -> None:
    party = await party_of(any_store, "alice", "bob")
    outcome, _ = await queue_party(any_store, party)
    entry = values.RelayEntry("squads", dict.fromkeys(("alice", "bob"), outcome.place.ticket), MATCH_READY, msgspec.Raw(b"{}"), NOW, "m1")
    ticket = values.CommitTicket(outcome.place.ticket, *QUEUE[1:], round(outcome.enqueued.enqueued * 1000))
    committed = await commit_one(any_store, "squads", [ticket], entry)
    assert (await parties.leave(any_store, "bob", await enter(any_store, "bob"), "l")).status == "done"
    assert await relay(any_store, values.PendingEntry(committed.entry, entry)) != {"alice": 0, "bob": 0}
    for player in ("alice", "bob"):
        assert [event.type for event in (await any_store.outbox(player, 0)).events].count(MATCH_READY) == 1


async def requeue(store: Store, party: Party) -> tuple[values.Place, Party]:
    """The party's ticket was matched, and goes back after the match came to nothing."""
    outcome, _ = await queue_party(store, party)
    old = outcome.place
    members = (party.leader, *(member for member in party.members if member != party.leader))
    place = msgspec.structs.replace(old, ticket=f"{old.ticket[:11]}new")
    assert await party_requeue.requeue(store, old.ticket, place, members) == party.id
    named = await store.party_read(party.id)
    assert named is not None
    return place, named


async def test_a_ticket_that_goes_back_is_named_in_its_party_again(any_store: Store) -> None:
    party = await party_of(any_store, "alice", "bob")
    place, named = await requeue(any_store, party)
    assert (named.place, named.since) == (place, None)
    carol = await enter(any_store, "carol")
    assert (await parties.accept(any_store, "carol", carol, "j", party.invite)).status == "party_queued", "nobody comes in from now on"
    assert await party_requeue.requeue(any_store, "another", place, ("bob", "alice")) == party.id, "again"
    assert await party_requeue.requeue(any_store, "another", msgspec.structs.replace(place, ticket="third"), ("alice", "bob")) == ""
    await party_requeue.requeued(any_store, party.id, place, values.Enqueued("waiting", 1, 1, 1234.5))
    waits = await any_store.party_read(party.id)
    assert waits is not None
    assert (waits.place, waits.since, waits.reason) == (place, 1234500, "queued")
    assert (await told(any_store, "bob"))[-1].version == waits.version


async def test_a_ticket_that_cannot_go_back_is_named_no_more(any_store: Store) -> None:
    party = await party_of(any_store, "alice", "bob")
    place, _ = await requeue(any_store, party)
    await party_requeue.requeued(any_store, party.id, place, values.Enqueued("cancelled"))
    after = await any_store.party_read(party.id)
    assert after is not None
    assert after.place is None


@pytest.mark.parametrize("members", [("alice",), ("alice", "bob", "carol"), ("alice", "carol")])
async def test_another_party_than_the_tickets_does_not_name_it(any_store: Store, members: tuple[str, ...]) -> None:
    party = await party_of(any_store, "alice", "bob")
    assert await party_requeue.requeue(any_store, "old", values.Place("new", *QUEUE), members) == ""
    assert await party_requeue.requeue(any_store, "old", values.Place("new", *QUEUE), ("carol", "dave")) == "", "who is in none"
    after = await any_store.party_read(party.id)
    assert after is not None
    assert after.place is None


async def test_a_member_with_a_ticket_of_their_own_blocks_by_name(any_store: Store) -> None:
    party = await party_of(any_store, "alice", "bob", "carol")
    await join_queue(any_store, "bob")
    outcome, _ = await queue_party(any_store, party)
    assert (outcome.status, outcome.player) == ("already_queued", "bob")
    for player in ("alice", "carol"):
        assert (await resume(any_store, player)).held is None
    after = await any_store.party_read(party.id)
    assert after is not None
    assert after.place is None
    await leave(any_store, "bob", await enter(any_store, "bob"), "l", NOW)
    assert (await queue_party(any_store, party, op_id="q2"))[0].status == "joined"


async def test_others_than_those_asked_for_are_not_queued(any_store: Store) -> None:
    party = await party_of(any_store, "alice", "bob")
    await parties.leave(any_store, "bob", await enter(any_store, "bob"), "l")
    with pytest.raises(party_queue.PartyChangedError):
        await queue_party(any_store, party)
    after = await any_store.party_read(party.id)
    assert after is not None
    assert after.place is None


async def test_a_member_who_is_gone_for_too_long_ends_the_ticket(any_store: Store) -> None:
    party = await party_of(any_store, "alice", "bob")
    await any_store.presence(["alice", "bob"])
    _, queued = await queue_party(any_store, party)
    assert queued is not None
    assert await any_store.are_connected(["alice", "bob"], 20) == {"alice": True, "bob": True}
    await any_store.absent("bob")
    seen = await any_store.are_connected(["alice", "bob"], 20)
    away = await party_queue.look_after(any_store, queued, seen, 30)
    assert away is not None
    assert (list(away.away), away.place is not None) == (["bob"], True)
    assert [member.connected for member in (await told(any_store, "alice"))[-1].members] == [True, False]
    gone = await party_queue.look_after(any_store, away, seen, 0)
    assert gone is not None
    assert gone.place is None
    assert ((await any_store.outbox("alice", 0)).events)[-2].type == TICKET_ENDED
    back = await party_queue.look_after(any_store, gone, {"alice": True, "bob": True}, 0)
    assert back is not None
    assert back.away == {}


async def test_an_admission_that_comes_late_is_refused(any_store: Store) -> None:
    party, now = await party_of(any_store, "alice"), await enter(any_store, "bob")
    binding = await any_store.party_bind("bob", now, "1", party.id, "0" * 12)
    assert (await parties.create(any_store, "bob", now, "2")).status == "done", "an unconfirmed binding stood in the way"
    late = await any_store.party_admit(party.id, "bob", binding.membership, party.secret, party_news.code())
    assert late.status == "gone"
    ancient = await any_store.party_admit(party.id, "bob", "00000000001" + "0" * 12, party.secret, party_news.code())
    assert ancient.status == "gone"


async def test_a_version_is_told_once_and_in_order(any_store: Store) -> None:
    party = await party_of(any_store, "alice", "bob")
    before = len(await told(any_store, "alice"))
    await asyncio.gather(*(party_news.publish(any_store, party.id) for _ in range(3)))
    await party_news.tell(any_store, msgspec.structs.replace(party, version=1))
    assert len(await told(any_store, "alice")) == before
    versions = [update.version for update in await told(any_store, "alice")]
    assert versions == sorted(set(versions))


async def test_a_full_party_takes_nobody(any_store: Store) -> None:
    party = await party_of(any_store, *(f"player-{n}" for n in range(LARGEST_PARTY)))
    assert (await parties.accept(any_store, "late", await enter(any_store, "late"), "1", party.invite)).status == "party_full"
    assert (await any_store.party_holding("late", None)).status == "none"


# --- random lives ------------------------------------------------------------------------------------------------------------------------------------

PLAYERS = ("ann", "ben", "cat", "dov")


class DiedError(Exception):
    """A process stopped between two steps."""


class Fragile:
    """A store as one process sees it: other processes come in between its steps, and it may stop for good before any of them."""

    def __init__(self, store: Store, random: Random, steps: int, after: Callable[[], None] | None) -> None:
        self._store, self._random, self._steps, self._after = store, random, steps, after

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def step(*arguments: Any, **options: Any) -> Any:
            for _ in range(self._random.randrange(4)):
                await asyncio.sleep(0)
            if self._steps == 0:
                raise DiedError
            self._steps -= 1
            result = await getattr(self._store, name)(*arguments, **options)
            if self._after:
                self._after()
            return result

        return step


async def act(store: Any, player: str, random: Random, generations: dict[str, int], invites: list[str], op_id: str) -> None:
    now = generations[player]
    match random.randrange(10):
        case 0:
            outcome = await parties.create(store, player, now, op_id)
            if outcome.party:
                invites.append(outcome.party.invite)
        case 1 | 2 if invites:
            await parties.accept(store, player, now, op_id, invites[-1])
        case 3:
            await parties.leave(store, player, now, op_id)
        case 4:
            outcome = await parties.kick(store, player, now, op_id, random.choice(PLAYERS))
            if outcome.party:
                invites.append(outcome.party.invite)
        case 5:
            await leave(store, player, now, op_id, NOW)
        case _:
            await queue_as_leader(store, player, random, generations, op_id)


async def queue_as_leader(store: Any, player: str, random: Random, generations: dict[str, int], op_id: str) -> None:
    now = generations[player]
    holding = await store.party_holding(player, now)
    party = await store.party_read(holding.party) if holding.party else None
    if party is not None and random.random() < 0.8:
        player = party.leader
        now = generations[player]
        holding = await store.party_holding(player, now)
    if party is None or party.leader != player:
        await join(store, Join((player,), now, op_id, *QUEUE), build((player,)))
        return
    members = (player, *(member for member in party.members if member != player))
    with contextlib.suppress(party_queue.PartyChangedError):
        await party_queue.queue(store, Join(members, now, op_id, *QUEUE), holding, build(members))


async def live(store: Store, seed: int, after: Callable[[], None] | None = None) -> None:
    """Several processes act for four players at once; each may die at any step, and some operations are sent twice."""
    random = Random(seed)
    party = await party_of(store, *PLAYERS[:3])
    generations = {player: await enter(store, player) for player in PLAYERS}
    invites = [party.invite]

    async def process(n: int) -> None:
        for step in range(5):
            player, op_id, choice = random.choice(PLAYERS), f"{n}-{step}", random.randrange(2**32)
            for _ in range(random.choice((1, 1, 1, 2))):
                steps = random.choice((-1, -1, random.randrange(12)))
                with contextlib.suppress(DiedError):
                    await act(Fragile(store, random, steps, after), player, Random(choice), generations, invites, op_id)

    await asyncio.gather(*(process(n) for n in range(3)))


async def converge(store: Store) -> None:
    """What gateways do: relay what was left behind, look after parties, look at what players are bound to."""
    for _ in range(3):
        await sweep(store, "squads", idle=0)
        for player in PLAYERS:
            holding = await store.party_holding(player, None)
            if holding.party and await parties.check(store, player, holding.party, holding.membership):
                party = await store.party_read(holding.party)
                assert party is not None
                await party_queue.look_after(store, party, dict.fromkeys(party.members, True), 30)
                await party_news.publish(store, holding.party)
            if holding.place and (await store.look(holding.place, player)).status != "waiting":
                await store.release(player, holding.place.ticket)


async def inspect(store: Store) -> None:
    """Nobody in two parties, tickets hold exactly their parties, everybody is told, nothing is left over."""
    seen: dict[str, str] = {}
    tickets: dict[str, set[str]] = {}
    for player in PLAYERS:
        holding = await store.party_holding(player, None)
        if holding.place:
            tickets.setdefault(holding.place.ticket, set()).add(player)
            record = await store.record(holding.place)
            assert record is not None, f"{player} is bound to a ticket that does not wait"
            assert player in [member.id for member in record_decoder.decode(record).players]
        if not holding.party:
            continue
        party = await store.party_read(holding.party)
        assert party is not None
        assert party.members.get(player) == holding.membership, f"{player} is bound to a party that does not know it"
        assert party.leader in party.members
        assert holding.shown == party.version, f"{player} has not been told"
        for member in party.members:
            assert seen.setdefault(member, party.id) == party.id, f"{member} is in two parties"
        if party.place:
            record = await store.record(party.place)
            assert record is not None
            assert {member.id for member in record_decoder.decode(record).players} == set(party.members)
    page = await store.page(*QUEUE, None, 100)
    for waiter in page.waiters:
        assert waiter.record is not None
        assert {member.id for member in record_decoder.decode(waiter.record).players} == tickets.pop(waiter.ticket, set())
    assert not tickets, "players are bound to tickets that do not wait"


def check_every_step(store: MemoryStore) -> Callable[[], None]:
    """What must hold between any two steps of any processes."""

    def after() -> None:
        members = [member for party in store._parties.values() for member in party.members]
        assert len(members) == len(set(members)), "somebody is in two parties"
        for ticket in store._queue(*QUEUE).waiting:
            holds = {member.id for member in record_decoder.decode(store._pool("squads").tickets[ticket]).players}
            whole = any(set(party.members) == holds for party in store._parties.values())
            assert whole or len(holds) == 1, "a ticket does not hold exactly a party's members"

    return after


@given(st.integers(0, 2**32))
def test_random_lives_with_deaths_between_steps_leave_nothing_over(seed: int) -> None:
    async def life() -> None:
        clock = [1_900_000_000.0]
        store = MemoryStore(lambda: clock[0])
        await live(store, seed, check_every_step(store))
        clock[0] += 2 * party_queue.UNSETTLED  # by then nobody is about to enqueue any more
        await converge(store)
        await inspect(store)

    asyncio.run(life())


@pytest.mark.parametrize("seed", range(6))
async def test_random_lives_on_redis(store: Store, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    await live(store, seed)
    monkeypatch.setattr(party_queue, "UNSETTLED", 0.0)
    await converge(store)
    await inspect(store)
