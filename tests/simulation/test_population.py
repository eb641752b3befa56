"""Arrivals and population: what is asked for is what comes, and a seed names it for good."""

import csv
from importlib.resources import files

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaking.core.pool import load_pool
from matchmaking.simulation.arrivals import DAY, PEAK, START, Arrivals
from matchmaking.simulation.latency import cities_of, latencies, matrix
from matchmaking.simulation.population import party_sizes
from matchmaking.simulation.scenario import Scenario, ScenarioError

POOL = """
apiVersion: gamesessions.dev/v1alpha1
kind: MatchmakingPool
metadata: {name: sample}
spec:
  regions: [{name: eu-west, neighbors: [us-east]}, {name: us-east, neighbors: [eu-west]}]
  modes: [ranked, casual]
  teams: [{name: side, quantity: 2, minPlayers: 3, maxPlayers: 3, roles: [{name: tank, min: 1, max: 1}]}]
  party: {maxSize: 3}
  rules:
    - {name: level, type: comparison, attribute: level, operator: ">=", value: 10}
    - {name: maps, type: intersection, attribute: maps, minCount: 2}
    - {name: platform, type: comparison, attribute: platform, operator: "="}
    - {name: elo, type: distance, attribute: elo, maxDistance: 50}
"""


def rules(**changes):
    manifest = yaml.safe_load(POOL)
    manifest["spec"] |= changes
    return load_pool(manifest).spec


def people(players=3000, **fields):
    return Scenario(players=players, arrivals=Arrivals("poisson", 20.0), **fields).population([rules()])


@pytest.mark.parametrize(
    ("text", "kind", "rate"), [("poisson:50/s", "poisson", 50), ("uniform:20/s", "uniform", 20), ("poisson:90/m", "poisson", 1.5)]
)
def test_arrivals_are_read(text, kind, rate):
    assert Arrivals.parse(text) == Arrivals(kind, rate)


@pytest.mark.parametrize(
    "text", ["", "50/s", "poisson:50", "poisson:-1/s", "poisson:0/s", "gauss:5/s", "uniform:x/s", "uniform:5/d", "poisson:1e3/s"]
)
def test_other_arrivals_are_refused_with_an_example(text):
    with pytest.raises(ValueError, match="poisson:50/s"):
        Arrivals.parse(text)


def test_uniform_arrivals_are_evenly_spaced_and_end_in_time():
    times = Arrivals("uniform", 4.0).times(100, 5.0, np.random.default_rng(1))
    assert times.tolist() == [i / 4 for i in range(20)]


def test_poisson_arrivals_follow_the_day():
    times = Arrivals("poisson", 2.0).times(10**6, DAY, np.random.default_rng(1))
    assert len(times) == pytest.approx(2 * DAY, rel=0.01)
    hour = ((times + START) % DAY / 3600).astype(int)
    by_hour = np.bincount(hour, minlength=24) / 3600
    assert by_hour[int(PEAK / 3600)] == pytest.approx(2 * 1.6, rel=0.05)
    assert by_hour[8] == pytest.approx(2 * 0.4, rel=0.1)
    assert (np.diff(times) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 500), st.integers(1, 12), st.integers(0, 99))
def test_party_sizes_sum_to_the_players(players, largest, seed):
    sizes = party_sizes(players, largest, np.random.default_rng(seed))
    assert sizes.sum() == players
    assert sizes.min() >= 1
    assert sizes.max() <= largest


def test_a_population_has_its_players_once_each():
    population = people()
    players = [player for ticket in population.tickets for player in ticket.players]
    assert len({player.id for player in players}) == len(players) == 3000
    assert [len(ticket.players) for ticket in population.tickets] == population.size.tolist()
    assert [ticket.enqueued for ticket in population.tickets] == population.times.tolist()
    assert all(set(player.latency) == {"eu-west", "us-east"} for player in players)


def test_a_population_is_as_described():
    population = people(30_000)
    assert np.bincount(population.region)[0] / len(population) == pytest.approx(0.586, abs=0.02)
    assert population.newcomer.mean() == pytest.approx(0.12, abs=0.01)
    regulars = population.rating[(population.size == 1) & ~population.newcomer]
    assert regulars.std() == pytest.approx(300, rel=0.05)
    assert np.bincount(population.band).tolist() == pytest.approx([len(population) / 4] * 4, rel=0.05)
    new = [p.sigma for t, fresh in zip(population.tickets, population.newcomer, strict=True) if fresh for p in t.players]
    known = [p.sigma for t, fresh in zip(population.tickets, population.newcomer, strict=True) if not fresh for p in t.players]
    assert min(new) > max(known)


def test_a_population_has_what_the_rules_ask_for():
    players = [player for ticket in people().tickets for player in ticket.players]
    assert np.mean([player.attributes["level"] >= 10 for player in players]) == pytest.approx(0.9, abs=0.03)
    assert all(len(player.attributes["maps"]) >= 2 for player in players)
    assert {player.attributes["platform"] for player in players} == {"platform-1", "platform-2", "platform-3"}
    assert all(player.attributes["elo"] >= 0 for player in players)
    assert np.mean(["tank" in player.roles or not player.roles for player in players]) > 1 / 3


def test_players_have_what_rules_of_teams_ask_for():
    """Nobody's pool makes the simulator stop: each rule that looks at an attribute finds it in every player, and something to decide."""
    teams = [{"name": "hunters", "minPlayers": 4, "maxPlayers": 4}, {"name": "monster"}]
    pool = rules(
        teams=teams,
        rules=[
            {"name": "medics", "type": "count", "attribute": "kit", "value": "medic", "min": 1},
            {"name": "snipers", "type": "count", "attribute": "kit", "value": "sniper", "max": 1, "teams": ["hunters"]},
            {
                "name": "wish",
                "type": "teamComparison",
                "team": "monster",
                "otherTeam": "hunters",
                "otherAttribute": "wish",
                "otherOf": "max",
            },
            {
                "name": "might",
                "type": "teamComparison",
                "team": "hunters",
                "attribute": "power",
                "otherTeam": "monster",
                "otherAttribute": "hide",
            },
            {"name": "premium", "type": "count", "attribute": "premium", "value": 1, "max": 2},
        ],
    )
    tickets = Scenario(players=3000, arrivals=Arrivals("poisson", 20.0)).population([pool]).tickets
    found = [player for ticket in tickets for player in ticket.players]
    kits = [player.attributes["kit"] for player in found]
    assert {"medic", "sniper", "other"} == set(kits)
    assert 0.2 < kits.count("medic") / 3000 < 0.4
    assert {player.attributes["premium"] for player in found} == {1, 2}
    within_reach = sum(player.rating >= player.attributes["wish"] for player in found) / 3000
    stronger = sum(player.attributes["power"] >= player.attributes["hide"] for player in found) / 3000
    assert 0.7 < within_reach < 1
    assert 0.7 < stronger < 1


def test_players_have_just_played_their_like_where_the_rules_ask():
    """Neighbours in rating of the same queue who came at about the same time, and never the own party."""
    meeting = rules(rules=[{"name": "rematch", "type": "avoidRecentOpponents", "lastMatches": 3}, {"name": "blocked", "type": "blocklist"}])
    population = Scenario(players=4000, arrivals=Arrivals("poisson", 20.0)).population([meeting])
    ticket_of = {player.id: ticket for ticket in population.tickets for player in ticket.players}
    players = [player for ticket in population.tickets for player in ticket.players]
    assert np.mean([bool(player.recent) for player in players]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([bool(player.blocked) for player in players]) == pytest.approx(0.03, abs=0.01)
    for player in players:
        assert len(player.recent) <= 3
        for other in (*player.recent, *player.blocked):
            ours, theirs = ticket_of[player.id], ticket_of[other]
            assert ours is not theirs
            assert (ours.region, ours.mode) == (theirs.region, theirs.mode)
            assert abs(ours.enqueued - theirs.enqueued) < 120
    assert not any(player.recent or player.blocked for ticket in people().tickets for player in ticket.players)


def test_equal_seeds_give_equal_populations():
    assert people(seed=5).tickets == people(seed=5).tickets
    assert people(seed=5).tickets != people(seed=6).tickets


def test_two_pools_share_a_population_only_with_the_same_queues():
    scenario = Scenario(players=100)
    narrow = rules(party={"maxSize": 2})
    assert scenario.population([rules(), narrow]).size.max() == 2
    with pytest.raises(ScenarioError, match="modes"):
        scenario.population([rules(), rules(modes=["ranked"])])


def test_latencies_are_the_published_matrix_and_a_last_mile():
    text = (files("matchmaking.simulation") / "data" / "region-latency.csv").read_text()
    assert text.startswith("# Average round-trip milliseconds")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert matrix()["london"]["tokyo"] == float(next(row for row in rows if row["from"] == "london")["tokyo"]) == 243
    assert cities_of(("eu-west", "us-east", "ap-northeast", "somewhere")) == ("london", "washington", "tokyo", "dallas")
    pings = latencies(("eu-west", "us-east"), np.zeros(5000, dtype=np.int64), np.random.default_rng(1))
    assert np.median(pings[:, 0]) == pytest.approx(14, abs=1)
    assert ((pings[:, 1] - pings[:, 0]) == 75).all()
