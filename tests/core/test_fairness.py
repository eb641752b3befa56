"""Who waits, and who must not: age, starvation, head starts, running matches, neighbours' regions."""

import subprocess
import sys
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.core.candidate import Entry, empty_sides
from matchmaking.core.evaluate import Frame
from matchmaking.core.explain import describe, describe_teams
from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules
from matchmaking.core.queue import QueueView
from matchmaking.core.round import Round
from matchmaking.core.ticket import Player, Ticket
from support.strategies import NOW, backfill, lone, rules_of

WINDOW = {"rules": [{"name": "skill", "type": "distance", "maxDistance": 100}]}
TWO_EACH = {"teams": [{"name": "side", "quantity": 2, "minPlayers": 2, "maxPlayers": 2}], "party": {"maxSize": 2}}


def play(rules: PoolRules, *tickets: Ticket, **view: Any) -> Round:
    return find_matches(QueueView(tickets, **view), rules, NOW, Random(1))


def left(found: Round) -> set[str]:
    return set(found.reasons)


def test_of_three_alike_the_youngest_waits() -> None:
    assert left(play(rules_of(**WINDOW), lone("a", age=5), lone("b", age=1), lone("c", age=9))) == {"t-b"}


def test_a_head_start_counts_as_waiting() -> None:
    early = Ticket("t-b", "eu", "ranked", (Player("b"),), NOW - 1, 30.0)
    assert left(play(rules_of(**WINDOW), lone("a", age=5), early, lone("c", age=9))) == {"t-a"}


def test_who_starves_is_matched_even_if_closer_pairs_part() -> None:
    found = play(rules_of(**WINDOW), lone("a", 1500, age=1), lone("b", 1501, age=1), lone("c", 1590, age=200))
    assert "t-c" not in left(found)
    assert len(found.matches) == 1


def test_teams_start_from_the_oldest() -> None:
    tickets = [lone(f"x{i}", 1500, age=i) for i in range(6)]
    assert "t-x5" not in left(play(rules_of(**TWO_EACH), *tickets))


@pytest.mark.parametrize("selection", ["oldest", "newest", "average"])
def test_recent_opponents_are_released(selection: str) -> None:
    rules = rules_of(
        rules=[{"name": "rematch", "type": "avoidRecentOpponents", "releaseAfter": "60s"}], expansions={"ageSelection": selection}
    )
    a, b = Player("a", recent=("b",)), Player("b", recent=("a",))
    for age, matches in ((59, 0), (60, 1)):
        tickets = [Ticket("t-a", "eu", "ranked", (a,), NOW - age), Ticket("t-b", "eu", "ranked", (b,), NOW)]
        found = play(rules, *tickets)
        assert len(found.matches) == matches
    assert play(rules, Ticket("t-a", "eu", "ranked", (a,), NOW - 50), lone("b")).reasons["t-a"].next_change == 10


def test_a_running_match_is_filled_where_it_has_room() -> None:
    rules = rules_of(**TWO_EACH, **WINDOW)
    there = {"side-1": (Player("r1", 1500.0), Player("r2", 1500.0)), "side-2": (Player("r3", 1500.0),)}
    found = play(rules, backfill("run", there, age=20), lone("a", 1550.0), lone("b", 2500.0))
    match = found.matches[0]
    assert [team.name for team in match.teams] == ["side-1", "side-2"]
    assert [t.id for t in match.teams[1].tickets] == ["t-a"]
    assert {t.id for t in match.tickets} == {"t-run", "t-a"}
    assert left(found) == {"t-b"}


def test_running_matches_never_fill_each_other() -> None:
    rules = rules_of(**TWO_EACH)
    there = {"side-1": (Player("r1"), Player("r2")), "side-2": (Player("r3"),)}
    other = {"side-1": (Player("s1"), Player("s2")), "side-2": (Player("s3"),)}
    found = play(rules, backfill("one", there), backfill("two", other))
    assert not found.matches
    assert found.reasons["t-one"].rule == "players"


REGIONS = {
    "regions": [{"name": "eu", "neighbors": ["north"], "spillAfter": "30s"}, {"name": "north", "neighbors": ["eu"], "spillAfter": "60s"}]
}


def test_a_ticket_spills_to_a_neighbour_after_its_time() -> None:
    rules = rules_of(**REGIONS, **WINDOW)
    assert not play(rules, lone("a", age=29), lone("b", region="north", age=10)).matches
    found = play(rules, lone("a", age=30), lone("b", region="north", age=10))
    assert found.matches[0].region == "north"
    assert not play(rules, lone("a", age=30), lone("b", region="north", age=10), region="eu").matches
    assert play(rules, lone("a", age=30), lone("b", region="north", age=10), region="north").matches


def test_home_comes_before_neighbours() -> None:
    rules = rules_of(**REGIONS, **WINDOW)
    found = play(rules, lone("a", age=99), lone("b", age=1), lone("c", region="north", age=99), lone("d", region="north", age=1))
    assert [match.region for match in found.matches] == ["eu", "north"]


def test_latency_limits_the_regions() -> None:
    rules = rules_of(**REGIONS, rules=[{"name": "ping", "type": "latency", "maxLatencyMs": 50}])
    far, near = {"eu": 20.0, "north": 90.0}, {"eu": 40.0, "north": 20.0}
    assert not play(rules, lone("a", age=40, latency=far), lone("b", region="north", latency=near)).matches
    assert play(rules, lone("a", age=40, latency=near), lone("b", region="north", latency=near)).matches[0].region == "north"


def test_modes_never_mix() -> None:
    rules = rules_of(modes=["ranked", "casual"])
    assert not play(rules, lone("a"), Ticket("t-b", "eu", "casual", (Player("b"),), NOW)).matches


def test_a_suspended_pool_makes_no_matches() -> None:
    found = play(rules_of(suspend=True), lone("a"), lone("b"))
    assert not found.matches
    assert found.reasons["t-a"].rule == "suspended"


def test_win_chances_follow_the_ratings() -> None:
    even = play(rules_of(), lone("a", 1500.0), lone("b", 1500.0)).matches[0]
    assert [team.win_chance for team in even.teams] == [0.5, 0.5]
    odd = play(rules_of(), lone("a", 1500.0, sigma=100.0), lone("b", 1800.0, sigma=100.0)).matches[0]
    chance = {team.tickets[0].id: team.win_chance for team in odd.teams}
    # Phi(300 / sqrt(2 * (100² + 250²))) with beta = 500 / 2
    assert chance["t-b"] == pytest.approx(0.7846, abs=1e-4)
    assert odd.gap == odd.imbalance == 300.0


@given(*[st.floats(0, 3000)] * 2, *[st.floats(0, 500)] * 2, *[st.floats(0, 300)] * 2)
def test_duels_are_described_as_all_matches_are(one: float, other: float, sigma: float, its: float, age: float, later: float) -> None:
    rules = rules_of(**WINDOW)
    frame, (first, second) = Frame(rules, "eu", NOW), empty_sides(rules)
    a = Entry(lone("a", one, sigma=sigma, age=age), age, one)
    b = Entry(lone("b", other, sigma=its, age=later), later, other)
    sides = (first.filled((a,)), second.filled((b,)))
    assert describe(frame, sides) == describe_teams(frame, sides)


COLD = """
import sys
from random import Random
from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules, Region, Team
from matchmaking.core.queue import QueueView
from matchmaking.core.ticket import Player, Ticket
rules = PoolRules(regions=(Region(name="eu"),), modes=("ranked",), teams=(Team(name="side", quantity=2),))
found = find_matches(QueueView([Ticket(str(i), "eu", "ranked", (Player(str(i)),), 0.0) for i in range(1000)]), rules, 1.0, Random(1))
print(len(found.matches), [name for name in ("numpy", "asyncio", "logging", "redis") if name in sys.modules])
"""


def test_small_queues_never_load_the_numeric_library() -> None:
    run = subprocess.run([sys.executable, "-c", COLD], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "500 []"
