"""What every round holds, whatever the pool and the queue."""

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from matchmaking.core.candidate import empty_sides
from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules
from matchmaking.core.queue import QueueView
from matchmaking.core.round import Round
from matchmaking.core.ticket import Ticket
from support.match_checker import faults
from support.strategies import NOW, backfill, lone, players, pools, queues, rules_of

WINDOW = [{"name": "skill", "type": "distance", "maxDistance": 100}]


def play(rules: PoolRules, tickets: list[Ticket], now: float = NOW, **view: Any) -> Round:
    return find_matches(QueueView(tickets, **view), rules, now, Random(1))


def ids(found: Round) -> set[frozenset[str]]:
    return {frozenset(ticket.id for ticket in match.tickets) for match in found.matches}


def hold(rules: PoolRules, tickets: list[Ticket]) -> None:
    """The invariants of a round."""
    found = play(rules, tickets)
    matched = [ticket.id for match in found.matches for ticket in match.tickets]
    assert len(matched) == len(set(matched)), "somebody is matched twice"
    assert sorted([*matched, *found.reasons, *found.poisoned]) == sorted(ticket.id for ticket in tickets), "somebody is lost"
    for match in found.matches:
        assert faults(match, rules, NOW) == []
        assert 0.0 <= match.quality <= 1.0
        assert abs(sum(team.win_chance for team in match.teams) - 1.0) < 1e-9
    for ticket in found.reasons:
        reason = found.reasons[ticket]
        assert reason.rule
        assert reason.next_change is None or reason.next_change >= 0
    again = play(rules, tickets[::-1])
    assert list(again.matches) == list(found.matches), "the order of arrival in memory changed the outcome"
    assert dict(again.reasons) == dict(found.reasons)


DUEL = [{"name": "side", "quantity": 2}]
UNLIKE = [{"name": "hunter", "roles": [{"name": "tank", "max": 1}]}, {"name": "prey"}]


@given(rules=st.sampled_from([DUEL, UNLIKE]).flatmap(pools), tickets=queues())
def test_duels_hold_the_invariants(rules: PoolRules, tickets: list[Ticket]) -> None:
    hold(rules, tickets)


TEAMS = {
    "2v2": [{"name": "side", "quantity": 2, "minPlayers": 2, "maxPlayers": 2}],
    "3v3 with roles": [
        {
            "name": "side",
            "quantity": 2,
            "minPlayers": 3,
            "maxPlayers": 3,
            "roles": [{"name": "tank", "min": 1, "max": 1}, {"name": "healer", "max": 2}],
        }
    ],
    "1v3": [{"name": "boss"}, {"name": "raid", "minPlayers": 3, "maxPlayers": 3}],
    "3x2": [{"name": "side", "quantity": 3, "minPlayers": 2, "maxPlayers": 2}],
    "2-4 together": [{"name": "crew", "minPlayers": 2, "maxPlayers": 4}],
    "1-3 each": [{"name": "side", "quantity": 2, "minPlayers": 2, "maxPlayers": 3}],
    "royale": [{"name": "squad", "quantity": 15, "minPlayers": 1, "maxPlayers": 2}],
}


@given(data=st.data(), shape=st.sampled_from(sorted(TEAMS)))
def test_teams_hold_the_invariants(data: st.DataObject, shape: str) -> None:
    largest = min(3, max(team.get("maxPlayers", 1) for team in TEAMS[shape]))
    hold(data.draw(pools(TEAMS[shape], party={"maxSize": largest})), data.draw(queues(largest)))


NEIGHBOURS = [{"name": "eu", "neighbors": ["us"], "spillAfter": "20s"}, {"name": "us", "neighbors": ["eu"], "spillAfter": "61s"}]


@given(data=st.data(), shape=st.sampled_from(["2v2", "1v3", "1-3 each", "3v3 with roles"]))
def test_neighbours_and_running_matches_hold_the_invariants(data: st.DataObject, shape: str) -> None:
    rules = data.draw(pools(TEAMS[shape], party={"maxSize": 2}, regions=NEIGHBOURS))
    tickets = data.draw(queues(2, most=10, regions=("eu", "us")))
    names = [side.name for side in empty_sides(rules)]
    for i in range(data.draw(st.integers(0, 2))):
        there = {name: tuple(data.draw(players(f"m{i}{name}{k}")) for k in range(data.draw(st.integers(0, 2)))) for name in names}
        if all(len(there[side.name]) <= side.kind.max_players for side in empty_sides(rules)):
            tickets.append(backfill(f"run{i}", there, data.draw(st.sampled_from([0.0, 15.0, 70.0]))))
    hold(rules, tickets)
    for match in play(rules, tickets).matches:
        for ticket in match.tickets:
            home = rules.region(ticket.region)
            assert home is not None
            assert match.region == home.name or (match.region in home.neighbors and ticket.age(NOW) >= home.spill_after)


def test_two_within_the_window_meet_and_two_outside_do_not() -> None:
    rules = rules_of(rules=WINDOW)
    assert ids(play(rules, [lone("a", 1500), lone("b", 1600)])) == {frozenset({"t-a", "t-b"})}
    found = play(rules, [lone("a", 1500), lone("b", 1601)])
    assert not found.matches
    assert found.reasons["t-a"].rule == "skill"
    assert found.reasons["t-a"].blocked == {"skill": 1}


def test_the_oldest_tickets_window_counts() -> None:
    rules = rules_of(rules=WINDOW, expansions={"steps": [{"target": "skill.maxDistance", "after": "15s", "value": 200}]})
    found = play(rules, [lone("a", 1500, age=14), lone("b", 1700)])
    assert not found.matches
    assert found.reasons["t-a"].windows == {"skill.maxDistance": 100}
    assert found.reasons["t-a"].next_change == 1.0
    assert len(play(rules, [lone("a", 1500, age=15), lone("b", 1700)]).matches) == 1
