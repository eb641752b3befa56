"""The session's table and its steps: pure, no store."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.core import session_events as on
from matchmaking.core.round import Match, TeamResult
from matchmaking.core.session import OVER, TABLE, Arrival, Result, Seat, Session, SessionTableError, diagram, opened, target
from matchmaking.core.session_effects import Ask, Dismiss, Effect, GiveBack, Tell
from matchmaking.core.session_step import ATTEMPTS, step
from matchmaking.core.ticket import Player, Ticket
from support.session_events import PLAYER_EVENTS, SERVER_EVENTS
from support.strategies import rules_of

NOW = 1_900_000_000.0
LADDER = {"required": True, "timeout": "20s", "cooldowns": ["30s", "5m"]}


def session_of(sizes: tuple[tuple[int, ...], ...] = ((1,), (1,)), **spec: Any) -> Session:
    """A session of teams of parties of these sizes."""
    number = iter(range(1000))
    teams = []
    for i, team in enumerate(sizes):
        tickets = []
        for size in team:
            players = tuple(Player(f"p{next(number)}") for _ in range(size))
            tickets.append(Ticket(f"t{players[0].id}", "eu", "ranked", players, NOW - 40))
        teams.append(TeamResult(f"side-{i + 1}", tuple(tickets)))
    largest = max(sum(team) for team in sizes)
    rules = rules_of(
        teams=[{"name": "side", "quantity": len(sizes), "maxPlayers": largest}],
        party={"maxSize": largest},
        **({"acceptance": LADDER} | spec),
    )
    found = opened("m1", "arena", Match(tuple(teams), "eu"), rules, NOW)
    assert isinstance(found, Session)
    return found


def accepted(session: Session, *but: str) -> Session:
    for seat in session.seats:
        if seat.player not in but:
            session = step(session, on.Accept(seat.player), NOW + 1).session
    return session


def playing(**spec: Any) -> Session:
    session = accepted(session_of(allocation={"type": "webhook"}, **spec))
    for event in (on.Attempt(), on.Allocated('{"address":"10.0.0.1","port":7777}'), on.Reported()):
        session = step(session, event, NOW + 2).session
    assert session.status == "active"
    return session


def test_where_a_match_begins() -> None:
    assert session_of().status == "proposed"
    assert session_of(acceptance={}, allocation={"type": "webhook"}).status == "accepted"
    simple = session_of(acceptance={})
    assert (simple.status, simple.holds, simple.next_look(NOW)) == ("active", False, None)


def test_everybody_accepts() -> None:
    session = session_of()
    first = step(session, on.Accept("p0"), NOW + 1)
    assert (first.answer, first.session.status, first.effects) == ("ok", "proposed", ())
    assert step(first.session, on.Accept("p0"), NOW + 1).session == first.session, "again"
    last = step(first.session, on.Accept("p1"), NOW + 2)
    assert last.session.status == "active"
    assert not last.session.holds, "nobody would ever tell us of its end"
    (told,) = last.effects
    assert isinstance(told, Tell)
    assert (told.then, set(told.players)) == ("free", {"p0", "p1"})
    assert step(accepted(session_of(allocation={"type": "webhook"})), on.Due(), NOW + 3).answer == "not_due"


def test_accepting_too_late_or_for_others() -> None:
    session = session_of()
    assert step(session, on.Accept("p0"), NOW + 20.001).answer == "too_late"
    assert step(session, on.Accept("stranger"), NOW).answer == "not_yours"
    assert step(session, on.Decline("stranger"), NOW).answer == "not_yours"
    declined = step(session, on.Decline("p1"), NOW + 1).session
    assert step(declined, on.Accept("p0"), NOW + 1).answer == "too_late"
    assert step(declined, on.Decline("p1"), NOW + 1).answer == "ok", "again"
    assert step(declined, on.Decline("p0"), NOW + 1).answer == "too_late"


def test_one_of_ten_declines_and_nine_go_back_as_old_as_they_were() -> None:
    session = session_of(((1,) * 5, (1,) * 5))
    done = step(accepted(session, "p9"), on.Decline("p9"), NOW + 3)
    assert done.session.status == "cancelled"
    back = [effect for effect in done.effects if isinstance(effect, GiveBack)]
    gone = [effect for effect in done.effects if isinstance(effect, Dismiss)]
    assert len(back) == 9
    assert {effect.ticket.enqueued for effect in back} == {NOW - 40}
    assert {effect.ticket.head_start for effect in back} == {30.0}
    assert not {effect.ticket.id for effect in back} & {ticket.id for ticket in session.tickets}, "ids are never used again"
    assert [(effect.player, effect.penalty) for effect in gone] == [("p9", (30.0, 300.0))]


def test_a_party_stays_whole_and_only_its_decliner_pays() -> None:
    done = step(session_of(((2,), (1, 1))), on.Decline("p1"), NOW + 3)
    assert [effect.ticket.id[-12:] for effect in done.effects if isinstance(effect, GiveBack)] != []
    assert {effect.player: effect.penalty for effect in done.effects if isinstance(effect, Dismiss)} == {"p0": (), "p1": (30.0, 300.0)}


def test_who_does_not_answer_pays_unless_it_is_our_fault() -> None:
    session = accepted(session_of(), "p1")
    on_time, late = step(session, on.Due(), NOW + 20.5), step(session, on.Due(), NOW + 60)
    assert [type(effect) for effect in on_time.effects] == [GiveBack, Dismiss]
    assert [type(effect) for effect in late.effects] == [GiveBack, GiveBack]


def test_who_was_cut_off_by_our_own_fault_goes_back_once_and_never_pays() -> None:
    session = accepted(session_of(((1, 1), (1, 1))), "p1", "p2", "p3")
    done = step(session, on.Due({"p1": NOW + 5, "p2": NOW - 5}), NOW + 20.5)
    assert {effect.old for effect in done.effects if isinstance(effect, GiveBack)} == {"tp0", "tp1"}
    assert {effect.player: effect.penalty for effect in done.effects if isinstance(effect, Dismiss)} == {"p2": (), "p3": (30.0, 300.0)}


def test_attempts_to_find_a_server_have_pauses_and_an_end() -> None:
    session = accepted(session_of(allocation={"type": "webhook"}))
    now, attempts = NOW + 1.0, 0
    while session.status in ("accepted", "allocating"):
        begun = step(session, on.Attempt(), now)
        assert begun.answer == "ok"
        assert step(begun.session, on.Attempt(), now + 1).answer == "not_due", "somebody else would ask, too"
        attempts += 1
        done = step(begun.session, on.Unallocated(), now)
        session = done.session
        now = session.due.get("attempt", now)
    assert (attempts, session.status, session.reason) == (ATTEMPTS, "cancelled", "allocation_failed")
    assert all(isinstance(effect, GiveBack) for effect in done.effects)


def test_nobody_takes_up_the_allocation() -> None:
    done = step(accepted(session_of(allocation={"type": "webhook"})), on.Due(), NOW + 32)
    assert (done.session.status, {type(effect) for effect in done.effects}) == ("cancelled", {GiveBack})


def test_the_connection_comes_with_ready_and_goes_with_the_end() -> None:
    session = accepted(session_of(allocation={"type": "webhook"}))
    ready = step(step(session, on.Attempt(), NOW + 1).session, on.Allocated('{"address":"10.0.0.1","port":7777}'), NOW + 2)
    (told,) = ready.effects
    assert isinstance(told, Tell)
    assert told.state == {"status": "ready", "connection": {"address": "10.0.0.1", "port": 7777}}
    outage = step(ready.session, on.Due(), NOW + 60)
    assert (outage.session.status, outage.session.due["ready"], outage.effects) == ("ready", NOW + 90, ()), "it may have spoken to nobody"
    silent = step(ready.session, on.Due(), NOW + 33)
    assert (silent.session.status, {type(effect) for effect in silent.effects}) == ("cancelled", {GiveBack})


def test_a_result_counts_once() -> None:
    result = Result({"side-1": 1, "side-2": 2})
    done = step(playing(), on.Finished(result), NOW + 60)
    assert (done.answer, done.session.status) == ("ok", "completed")
    assert step(done.session, on.Finished(result), NOW + 61).effects == ()
    assert step(done.session, on.Finished(result), NOW + 61).answer == "ok"
    assert step(done.session, on.Finished(Result({"side-1": 2, "side-2": 1})), NOW + 61).answer == "contradiction"
    assert step(session_of(), on.Finished(result), NOW).answer == "not_playing"
    assert step(step(playing(), on.Cancel(), NOW).session, on.Finished(result), NOW).answer == "over"


def test_leavers_have_a_grace() -> None:
    session = step(playing(), on.Gone("p0"), NOW + 10).session
    assert step(session, on.Due(), NOW + 69).answer == "not_due"
    back = step(session, on.Returned("p0"), NOW + 60).session
    assert "grace" not in back.due
    outage = step(session, on.Due(), NOW + 90)
    assert (outage.session.players, outage.session.due["grace"]) == (("p0", "p1"), NOW + 150), "nobody could be told that p0 is back"
    left = step(session, on.Due(), NOW + 70)
    assert left.session.players == ("p1",)
    assert step(left.session, on.Returned("p0"), NOW + 71).answer == "too_late"
    empty = step(step(left.session, on.Gone("p1"), NOW + 80).session, on.Due(), NOW + 140)
    assert empty.session.status == "abandoned"


def test_a_session_that_lost_a_player_asks_for_another_one() -> None:
    session = step(playing(backfill={"mode": "auto", "minRemaining": "1m"}), on.Gone("p0"), NOW + 10).session
    left = step(session, on.Due(), NOW + 70)
    asked = next(effect for effect in left.effects if isinstance(effect, Ask))
    assert asked.ticket.backfill is not None
    assert {team: [player.id for player in players] for team, players in asked.ticket.backfill.teams.items()} == {
        "side-1": [],
        "side-2": ["p1"],
    }
    newcomer = Ticket("t-new", "eu", "ranked", (Player("new"),), NOW)
    arrival = Arrival("m1", asked.ticket.id, (Seat("new", "side-1", "t-new"),), (newcomer,))
    come = step(left.session, arrival, NOW + 75)
    assert (set(come.session.players), come.session.filling) == ({"p1", "new"}, "")
    assert step(come.session, arrival, NOW + 76).effects == ()
    over = step(step(left.session, on.CalledOff(), NOW + 74).session, arrival, NOW + 75)
    assert [type(effect) for effect in over.effects] == [GiveBack]
    assert step(over.session, arrival, NOW + 80).effects == (), "a second time would be a second ticket"


def test_the_table_is_complete_and_its_ends_are_ends() -> None:
    for row in TABLE:
        assert not set(row.sources) & OVER
        assert all(target(row.event, source) == row.target for source in row.sources)
        with pytest.raises(SessionTableError):
            target(row.event, "completed")
    assert diagram().count("-->") == sum(max(1, len(row.sources)) for row in TABLE) + len(OVER)


EVENTS: list[Any] = [*(kind(player) for kind in PLAYER_EVENTS for player in ("p0", "p1", "stranger")), *SERVER_EVENTS]


@given(
    st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from([0.0, 0.1, 5.0, 21.0, 61.0, 3000.0])), max_size=25),
    st.sampled_from(["none", "webhook"]),
    st.booleans(),
    st.sampled_from(["auto", "manual", "off"]),
)
def test_whatever_happens_the_table_is_never_left(events: list[tuple[Any, float]], kind: str, check: bool, backfill: str) -> None:
    moves = {(source, row.target) for row in TABLE for source in row.sources}
    session = session_of(acceptance=LADDER if check else {}, allocation={"type": kind}, backfill={"mode": backfill})
    now, ended = NOW, list[Effect]()
    for event, pause in events:
        now += pause
        before = session
        done = step(session, event, now)
        session = msgspec.json.decode(msgspec.json.encode(done.session), type=Session)
        assert session == done.session, "it survives the store"
        hops = {before.status, session.status}
        skips = (before.status, session.status) == ("proposed", "active")  # by way of `accepted`, in one step
        assert len(hops) == 1 or (before.status, session.status) in moves or skips
        assert not (before.over and done.effects)
        assert not session.over or session.next_look(now) is None
        again = step(session, event, now)
        if not isinstance(event, on.Due | on.Attempt | on.Unallocated):
            assert again.session == session, "an event that comes again changes nothing"
            assert again.effects == ()
        if session.over and not before.over:
            ended += done.effects
    if session.status == "cancelled":
        touched = [e.old if isinstance(e, GiveBack) else e.ticket for e in ended if isinstance(e, GiveBack | Dismiss)]
        assert len(touched) == len(set(touched)), "no ticket has two ends"
