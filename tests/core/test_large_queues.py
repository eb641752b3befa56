"""Rounds over columns hold what small rounds hold, and change with the queue."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matchmaking.core import matching
from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules
from matchmaking.core.queue import QueueView
from matchmaking.core.round import Round
from matchmaking.core.ticket import Player, Ticket
from support.match_checker import faults
from support.strategies import NOW, backfill, lone, pools, queues, rules_of

SHAPES = {
    "1v1": [{"name": "side", "quantity": 2}],
    "hunt": [{"name": "hunter", "roles": [{"name": "tank", "max": 1}]}, {"name": "prey"}],
    "pair": [{"name": "crew", "minPlayers": 2, "maxPlayers": 2}],
    "2v2": [{"name": "side", "quantity": 2, "minPlayers": 2, "maxPlayers": 2}],
    "3x2": [{"name": "side", "quantity": 3, "minPlayers": 2, "maxPlayers": 2}],
    "3v3 with roles": [{"name": "side", "quantity": 2, "minPlayers": 3, "maxPlayers": 3, "roles": [{"name": "tank", "min": 1}]}],
}


@pytest.fixture(autouse=True)
def columns_at_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "LARGE", 0)


def hold(view: QueueView, rules: PoolRules, now: float = NOW) -> Round:
    found = find_matches(view, rules, now, Random(3))
    matched = [ticket.id for match in found.matches for ticket in match.tickets]
    assert len(matched) == len(set(matched)), "somebody is matched twice"
    assert sorted([*matched, *found.reasons, *found.poisoned]) == sorted(ticket.id for ticket in view), "somebody is lost"
    assert len(found.reasons) == len(list(found.reasons))
    for match in found.matches:
        assert faults(match, rules, now) == []
    for ticket in found.reasons:
        assert found.reasons[ticket].rule
    again = find_matches(view, rules, now, Random(3))
    assert again.matches == found.matches
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), shape=st.sampled_from(sorted(SHAPES)))
def test_columns_hold_the_invariants(data: st.DataObject, shape: str) -> None:
    largest = min(3, max(team.get("maxPlayers", 1) for team in SHAPES[shape]))
    rules = data.draw(pools(SHAPES[shape], party={"maxSize": largest}))
    hold(QueueView(data.draw(queues(largest, most=20))), rules)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changes_are_merged_as_if_the_view_were_new(data: st.DataObject) -> None:
    rules = data.draw(pools(SHAPES["1v1"]))
    tickets = data.draw(queues(most=20))
    view = QueueView(tickets[::2])
    hold(view, rules)
    for ticket in data.draw(st.lists(st.sampled_from(tickets), max_size=8)) if tickets else ():
        if ticket.id in view:
            view.remove(ticket.id)
        else:
            view.add(ticket)
    kept = hold(view, rules)
    fresh = hold(QueueView(list(view)), rules)
    assert len(kept.matches) == len(fresh.matches)


def crowd(count: int, seed: int = 1, spread: float = 350.0) -> list[Ticket]:
    random = Random(seed)
    return [lone(f"c{i}", random.gauss(1500, spread), age=random.random() * 60) for i in range(count)]


WIDENING = {
    "rules": [{"name": "skill", "type": "distance", "maxDistance": 20}],
    "expansions": {"steps": [{"target": "skill.maxDistance", "every": "10s", "by": 20, "limit": 80}]},
}


def test_a_dense_crowd_is_matched_to_the_last() -> None:
    found = hold(QueueView(crowd(5000)), rules_of(**WIDENING))
    assert len(found.matches) >= 2490


@pytest.mark.parametrize("spread", [350.0, 20_000.0, 200_000.0])
def test_columns_find_as_many_pairs_as_the_small_way(spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rules, tickets = rules_of(**WIDENING), crowd(1500, spread=spread)
    large = len(hold(QueueView(tickets), rules).matches)
    monkeypatch.setattr(matching, "LARGE", 10_000)
    small = len(find_matches(QueueView(tickets), rules, NOW, Random(1)).matches)
    assert large >= 0.995 * small


def test_rules_without_a_column_are_asked_about_pairs() -> None:
    rules = rules_of(rules=[*WIDENING["rules"], {"name": "blocks", "type": "blocklist"}])
    names = [f"p{i}" for i in range(400)]
    random = Random(5)
    tickets = [lone(name, 1500 + random.random() * 200, blocked=tuple(random.sample(names, 100))) for name in names]
    found = hold(QueueView(tickets), rules)
    assert len(found.matches) >= 190


def test_a_running_match_gets_its_player_first() -> None:
    rules = rules_of(**WIDENING)
    running = backfill("running", {"side-1": (Player("there", 1500.0),)}, age=10)
    found = hold(QueueView([*crowd(3000), running]), rules)
    match = next(match for match in found.matches if running in match.tickets)
    assert len(match.tickets) == 2


def test_a_lost_round_can_be_read_after_the_queue_has_moved_on() -> None:
    tickets = crowd(101)
    view = QueueView(tickets)
    found = find_matches(view, rules_of(**WIDENING), NOW, Random(1))
    before = list(found.matches)
    for ticket in tickets[:90]:
        view.remove(ticket.id)
    view.add(lone("new", 1500))
    assert list(found.matches) == before
    assert all(found.reasons[ticket].rule for ticket in found.reasons)


LANGUAGES = [{"name": "tongue", "type": "comparison", "attribute": "tongue"}]
SPOKEN = {"steps": [{"target": "tongue", "after": "30s", "disable": True}]}


def speakers(count: int, languages: int, age: float = 0.0) -> list[Ticket]:
    random = Random(4)
    return [lone(f"x{i}", random.gauss(1500, 300), age, attributes={"tongue": f"l{i % languages}"}) for i in range(count)]


@pytest.mark.parametrize("small", [True, False])
def test_what_must_be_equal_divides_the_queue(small: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "LARGE", 10_000 if small else 0)
    duel, trios = (
        rules_of(rules=LANGUAGES),
        rules_of(rules=LANGUAGES, teams=[{"name": "t", "quantity": 2, "minPlayers": 3, "maxPlayers": 3}]),
    )
    assert len(hold(QueueView(speakers(1000, 100)), duel).matches) == 500
    assert len(hold(QueueView(speakers(1200, 50)), trios).matches) == 200


@pytest.mark.parametrize("small", [True, False])
def test_and_no_longer_divides_it_once_it_gives_way(small: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "LARGE", 10_000 if small else 0)
    rules = rules_of(rules=LANGUAGES, expansions=SPOKEN)
    assert len(hold(QueueView(speakers(300, 100)), rules).matches) == 100
    assert len(hold(QueueView(speakers(300, 100, age=30.0)), rules).matches) == 150


def test_slow_connections_do_not_spoil_the_matches_of_others() -> None:
    rules = rules_of(
        teams=[{"name": "t", "quantity": 2, "minPlayers": 5, "maxPlayers": 5}],
        rules=[{"name": "ping", "type": "latency", "maxLatencyMs": 80}],
    )
    random = Random(4)
    tickets = [lone(f"x{i}", random.gauss(1500, 300), latency={"eu": 200.0 if i % 4 == 0 else 20.0}) for i in range(2000)]
    assert len(hold(QueueView(tickets), rules).matches) == 150


def test_partners_of_rare_wishes_are_found_beyond_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "LARGE", 10_000)
    rules = rules_of(rules=[{"name": "maps", "type": "intersection", "attribute": "maps"}])
    random = Random(4)
    tickets = [lone(f"x{i}", random.gauss(1500, 300), attributes={"maps": [f"m{i % 40}"]}) for i in range(400)]
    assert len(hold(QueueView(tickets), rules).matches) >= 190


@pytest.mark.parametrize(
    ("rule", "teams", "matches"),
    [
        ({"type": "distance", "maxDistance": 10, "around": "team"}, [{"name": "crew", "minPlayers": 2, "maxPlayers": 2}], 0),
        ({"type": "distance", "maxDistance": 10, "around": "team"}, [{"name": "side", "quantity": 2}], 1),
        ({"type": "teamDistance", "maxDistance": 10}, [{"name": "crew", "minPlayers": 2, "maxPlayers": 2}], 1),
        ({"type": "teamDistance", "maxDistance": 10}, [{"name": "side", "quantity": 2}], 0),
    ],
)
def test_two_in_one_team_are_not_two_teams(rule: dict[str, object], teams: list[dict[str, object]], matches: int) -> None:
    rules = rules_of(rules=[{"name": "it", **rule}], teams=teams)
    assert len(hold(QueueView([lone("a", 1500.0), lone("b", 1550.0)]), rules).matches) == matches
