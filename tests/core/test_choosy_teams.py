"""Teams that look at who plays in them: rare roles are found, counts and sizes hold, and what cannot come out is given up soon."""

from random import Random
from typing import Any

import pytest

from matchmaking.core import teams
from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules
from matchmaking.core.queue import QueueView
from matchmaking.core.round import Round
from matchmaking.core.ticket import Ticket
from support.match_checker import faults
from support.strategies import NOW, lone, party, rules_of

ROLES = [{"name": "tank", "min": 1, "max": 1}, {"name": "healer", "min": 1, "max": 1}, {"name": "damage", "min": 3, "max": 3}]
FIVES: dict[str, Any] = {
    "teams": [{"name": "side", "quantity": 2, "minPlayers": 5, "maxPlayers": 5, "roles": ROLES}],
    "party": {"maxSize": 5},
}


def play(rules: PoolRules, tickets: list[Ticket]) -> Round:
    found = find_matches(QueueView(tickets), rules, NOW, Random(1))
    assert [fault for match in found.matches for fault in faults(match, rules, NOW)] == []
    return found


def crowd(count: int, weights: tuple[int, int, int], seed: int = 1) -> list[Ticket]:
    random = Random(seed)
    return [
        lone(f"p{i}", random.gauss(1500, 200), random.random() * 60, roles=tuple(random.choices(["tank", "healer", "damage"], weights)))
        for i in range(count)
    ]


@pytest.mark.parametrize(("count", "weights"), [(50, (1, 1, 3)), (100, (1, 1, 8)), (200, (1, 1, 3)), (200, (3, 1, 3))])
def test_as_many_matches_as_the_rarest_role_allows(count: int, weights: tuple[int, int, int]) -> None:
    tickets = crowd(count, weights)
    have = {role: sum(ticket.players[0].roles == (role,) for ticket in tickets) for role in ("tank", "healer", "damage")}
    possible = min(have["tank"] // 2, have["healer"] // 2, have["damage"] // 6)
    assert len(play(rules_of(**FIVES), tickets).matches) >= possible - 1


def test_rare_roles_are_found_beyond_the_nearest() -> None:
    far = [lone(f"t{i}", 2200.0 + i, roles=("tank",)) for i in range(4)] + [lone(f"h{i}", 900.0 - i, roles=("healer",)) for i in range(4)]
    near = [lone(f"d{i}", 1500.0 + i, 30.0, roles=("damage",)) for i in range(60)]
    assert len(play(rules_of(**FIVES), [*near, *far]).matches) == 2


def test_who_takes_several_roles_makes_room_for_who_takes_one() -> None:
    any_role = [lone(f"a{i}", 1500.0, 60.0) for i in range(4)]
    only = [lone(f"d{i}", 1510.0 + i, roles=("damage",)) for i in range(6)]
    assert len(play(rules_of(**FIVES), [*any_role, *only]).matches) == 1


def test_a_role_quota_gives_way_with_time() -> None:
    def spec(step: dict[str, Any]) -> PoolRules:
        return rules_of(**FIVES, expansions={"steps": [{"target": "side.healer.min", "after": "30s", "value": 0}, step]})

    def without_healers(age: float) -> list[Ticket]:
        return [lone(f"x{i}", 1500.0, age, roles=("tank" if i < 2 else "damage",)) for i in range(10)]

    more_damage = {"target": "side.damage.max", "after": "30s", "value": 4}
    assert not play(spec(more_damage), without_healers(29)).matches
    assert len(play(spec(more_damage), without_healers(30)).matches) == 1
    assert len(play(spec({"target": "side.damage", "after": "40s", "disable": True}), without_healers(40)).matches) == 1


def test_a_weighted_quota_only_chooses() -> None:
    soft = [{"name": "healer", "min": 1, "weight": 3}]
    rules = rules_of(teams=[{"name": "side", "quantity": 2, "minPlayers": 2, "maxPlayers": 2, "roles": soft}])
    tickets = [lone(f"h{i}", 1500.0 + i, roles=("healer",)) for i in range(2)] + [lone(f"x{i}", 1500.0, roles=("mage",)) for i in range(2)]
    match = play(rules, tickets).matches[0]
    assert match.quality == 1.0
    assert play(rules, [lone(f"x{i}", roles=("mage",)) for i in range(4)]).matches[0].quality < 1.0


SOME = {
    "teams": [{"name": "a", "minPlayers": 2, "maxPlayers": 6}, {"name": "b", "minPlayers": 2, "maxPlayers": 6}],
    "party": {"maxSize": 6},
}


@pytest.mark.parametrize(("difference", "sizes", "expected"), [(0, (4, 3), 0), (1, (4, 3), 7), (0, (4, 3, 1), 8), (0, (1,) * 11, 10)])
def test_teams_are_of_nearly_one_size(difference: int, sizes: tuple[int, ...], expected: int) -> None:
    rules = rules_of(**SOME, rules=[{"name": "even", "type": "teamSize", "maxDifference": difference}])
    found = play(rules, [party(f"g{i}", *[1500.0] * size) for i, size in enumerate(sizes)])
    assert sum(len(ticket.players) for match in found.matches for ticket in match.tickets) == expected


def test_large_teams_are_of_one_size_if_they_must() -> None:
    rules = rules_of(
        teams=[{"name": "side", "quantity": 2, "minPlayers": 20, "maxPlayers": 40}],
        party={"maxSize": 4},
        rules=[{"name": "even", "type": "teamSize"}],
    )
    match = play(rules, [party(f"g{i}", *[1500.0] * (1 + i % 4)) for i in range(21)]).matches[0]
    sizes = [sum(len(ticket.players) for ticket in team.tickets) for team in match.teams]
    assert sizes[0] == sizes[1] >= 20


def test_sizes_may_grow_apart_with_time() -> None:
    steps = {"steps": [{"target": "even.maxDifference", "after": "20s", "value": 1}]}
    rules = rules_of(**SOME, rules=[{"name": "even", "type": "teamSize"}], expansions=steps)
    for age, matches in ((19, 0), (20, 1)):
        assert len(play(rules, [party("x", *[1500.0] * 3, age=age), party("y", 1500.0, 1500.0)]).matches) == matches


def test_players_of_a_kind_are_counted() -> None:
    count = {"name": "snipers", "type": "count", "attribute": "kit", "value": "sniper"}
    teams = [{"name": "side", "quantity": 2, "minPlayers": 3, "maxPlayers": 3}]
    snipers = [lone(f"s{i}", 1500.0, 9.0, attributes={"kit": ["sniper", "pilot"]}) for i in range(6)]
    others = [lone(f"o{i}", 1520.0 + i, attributes={"kit": "medic"}) for i in range(6)]

    def found(**limits: Any) -> list[list[int]]:
        matches = play(rules_of(teams=teams, rules=[{**count, **limits}]), [*snipers, *others]).matches
        return [[sum(t.id.startswith("t-s") for t in team.tickets) for team in match.teams] for match in matches]

    assert [sum(counts) for counts in found(max=2)] == [2]
    assert found(max=1, teams=["side"]) == [[1, 1]]
    assert [sum(counts) for counts in found(min=3, max=3)] == [3, 3]
    assert found(min=2, max=2, teams=["side"]) == [[2, 2]]
    assert len(found(max=1, weight=1)) == 2, "a preference keeps nobody waiting"


def test_one_teams_number_is_compared_with_anothers() -> None:
    teams = [{"name": "boss"}, {"name": "raid", "minPlayers": 3, "maxPlayers": 3}]
    rule = {"name": "strong", "type": "teamComparison", "team": "boss", "operator": ">=", "otherTeam": "raid", "otherOf": "sum"}
    raid = [lone(f"r{i}", 500.0) for i in range(3)]
    assert not play(rules_of(teams=teams, rules=[rule]), [*raid, lone("b", 1499.0)]).matches
    [match] = play(rules_of(teams=teams, rules=[rule]), [*raid, lone("b", 1500.0)]).matches
    assert [ticket.id for ticket in match.teams[0].tickets] == ["t-b"]
    assert play(rules_of(teams=teams, rules=[{**rule, "weight": 1}]), [*raid, lone("b", 1.0)]).matches


def test_attributes_have_defaults() -> None:
    rules = rules_of(
        attributes=[{"name": "os", "word": "any"}, {"name": "maps", "words": ["x", "y"]}, {"name": "level", "number": 5}],
        rules=[
            {"name": "same", "type": "comparison", "attribute": "os"},
            {"name": "maps", "type": "intersection", "attribute": "maps"},
            {"name": "near", "type": "distance", "attribute": "level", "maxDistance": 1},
        ],
    )
    assert play(rules, [lone("a"), lone("b", attributes={"os": "any", "maps": ["y"], "level": 6.0})]).matches
    assert not play(rules, [lone("a"), lone("b", attributes={"os": "mac"})]).matches
    assert not play(rules, [lone("a"), lone("b", attributes={"level": 7.0})]).matches
    assert len(find_matches(QueueView(lone(f"p{i}") for i in range(3000)), rules, NOW, Random(1)).matches) == 1500


def test_the_youngest_do_not_hold_up_those_who_have_waited() -> None:
    rules = rules_of(
        teams=[{"name": "all", "minPlayers": 30, "maxPlayers": 30}],
        expansions={"ageSelection": "newest", "steps": [{"target": "all.minPlayers", "after": "10s", "value": 24}]},
    )
    waited = [lone(f"w{i}", 1500.0, 11.0) for i in range(25)]
    [match] = play(rules, [*waited, *(lone(f"y{i}", 1500.0, 1.0) for i in range(3))]).matches
    assert {ticket.id for ticket in match.tickets} == {ticket.id for ticket in waited}


def test_a_large_match_within_a_narrow_window_is_found_in_a_wide_queue() -> None:
    random = Random(1)
    rules = rules_of(
        teams=[{"name": "side", "quantity": 2, "minPlayers": 50, "maxPlayers": 50}],
        rules=[{"name": "skill", "type": "distance", "maxDistance": 20}],
    )
    assert len(play(rules, [lone(f"x{i}", random.gauss(1500, 60), random.random() * 30) for i in range(900)]).matches) >= 3


def test_a_round_ends_when_its_work_is_done_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the part that a round does, all that can be matched is matched in the end, and the longest waiting first."""
    monkeypatch.setattr(teams, "WEIGHED", 20)
    left = {ticket.id: ticket for ticket in crowd(60, (1, 1, 3))}
    in_one = len(left)
    rounds = 0
    while found := play(rules_of(**FIVES), list(left.values())).matches:
        assert max(left.values(), key=lambda ticket: ticket.age(NOW)) in found[0].tickets
        for ticket in (ticket for match in found for ticket in match.tickets):
            del left[ticket.id]
        rounds += 1
    assert rounds > 2
    monkeypatch.undo()
    assert len(left) < in_one
    assert not play(rules_of(**FIVES), list(left.values())).matches


def test_seeds_without_a_match_keep_nobody_from_one_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest of all use up their part of a round in vain; the lot finds the others within a few."""
    monkeypatch.setattr(teams, "WASTED", 1)
    rules = rules_of(
        **FIVES,
        rules=[
            {"name": "skill", "type": "distance", "maxDistance": 100},
            {"name": "balance", "type": "teamDistance", "maxDistance": 50},
        ],
    )
    roles = ["tank", "healer", "damage", "damage", "damage"]
    hopeless = [lone(f"x{i}-{j}", 100.0 + 500 * i, 200.0, roles=(role,)) for i in range(8) for j, role in enumerate([*roles, *roles[1:]])]
    hopeless += [party(f"y{i}", *[100.0 + 500 * i] * 2, age=200.0, roles=("tank",)) for i in range(8)]  # one tank too many
    able = [lone(f"p{i}", 9000.0, 10.0, roles=(role,)) for i, role in enumerate(roles * 2)]
    tried = (find_matches(QueueView([*hopeless, *able]), rules, NOW, Random(seed)).matches for seed in range(200))
    found = next(matches for matches in tried if matches)
    assert [{ticket.id for ticket in match.tickets} for match in found] == [{ticket.id for ticket in able}]


@pytest.mark.parametrize("missing", ["tank", "healer"])
def test_what_is_too_few_by_itself_is_not_searched_for(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[object] = []
    monkeypatch.setattr(teams, "_stretches", lambda *arguments: searched.append(arguments) or iter(()))
    tickets = [ticket for ticket in crowd(100, (1, 1, 3)) if ticket.players[0].roles != (missing,)]
    assert not play(rules_of(**FIVES), [*tickets, lone("one", 1500.0, roles=(missing,))]).matches
    assert not searched
    play(rules_of(**FIVES), [*tickets, lone("one", 1500.0, roles=(missing,)), lone("any", 1500.0)])
    assert searched
