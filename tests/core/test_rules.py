"""Each rule by example: what it admits, what it blocks, and that as a preference it only chooses."""

from random import Random
from typing import Any

import pytest

from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules
from matchmaking.core.queue import QueueView
from matchmaking.core.round import Round
from matchmaking.core.ticket import Ticket
from support.strategies import NOW, lone, party, rules_of


def play(rules: PoolRules, *tickets: Ticket, **view: Any) -> Round:
    return find_matches(QueueView(tickets, **view), rules, NOW, Random(1))


def meet(spec: dict[str, Any], a: dict[str, Any], b: dict[str, Any], **pool: Any) -> bool:
    """Whether two lone players meet under one rule."""
    return bool(play(rules_of(rules=[{"name": "it", **spec}], **pool), lone("a", **a), lone("b", **b)).matches)


def has(**attributes: Any) -> dict[str, Any]:
    return {"attributes": attributes}


CASES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], bool]] = [
    ({"type": "distance", "maxDistance": 10}, {"rating": 0.0}, {"rating": 10.0}, True),
    ({"type": "distance", "maxDistance": 10}, {"rating": 0.0}, {"rating": 10.5}, False),
    ({"type": "distance", "maxDistance": 10, "uncertainty": 1}, {"rating": 0.0, "sigma": 5.0}, {"rating": 15.0, "sigma": 5.0}, True),
    ({"type": "distance", "maxDistance": 10, "uncertainty": 1}, {"rating": 0.0, "sigma": 5.0}, {"rating": 15.0, "sigma": 4.0}, False),
    ({"type": "distance", "attribute": "level", "maxDistance": 1}, has(level=1.0), has(level=3.0), False),
    ({"type": "teamDistance", "maxDistance": 10}, {"rating": 0.0}, {"rating": 11.0}, False),
    ({"type": "comparison", "attribute": "os"}, has(os="a"), has(os="a"), True),
    ({"type": "comparison", "attribute": "os"}, has(os="a"), has(os="b"), False),
    ({"type": "comparison", "attribute": "os", "operator": "!="}, has(os="a"), has(os="a"), False),
    ({"type": "comparison", "attribute": "os", "operator": "!=", "value": "c"}, has(os="a"), has(os="b"), True),
    ({"type": "comparison", "attribute": "n", "operator": ">=", "value": 2}, has(n=2.0), has(n=3.0), True),
    ({"type": "comparison", "attribute": "n", "operator": "<", "value": 3}, has(n=2.0), has(n=3.0), False),
    ({"type": "intersection", "attribute": "maps"}, has(maps=["x", "y"]), has(maps=["y", "z"]), True),
    ({"type": "intersection", "attribute": "maps", "minCount": 2}, has(maps=["x", "y"]), has(maps=["y", "z"]), False),
    ({"type": "latency", "maxLatencyMs": 80}, {"latency": {"eu": 80.0}}, {"latency": {"eu": 20.0}}, True),
    ({"type": "latency", "maxLatencyMs": 80}, {"latency": {"eu": 81.0}}, {"latency": {"eu": 20.0}}, False),
    ({"type": "latency", "maxLatencyMs": 80}, {"latency": {"us": 10.0}}, {"latency": {"eu": 20.0}}, False),
    ({"type": "latency", "maxLatencyMs": 80, "onMissing": "ignore"}, {}, {"latency": {"eu": 20.0}}, True),
    ({"type": "latency", "maxLatencyMs": 80, "maxSpreadMs": 30}, {"latency": {"eu": 20.0}}, {"latency": {"eu": 51.0}}, False),
    ({"type": "avoidRecentOpponents"}, {"recent": ("b",)}, {}, False),
    ({"type": "avoidRecentOpponents", "lastMatches": 1}, {"recent": ("c", "b")}, {}, True),
    ({"type": "avoidRecentOpponents"}, {"recent": ("b",)}, {"age": 60.0}, True),
    ({"type": "blocklist"}, {}, {"blocked": ("a",)}, False),
]


@pytest.mark.parametrize(("spec", "a", "b", "expected"), CASES)
def test_a_rule_admits_and_blocks(spec: dict[str, Any], a: dict[str, Any], b: dict[str, Any], expected: bool) -> None:
    assert meet(spec, a, b) == expected
    assert meet({**spec, "weight": 1}, a, b), "a preference never keeps anybody waiting"


def test_a_preference_chooses() -> None:
    rules = rules_of(rules=[{"name": "maps", "type": "intersection", "attribute": "maps", "weight": 5}])
    want = {"a": "x", "b": "y", "c": "x", "d": "y"}
    found = play(rules, *(lone(name, 1500.0 + i, attributes={"maps": [wish]}) for i, (name, wish) in enumerate(want.items())))
    assert {frozenset(t.id[-1] for t in match.tickets) for match in found.matches} == {frozenset("ac"), frozenset("bd")}
    assert all(match.quality == 1.0 for match in found.matches)


def test_a_comparison_can_concern_one_team_alone() -> None:
    rules = rules_of(
        teams=[{"name": "monster"}, {"name": "hunters", "minPlayers": 2, "maxPlayers": 2}],
        rules=[{"name": "big", "type": "comparison", "attribute": "level", "operator": ">=", "value": 30, "teams": ["monster"]}],
    )
    found = play(rules, lone("a", attributes={"level": 1.0}), lone("b", attributes={"level": 40.0}), lone("c"))
    assert [t.id for t in found.matches[0].teams[0].tickets] == ["t-b"]


def test_the_match_average_and_the_team_average_are_different_centers() -> None:
    shape = {"teams": [{"name": "side", "quantity": 2, "minPlayers": 2, "maxPlayers": 2}]}
    tickets = [lone(name, rating) for name, rating in (("a", 1000.0), ("b", 1010.0), ("c", 2000.0), ("d", 2010.0))]
    rule = {"name": "skill", "type": "distance", "maxDistance": 20}
    assert not play(rules_of(rules=[rule], **shape), *tickets).matches
    found = play(rules_of(rules=[{**rule, "around": "team"}], **shape), *tickets)
    assert {frozenset(t.id for t in team.tickets) for team in found.matches[0].teams} == {
        frozenset({"t-a", "t-b"}),
        frozenset({"t-c", "t-d"}),
    }


def test_parties_meet_parties() -> None:
    shape = {"teams": [{"name": "side", "quantity": 2, "minPlayers": 2, "maxPlayers": 2}], "party": {"maxSize": 2}}
    rule = {"name": "parties", "type": "party", "maxSizeDifference": 0}
    tickets = [party("ab", 1500.0, 1500.0, age=5), lone("c"), lone("d")]
    assert len(play(rules_of(**shape), *tickets).matches) == 1
    assert not play(rules_of(rules=[rule], **shape), *tickets).matches
    assert len(play(rules_of(rules=[rule], **shape), *tickets, party("ef", 1400.0, 1600.0)).matches) == 1


@pytest.mark.parametrize(("how", "expected"), [("average", 1), ("max", 0), ("min", 1)])
def test_a_partys_rating_is_made_as_the_pool_says(how: str, expected: int) -> None:
    rules = rules_of(
        teams=[{"name": "side", "quantity": 2, "minPlayers": 2, "maxPlayers": 2}],
        party={"maxSize": 2, "ratingAggregation": how},
        rules=[{"name": "skill", "type": "distance", "maxDistance": 100}],
    )
    other = 1500.0 if how != "min" else 1400.0
    assert len(play(rules, party("ab", 1400.0, 1700.0 - 100 * (how == "average")), party("cd", other, other)).matches) == expected


def test_large_teams_fill_where_most_is_missing() -> None:
    rules = rules_of(teams=[{"name": "few", "minPlayers": 5, "maxPlayers": 30}, {"name": "many", "minPlayers": 20, "maxPlayers": 30}])
    found = play(rules, *(lone(f"x{i}", 1500.0 + i) for i in range(35)))
    assert [len(team.tickets) for team in found.matches[0].teams] == [12, 23] or sum(
        len(team.tickets) for team in found.matches[0].teams
    ) == 35
    assert not play(rules, *(lone(f"x{i}", 1500.0 + i) for i in range(24))).matches
    exact = play(rules, *(lone(f"x{i}", 1500.0 + i) for i in range(25)))
    assert [len(team.tickets) for team in exact.matches[0].teams] == [5, 20]


def test_a_royale_of_two_hundred() -> None:
    rules = rules_of(teams=[{"name": "squad", "quantity": 50, "minPlayers": 2, "maxPlayers": 4}], party={"maxSize": 4})
    tickets = [party(f"g{i}", *([1500.0 + i] * (i % 4 + 1))) for i in range(100)]
    found = play(rules, *tickets)
    assert sum(len(t.players) for t in found.matches[0].tickets) >= 190
