"""Bad tickets: named with path and code at the door, set aside in a round, and a danger to nobody else."""

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.core import matching
from matchmaking.core.admission import check_ticket
from matchmaking.core.errors import InvalidTicketError
from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules
from matchmaking.core.queue import QueueView
from matchmaking.core.ticket import BackfillSlots, Player, Ticket
from support.match_checker import faults
from support.strategies import NOW, lone, pools, queues, rules_of

RULES = rules_of(
    teams=[{"name": "side", "quantity": 2, "minPlayers": 2, "maxPlayers": 2}],
    party={"maxSize": 2},
    rules=[
        {"name": "skill", "type": "distance", "maxDistance": 100},
        {"name": "platform", "type": "comparison", "attribute": "platform"},
        {"name": "grown", "type": "comparison", "attribute": "level", "operator": ">", "value": 3},
        {"name": "maps", "type": "intersection", "attribute": "maps"},
        {"name": "ping", "type": "latency", "maxLatencyMs": 80},
    ],
)
SOUND: dict[str, Any] = {"platform": "pc", "level": 5.0, "maps": ["dust"]}


def ticket(*players: Player, region: str = "eu", mode: str = "ranked", **fields: Any) -> Ticket:
    return Ticket("t", region, mode, players, fields.pop("enqueued", NOW), **fields)


def player(name: str = "a", rating: float = 1500.0, sigma: float = 100.0, **changed: Any) -> Player:
    latency = changed.pop("latency", {"eu": 30.0})
    return Player(name, rating, sigma, {key: value for key, value in {**SOUND, **changed}.items() if value is not None}, latency)


BAD = {
    "unknown_region": (ticket(player(), region="mars"), "region"),
    "unknown_mode": (ticket(player(), mode="chess"), "mode"),
    "empty_ticket": (ticket(), "players"),
    "party_too_large": (ticket(player("a"), player("b"), player("c")), "players"),
    "duplicate_player": (ticket(player("a"), player("a")), "players[1].id"),
    "invalid_time": (ticket(player(), enqueued=math.nan), "enqueued"),
    "invalid_rating": (ticket(player("a"), player("b", rating=math.inf)), "players[1].rating"),
    "invalid_latency": (ticket(player(latency={"eu": math.nan})), "players[0].latency.eu"),
    "missing_latency": (ticket(player(latency={})), "players[0].latency.eu"),
    "missing_attribute": (ticket(player(platform=None)), "players[0].attributes.platform"),
    "invalid_attribute": (ticket(player(level="high")), "players[0].attributes.level"),
    "unknown_team": (ticket(backfill=BackfillSlots("m", {"nobody": ()})), "backfill.teams.nobody"),
}


@pytest.mark.parametrize("code", sorted(BAD))
def test_each_fault_has_its_code_and_path(code: str) -> None:
    bad, path = BAD[code]
    with pytest.raises(InvalidTicketError) as caught:
        check_ticket(bad, RULES)
    assert (caught.value.code, caught.value.path) == (code, path)


def test_a_sound_ticket_passes() -> None:
    check_ticket(ticket(player()), RULES)


@pytest.mark.parametrize("large", [False, True])
def test_a_round_goes_on_without_the_poisoned(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "LARGE", 0 if large else 2000)
    bad = [
        lone("nan", math.nan),
        lone("inf", 1500, sigma=-math.inf),
        lone("huge", 10**400),
        lone("deep", attributes={"level": 10**400}),
        lone("far", region="mars"),
        Ticket("late", "eu", "ranked", (), math.inf),
    ]
    twin = Ticket("twin", "eu", "ranked", (Player("a"),), NOW)
    rules = rules_of(
        rules=[
            {"name": "skill", "type": "distance", "maxDistance": 100},
            {"name": "level", "type": "distance", "attribute": "level", "maxDistance": 9},
        ],
        attributes=[{"name": "level", "number": 1}],
    )
    found = find_matches(QueueView([*bad, lone("a", age=9), lone("b"), twin]), rules, NOW, Random(1))
    assert [sorted(t.id for t in match.tickets) for match in found.matches] == [["t-a", "t-b"]]
    assert set(found.poisoned) == {"t-nan", "t-inf", "t-huge", "t-deep", "t-far", "late", "twin"}
    assert found.poisoned["t-nan"].startswith("players[0].rating: ")
    assert "waits already, in ticket t-a" in found.poisoned["twin"]


numbers = st.one_of(st.floats(), st.sampled_from([1500.0, -0.0, 1e308, math.nan, math.inf]))
values = st.one_of(numbers, st.text(max_size=3), st.lists(st.text(max_size=2), max_size=2))
hostile_players = st.builds(
    Player,
    st.sampled_from(["p0", "p1", "x", ""]),
    numbers,
    numbers,
    st.dictionaries(st.sampled_from(["level", "maps", "platform"]), values, max_size=3),
    st.dictionaries(st.sampled_from(["eu", "us"]), numbers),
    st.just(("p0",)),
    st.just(()),
    st.lists(st.sampled_from(["tank", "?"]), max_size=3).map(tuple),
)
slots = st.builds(
    BackfillSlots, st.just("m"), st.dictionaries(st.sampled_from(["side-1", "side", "?"]), st.lists(hostile_players, max_size=4).map(tuple))
)
hostile = st.builds(
    Ticket,
    st.sampled_from(["h0", "h1", "t0", ""]),
    st.sampled_from(["eu", "mars"]),
    st.sampled_from(["ranked", "chess"]),
    st.lists(hostile_players, max_size=4).map(tuple),
    st.one_of(numbers, st.just(NOW)),
    numbers,
    st.one_of(st.none(), slots),
)
SHAPES = [
    [{"name": "side", "quantity": 2}],
    [{"name": "side", "quantity": 2, "minPlayers": 1, "maxPlayers": 3, "roles": [{"name": "tank", "max": 1}]}],
]


@pytest.mark.parametrize("large", [False, True])
@given(rules=st.sampled_from(SHAPES).flatmap(pools), bad=st.lists(hostile, max_size=5), good=queues(most=5))
def test_no_round_stops_for_hostile_tickets(large: bool, rules: PoolRules, bad: list[Ticket], good: list[Ticket]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "LARGE", 0 if large else 2000)
        view = QueueView([*bad, *good])
        found = find_matches(view, rules, NOW, Random(1))
    matched = [t.id for match in found.matches for t in match.tickets]
    assert sorted([*matched, *found.reasons, *found.poisoned]) == sorted(t.id for t in view)
    for match in found.matches:
        assert faults(match, rules, NOW) == []
    assert all(found.reasons[t].rule for t in found.reasons)
