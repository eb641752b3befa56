"""What every store does for sessions, cooldowns, ratings and timers."""

import asyncio
import itertools

import msgspec
import pytest

from matchmaking.core.session import Result, Session
from matchmaking.core.session_effects import Rate
from matchmaking.core.session_events import Accept, Allocated, Attempt, Decline, Fill, Finished, Gone, Reported, Unallocated
from matchmaking.protocol.events import MATCH_READY, SESSION_UPDATE
from matchmaking.protocol.session_messages import MATCH_CANCELLED
from matchmaking.store import keys, session_values
from matchmaking.store.errors import StoreUnavailableError
from matchmaking.store.interface import Store
from matchmaking.store.own_faults import DEAD, cut_off
from matchmaking.store.relay import relay, sweep
from matchmaking.store.sessions import Change, change, open_session
from support.arena import arena
from support.matches import commit, join_arena, matched, pass_time, waiting

SERVED = {"allocation": {"type": "webhook", "url": "http://127.0.0.1:1"}}


async def told(store: Store, player: str) -> list[str]:
    return [event.type for event in (await store.outbox(player, 0)).events]


async def play(store: Store, match: str = "m1", *players: str) -> Session:
    for player in players or ("alice", "bob"):
        assert (await change(store, match, Accept(player))).answer == "ok"
    done = Change("")
    for event in (Attempt(), Allocated('{"address":"10.0.0.1","port":7777}'), Reported()):
        done = await change(store, match, event)
        assert done.answer == "ok"
    assert done.session is not None
    return done.session


async def test_a_proposed_match_holds_its_players_until_it_is_over(any_store: Store) -> None:
    await matched(any_store, "m1", arena(**SERVED), ["alice"], ["bob"])
    assert await any_store.session_of("alice") == "m1"
    assert (await join_arena(any_store, "alice")).status == "in_session"
    await play(any_store)
    assert (await join_arena(any_store, "bob")).status == "in_session"
    done = await change(any_store, "m1", Finished(Result({"side-1": 1, "side-2": 2})))
    assert done.answer == "ok"
    assert await told(any_store, "alice") == [MATCH_READY, *[SESSION_UPDATE] * 4]
    states = [msgspec.json.decode(event.data)["state"]["status"] for event in (await any_store.outbox("alice", 0)).events[1:]]
    assert states == ["accepted", "ready", "active", "completed"]
    assert (await join_arena(any_store, "alice")).status == "joined"


async def test_a_match_without_ready_check_and_server_holds_nobody(any_store: Store) -> None:
    await matched(any_store, "m1", arena(acceptance={}), ["alice"], ["bob"])
    read = await any_store.session_read("m1")
    assert read.session is not None
    assert (read.session.status, await any_store.session_of("alice")) == ("active", None)
    assert (await join_arena(any_store, "alice")).status == "joined"
    assert (await change(any_store, "m1", Reported())).answer == "ok"
    assert await any_store.session_of("bob") == "m1", "a server speaks after all"
    assert await any_store.session_of("alice") is None, "she waits elsewhere"


async def test_what_a_dead_process_left_undone_is_done_once(any_store: Store) -> None:
    await join_arena(any_store, "alice")
    await join_arena(any_store, "bob")
    tickets = await waiting(any_store)
    await commit(any_store, "m1", arena(), [[tickets[0]], [tickets[1]]])  # and dies
    for _ in range(2):
        await sweep(any_store, "arena", idle=0)
    assert await told(any_store, "alice") == [MATCH_READY]
    assert (await change(any_store, "m1", Decline("bob"))).answer == "ok"
    assert await told(any_store, "alice") == [MATCH_READY, MATCH_CANCELLED]
    assert len(await waiting(any_store)) == 1


async def test_a_session_is_made_once_and_the_time_to_accept_is_what_it_says(any_store: Store) -> None:
    await join_arena(any_store, "alice")
    await join_arena(any_store, "bob")
    tickets = await waiting(any_store)
    pending = await commit(any_store, "m1", arena(), [[tickets[0]], [tickets[1]]])
    assert pending is not None
    first, second = await open_session(any_store, pending.entry), await open_session(any_store, pending.entry)
    assert first.entry == second.entry == pending.entry
    seed = session_values.seed_decoder.decode(pending.entry.seed)
    assert isinstance(seed, Session)
    late = msgspec.structs.replace(seed, id="m2", created=seed.created - 100, due={name: at - 100 for name, at in seed.due.items()})
    told_late = await open_session(
        any_store, msgspec.structs.replace(pending.entry, seed=msgspec.Raw(msgspec.json.encode(late)), match="m2")
    )
    accept_by = msgspec.json.decode(told_late.entry.data)["accept_by"]
    assert accept_by > msgspec.json.decode(pending.entry.data)["timestamp"], "found long ago, told now"


async def test_one_of_ten_declines(any_store: Store) -> None:
    rules = arena(teams=[{"name": "side", "quantity": 2, "minPlayers": 5, "maxPlayers": 5}])
    names = [f"p{n}" for n in range(10)]
    await matched(any_store, "m1", rules, names[:5], names[5:])
    read = await any_store.session_read("m1")
    assert read.session is not None
    before = {player.id: ticket.enqueued for ticket in read.session.tickets for player in ticket.players}
    await asyncio.gather(*(change(any_store, "m1", Accept(name)) for name in names[:9]))
    await asyncio.sleep(0.002)  # within one millisecond the order would be the ids'
    newcomer = await join_arena(any_store, "newcomer")
    assert (await change(any_store, "m1", Decline("p9"))).answer == "ok"
    queue = await waiting(any_store)
    assert {ticket.players[0].id: ticket.enqueued for ticket in queue[:9]} == {name: before[name] for name in names[:9]}
    assert queue[9].id == newcomer.place.ticket
    assert {ticket.head_start for ticket in queue[:9]} == {30.0}
    refused = await join_arena(any_store, "p9")
    assert refused.status == "cooldown"
    assert 0 < refused.retry_after <= 30
    event = (await any_store.outbox("p9", 1)).events[0]
    assert 29 < msgspec.json.decode(event.data)["retry_after"] <= 30


async def test_a_party_of_which_one_declines_is_not_given_back(any_store: Store) -> None:
    rules = arena(teams=[{"name": "side", "quantity": 2, "minPlayers": 2, "maxPlayers": 2}], party={"maxSize": 2})
    await join_arena(any_store, "alice", "bob")
    await join_arena(any_store, "carol", "dave")
    tickets = await waiting(any_store)
    pending = await commit(any_store, "m1", rules, [[tickets[0]], [tickets[1]]])
    assert pending is not None
    await relay(any_store, pending)
    await change(any_store, "m1", Decline("bob"))
    (back,) = await waiting(any_store)
    assert [player.id for player in back.players] == ["carol", "dave"]
    assert (await join_arena(any_store, "alice")).status == "joined", "she is not to blame"
    assert (await join_arena(any_store, "bob")).status == "cooldown"
    assert (await join_arena(any_store, "dave")).status == "already_queued"


async def test_the_ladder_of_cooldowns(any_store: Store) -> None:
    ladder = [1.0, 60.0, 600.0]
    assert 0.9 < await any_store.penalise("alice", "m1:penalty", "arena", ladder) <= 1
    assert await any_store.penalise("alice", "m1:penalty", "arena", ladder) <= 1, "the same match again"
    assert 59 < await any_store.penalise("alice", "m2:penalty", "arena", ladder) <= 60
    for n in (3, 4):
        assert 599 < await any_store.penalise("alice", f"m{n}:penalty", "arena", ladder) <= 600
    assert await any_store.penalise("alice", "m5:penalty", "other", []) == 0


async def test_a_rating_is_applied_once(any_store: Store) -> None:
    rate = Rate("alice", "won", (1500.0, 500.0, 0.06), (1600.25, 450.5, 0.06), ("bob",), '{"match_id":"m1"}')
    assert await any_store.rate("alice", "m1:rated", "arena:ranked", rate)
    assert not await any_store.rate("alice", "m1:rated", "arena:ranked", rate)
    profile = await any_store.profile("alice")
    assert profile.ratings["arena:ranked"] == (1600.25, 450.5, 0.06)
    assert (profile.recent, profile.counts) == (("bob",), {"matches": 1, "won": 1})
    assert await any_store.history("alice") == [b'{"match_id":"m1"}']
    late = Rate("alice", "lost", (1500.0, 500.0, 0.06), (1400.0, 500.0, 0.06), ("carol", "bob"), "{}")
    assert await any_store.rate("alice", "m2:rated", "arena:ranked", late)
    profile = await any_store.profile("alice")
    assert profile.ratings["arena:ranked"][0] == pytest.approx(1500.25), "a difference, because the rating has changed meanwhile"
    assert profile.recent == ("carol", "bob")
    await any_store.put_profile(msgspec.structs.replace(profile, player="imported"))
    assert (await any_store.profile("imported")).ratings == profile.ratings
    assert await any_store.players() == ["alice", "imported"]


async def test_a_servers_state_has_versions(any_store: Store) -> None:
    await matched(any_store, "m1", arena(**SERVED), ["alice"], ["bob"])
    assert (await any_store.session_state("m1", b"{}", None, "")).status == "not_active"
    assert (await any_store.session_state("m0", b"{}", None, "")).status == "unknown"
    await play(any_store)
    first = await any_store.session_state("m1", b'{"a":1}', None, "")
    assert (first.status, first.version) == ("written", 1)
    assert await any_store.session_data("m1") == session_values.ServerState(1, b'{"a":1}', first.mark)
    refused = await any_store.session_state("m1", b'{"a":2}', 0, "")
    assert (refused.status, refused.version) == ("conflict", 1)
    assert (await any_store.session_state("m1", b'{"a":2}', 1, "", "another mark")).status == "conflict"
    second = await any_store.session_state("m1", b'{"a":2}', 1, "", first.mark)
    assert (second.status, second.version) == ("written", 2)
    assert second.mark not in {"", first.mark}
    read = await any_store.session_read("m1")
    assert (read.version, read.data) == (2, b'{"a":2}')
    assert await any_store.session_data("m0") == session_values.ServerState()
    await change(any_store, "m1", Finished(Result({"side-1": 1, "side-2": 2})))
    assert (await any_store.session_state("m1", b"{}", None, "")).status == "not_active"


async def test_no_server_means_that_everybody_goes_back(any_store: Store) -> None:
    await matched(any_store, "m1", arena(**SERVED), ["alice"], ["bob"])
    for player in ("alice", "bob"):
        await change(any_store, "m1", Accept(player))
    await change(any_store, "m1", Attempt())
    assert (await change(any_store, "m1", Unallocated(final=True))).answer == "ok"
    assert {ticket.players[0].id for ticket in await waiting(any_store)} == {"alice", "bob"}
    cancelled = msgspec.json.decode((await any_store.outbox("alice", 2)).events[0].data)
    assert (cancelled["reason"], cancelled["requeued"]) == ("allocation_failed", True)


async def test_whose_gateway_died_is_known_by_its_signs_of_life(any_store: Store) -> None:
    await any_store.take_over("bob", "gw-2")
    assert await cut_off(any_store, ["bob", "nobody"], 100.0, 200.0) == {"bob": 0.0}
    await any_store.gateway_lives("gw-2")
    (at,) = (await any_store.gateway_signs({"gw-2", "gw-3"})).values()
    assert await cut_off(any_store, ["bob"], at - 1, at) == {}, "it lived when the time was over"
    assert await cut_off(any_store, ["bob"], at + 1, at + 1 + DEAD / 2) is None, "nobody knows yet"
    assert await cut_off(any_store, ["bob"], at + 1, at + 1 + DEAD) == {"bob": at}
    current = await any_store.take_over("bob", "gw-2")
    await any_store.disconnect("bob", current.generation)
    assert await cut_off(any_store, ["bob"], at + 1, at + 1 + DEAD) == {}, "who has gone has gone"
    assert await cut_off(any_store, [], 1.0, 2.0) == {}


async def test_who_is_cut_off_by_a_dead_gateway_waits_on_and_does_not_pay(any_store: Store) -> None:
    await matched(any_store, "m1", arena(acceptance={"required": True, "timeout": "1s", "cooldowns": ["60s"]}), ["alice"], ["bob"])
    await any_store.gateway_lives("gw-2")
    await any_store.take_over("bob", "gw-2")
    await change(any_store, "m1", Accept("alice"))
    async with asyncio.timeout(20):
        while (await told(any_store, "bob"))[-1] != MATCH_CANCELLED:
            await pass_time(any_store)
            await asyncio.sleep(0.1)
    assert {ticket.players[0].id for ticket in await waiting(any_store)} == {"alice", "bob"}
    assert (await join_arena(any_store, "bob")).status == "already_queued"


async def test_deadlines_fire_once_whoever_attends(any_store: Store) -> None:
    await matched(any_store, "m1", arena(acceptance={"required": True, "timeout": "1s", "cooldowns": ["60s"]}), ["alice"], ["bob"])
    await change(any_store, "m1", Accept("alice"))
    async with asyncio.timeout(10):
        while (await told(any_store, "bob"))[-1] != MATCH_CANCELLED:
            await asyncio.gather(*(pass_time(any_store) for _ in range(3)))
            await asyncio.sleep(0.02)
    await pass_time(any_store, 3)
    assert await told(any_store, "alice") == [MATCH_READY, MATCH_CANCELLED]
    assert await told(any_store, "bob") == [MATCH_READY, MATCH_CANCELLED]
    assert [ticket.players[0].id for ticket in await waiting(any_store)] == ["alice"]
    assert 59 < (await join_arena(any_store, "bob")).retry_after <= 60


async def test_timers_are_taken_up_by_one_and_never_lost(any_store: Store) -> None:
    shard = keys.timers("m1")
    token = await any_store.timer_set("m1", 0)
    (taken,) = await any_store.timer_take(shard, 60, 10)
    assert taken.match == "m1"
    assert await any_store.timer_take(shard, 60, 10) == [], "it was taken up"
    assert not await any_store.timer_finish("m1", token, None), "somebody else has been at it"
    assert await any_store.timer_finish("m1", taken.token, None)
    assert await any_store.timer_take(shard, 60, 10) == []
    token = await any_store.timer_set("m1", 0)
    newer = await any_store.timer_set("m1", 30)
    assert newer < token, "only ever brought forward, and always changed"
    assert not await any_store.timer_finish("m1", token, 9e9)
    assert not await any_store.timer_finish("m1", newer, 9e9)
    assert [timer.match for timer in await any_store.timer_take(shard, 0, 10)] == ["m1"], "neither knows what the other saw: look again"


async def test_a_session_that_lost_a_player_is_filled_from_the_queue(any_store: Store) -> None:
    rules = arena(**SERVED, session={"reconnectGrace": "1s"}, backfill={"mode": "auto", "minRemaining": "1m"})
    await matched(any_store, "m1", rules, ["alice"], ["bob"])
    await play(any_store)
    await change(any_store, "m1", Gone("alice"))
    async with asyncio.timeout(10):
        while await any_store.session_of("alice"):
            await pass_time(any_store)
            await asyncio.sleep(0.05)
    await join_arena(any_store, "carol")
    backfill, carol = sorted(await waiting(any_store), key=lambda ticket: ticket.backfill is None)
    assert backfill.backfill is not None
    pending = await commit(any_store, "m2", rules, [[backfill, carol], []])
    assert pending is not None
    assert pending.entry.match == "m1"
    await relay(any_store, pending)
    await relay(any_store, pending)
    read = await any_store.session_read("m1")
    assert read.session is not None
    assert (set(read.session.players), read.session.filling) == ({"bob", "carol"}, "")
    assert await told(any_store, "carol") == [MATCH_READY, SESSION_UPDATE]
    assert await any_store.session_of("carol") == "m1"


async def test_a_backfill_that_finds_somebody_after_the_end_gives_them_back(any_store: Store) -> None:
    rules = arena(**SERVED)
    await matched(any_store, "m1", rules, ["alice"], ["bob"])
    await play(any_store)
    assert (await change(any_store, "m1", Fill())).answer == "ok"
    await join_arena(any_store, "carol")
    backfill, carol = sorted(await waiting(any_store), key=lambda ticket: ticket.backfill is None)
    pending = await commit(any_store, "m2", rules, [[backfill, carol], []])
    assert pending is not None
    await change(any_store, "m1", Finished(Result({"side-1": 1, "side-2": 2})))
    for _ in range(2):
        await relay(any_store, pending)
    assert await told(any_store, "carol") == [MATCH_READY, MATCH_CANCELLED]
    (back,) = await waiting(any_store)
    assert (back.players[0].id, back.enqueued) == ("carol", carol.enqueued)


@pytest.mark.parametrize("kind", [Accept, Decline])
async def test_a_process_may_die_at_any_call_of_a_change(any_store: Store, kind: type[Accept] | type[Decline]) -> None:
    """Every prefix of the store's calls is what a killed process leaves behind; others finish it."""
    survived = []
    for calls in range(14):
        await matched(any_store, f"m{calls}", arena(**SERVED), [f"alice{calls}"], [f"bob{calls}"])
        await change(any_store, f"m{calls}", Accept(f"alice{calls}"))
        survived.append(await _dies_after(any_store, calls, f"m{calls}", kind(f"bob{calls}")))
    assert not survived[5]
    assert survived[-1]
    left = set(range(14))
    async with asyncio.timeout(30):
        while left:
            await pass_time(any_store)
            for n in list(left):
                read = await any_store.session_read(f"m{n}")
                assert read.session is not None
                if read.session.status == "proposed":
                    await change(any_store, f"m{n}", kind(f"bob{n}"))  # it never arrived, and the client repeats it
                elif not read.pending:
                    left.remove(n)
            await asyncio.sleep(0.05)
    await pass_time(any_store)
    queue = [ticket.players[0].id for ticket in await waiting(any_store)]
    for n in range(14):
        expected = SESSION_UPDATE if kind is Accept else MATCH_CANCELLED
        assert await told(any_store, f"alice{n}") == await told(any_store, f"bob{n}") == [MATCH_READY, expected]
        assert queue.count(f"alice{n}") == (0 if kind is Accept else 1)
        assert queue.count(f"bob{n}") == 0


async def _dies_after(store: Store, calls: int, match: str, event: Accept | Decline) -> bool:
    """Whether the change came to its end within so many calls of the store."""
    left = itertools.count(calls, -1)

    async def dead(*_: object, **__: object) -> None:
        raise StoreUnavailableError("killed")

    class Mortal:
        def __getattr__(self, name: str):
            return dead if next(left) <= 0 else getattr(store, name)

    try:
        await change(Mortal(), match, event)  # type: ignore[arg-type]
    except StoreUnavailableError:
        return False
    return True
