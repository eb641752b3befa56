"""Both rating systems: the numbers of their papers and libraries, and what any rating system must keep."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaking.core.glicko2 import LOSS, SCALE, WIN, Glicko2
from matchmaking.core.pool import InitialRating, Rating
from matchmaking.core.rating import Belief, InvalidOutcomeError, rating_system

OPENSKILL = Rating(system="openskill", initial=InitialRating(mu=25, sigma=25 / 3))
GLICKO = Rating(system="glicko2", initial=InitialRating(mu=1500, sigma=350))
BOTH = pytest.mark.parametrize("rules", [OPENSKILL, GLICKO], ids=["openskill", "glicko2"])


def test_glickmans_worked_example():
    """ "Example of the Glicko-2 system": 1500/200 beats 1400/30, loses to 1550/100 and to 1700/300, all in one period."""
    inner = [((mu - 1500) / SCALE, phi / SCALE, score) for mu, phi, score in [(1400, 30, WIN), (1550, 100, LOSS), (1700, 300, LOSS)]]
    after = Glicko2(GLICKO.initial).rate(Belief(1500, 200, 0.06), inner)
    assert after.mu == pytest.approx(1464.06, abs=0.01)
    assert after.sigma == pytest.approx(151.52, abs=0.01)
    assert after.volatility == pytest.approx(0.05999, abs=0.00001)


def test_glicko2_does_not_depend_on_the_pools_initial_values():
    player, opponent = Belief(1500, 200), Belief(1400, 30)
    other = rating_system(Rating(system="glicko2", initial=InitialRating(mu=1000, sigma=500)))
    assert other.update([[player], [opponent]], [1, 2])[0][0].mu == pytest.approx(
        rating_system(GLICKO).update([[player], [opponent]], [1, 2])[0][0].mu
    )


def test_glicko2_expects_ten_to_one_at_400_points():
    chances = rating_system(GLICKO).win_chances([[Belief(1900, 1e-6)], [Belief(1500, 1e-6)]])
    assert chances[0] == pytest.approx(10 / 11, abs=1e-6)


def test_glicko2_teams_meet_the_composite_opponent():
    system = Glicko2(GLICKO.initial)
    player = Belief(1500, 200)
    [[alone], _] = system.update([[player], [Belief(1600, 80)]], [1, 2])
    [[in_team, _], _] = system.update([[player, Belief(2500, 40)], [Belief(1500, 80), Belief(1700, 80)]], [1, 2])
    assert in_team.mu == pytest.approx(alone.mu)


# From the library's repository, tests/models/data/plackettluce.json: every player starts at the model's mu and sigma.
REFERENCE = Belief(31.321989232514305, 11.379964801443018)


@pytest.mark.parametrize(
    ("sizes", "ranks", "expected"),
    [
        ((1, 2), (1, 2), [(36.48967347401391, 11.237778601372977), (26.154304991014694, 11.17822477763209)]),
        ((1, 2), (2, 1), [(30.19454401757094, 11.237778601372977), (32.44943444745767, 11.17822477763209)]),
        (
            (1, 2, 3),
            (2, 1, 3),
            [(35.008962716922355, 11.322612945836939), (34.774820565754936, 11.291328826858104), (24.182184414865624, 11.192736898569162)],
        ),
        (
            (1, 2, 3),
            (1, 2, 1),
            [(33.21874815457553, 11.354896725884002), (30.27713112192334, 11.291328826858104), (30.470088421044046, 11.249240904583088)],
        ),
    ],
    ids=["normal", "ranks", "three teams", "ties"],
)
def test_openskill_gives_the_librarys_own_reference_numbers(sizes, ranks, expected):
    after = rating_system(OPENSKILL).update([[REFERENCE] * size for size in sizes], ranks)
    for team, (mu, sigma), size in zip(after, expected, sizes, strict=True):
        assert [(b.mu, b.sigma) for b in team] == [(pytest.approx(mu), pytest.approx(sigma))] * size


def test_openskill_scales_with_the_pool():
    wide = rating_system(Rating(system="openskill", initial=InitialRating(mu=1500, sigma=500)))
    narrow = rating_system(OPENSKILL)
    before = [[(25, 8), (31, 4)], [(28, 3)]]
    at = [[Belief(mu * 60, sigma * 60) for mu, sigma in team] for team in before]
    small = [[Belief(mu, sigma) for mu, sigma in team] for team in before]
    for large_team, small_team in zip(wide.update(at, [2, 1]), narrow.update(small, [2, 1]), strict=True):
        for large, little in zip(large_team, small_team, strict=True):
            assert (large.mu, large.sigma) == (pytest.approx(little.mu * 60), pytest.approx(little.sigma * 60))
    assert wide.win_chances(at) == pytest.approx(narrow.win_chances(small))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.tuples(st.floats(0, 50), st.floats(0.5, 9)), min_size=1, max_size=4), min_size=2, max_size=4))
def test_openskill_chances_equal_the_librarys(numbers):
    from openskill.models import PlackettLuce

    model = PlackettLuce()
    theirs = model.predict_win([[model.rating(mu=mu, sigma=sigma) for mu, sigma in team] for team in numbers])
    ours = rating_system(OPENSKILL).win_chances([[Belief(mu, sigma) for mu, sigma in team] for team in numbers])
    assert ours == pytest.approx(theirs, abs=1e-6)


def in_units(rules, z):
    return Belief(rules.initial.mu + z[0] * rules.initial.sigma, rules.initial.sigma * z[1])


skill = st.tuples(st.floats(-1.5, 1.5), st.floats(0.2, 1))


@BOTH
@settings(max_examples=60, deadline=None)
@given(st.lists(skill, min_size=1, max_size=4), st.lists(skill, min_size=1, max_size=4))
def test_winners_go_up_losers_down_and_everybody_is_better_known(rules, winners, losers):
    system = rating_system(rules)
    before = [[in_units(rules, z) for z in winners], [in_units(rules, z) for z in losers]]
    after = system.update(before, [1, 2])
    assert all(new.mu >= old.mu for new, old in zip(after[0], before[0], strict=True))
    assert all(new.mu <= old.mu for new, old in zip(after[1], before[1], strict=True))
    drift = 1.01  # both systems let skill drift a little between matches
    assert sum(b.sigma for team in after for b in team) <= drift * sum(b.sigma for team in before for b in team)


@BOTH
@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(skill, min_size=1, max_size=3), min_size=2, max_size=4), st.data())
def test_the_order_of_the_teams_does_not_matter(rules, numbers, data):
    system = rating_system(rules)
    teams = [[in_units(rules, z) for z in team] for team in numbers]
    ranks = data.draw(st.lists(st.integers(1, 4), min_size=len(teams), max_size=len(teams)))
    forward = system.update(teams, ranks)
    backward = system.update(teams[::-1], ranks[::-1])[::-1]
    for one, other in zip(forward, backward, strict=True):
        assert [b.mu for b in one] == pytest.approx([b.mu for b in other])
    assert sum(system.win_chances(teams)) == pytest.approx(1)
    assert system.win_chances(teams) == pytest.approx(system.win_chances(teams[::-1])[::-1])


@BOTH
def test_a_new_players_sigma_falls(rules):
    system = rating_system(rules)
    [[winner], [loser]] = system.update([[system.initial()], [system.initial()]], [1, 2])
    assert max(winner.sigma, loser.sigma) < rules.initial.sigma
    assert winner.mu - rules.initial.mu == pytest.approx(rules.initial.mu - loser.mu)


@BOTH
def test_a_draw_pulls_together_and_equals_stay(rules):
    system = rating_system(rules)
    strong, weak = in_units(rules, (1, 0.5)), in_units(rules, (-1, 0.5))
    [[high], [low]] = system.update([[strong], [weak]], [1, 1])
    assert high.mu < strong.mu
    assert low.mu > weak.mu
    [[one], [two]] = system.update([[strong], [strong]], [7, 7])
    assert (one.mu, two.mu) == (pytest.approx(strong.mu), pytest.approx(strong.mu))


@BOTH
def test_an_upset_moves_more_than_the_expected_result(rules):
    system = rating_system(rules)
    strong, weak = in_units(rules, (1, 0.3)), in_units(rules, (-1, 0.3))
    expected = system.update([[strong], [weak]], [1, 2])[0][0].mu - strong.mu
    upset = system.update([[strong], [weak]], [2, 1])[1][0].mu - weak.mu
    assert upset > expected > 0


@BOTH
@pytest.mark.parametrize(
    ("teams", "ranks", "where"),
    [
        ([[Belief(1, 1)]], [1], "teams: "),
        ([[Belief(1, 1)], []], [1, 2], "teams[1]"),
        ([[Belief(1, 1)], [Belief(1, 1)]], [1], "ranks"),
        ([[Belief(float("nan"), 1)], [Belief(1, 1)]], [1, 2], "teams[0][0].mu"),
        ([[Belief(1, 1)], [Belief(1, 0)]], [1, 2], "teams[1][0].sigma"),
    ],
)
def test_what_cannot_be_rated_is_refused_with_its_place(rules, teams, ranks, where):
    with pytest.raises(InvalidOutcomeError) as refusal:
        rating_system(rules).update(teams, ranks)
    assert str(refusal.value).startswith(where)


@BOTH
@pytest.mark.parametrize("far", [1e4, 1e6, 1e9])
def test_absurd_differences_stay_finite(rules, far):
    system = rating_system(rules)
    after = system.update([[Belief(far, 1)], [Belief(-far, 1)]], [1, 2])
    assert all(abs(b.mu) <= far * 1.001 and 0 < b.sigma < 1.1 for team in after for b in team)


def test_chances_do_not_load_the_library():
    """A matcher asks for chances; the library is only for results."""
    script = (
        "import sys; from matchmaking.core.rating import *; from matchmaking.core.pool import Rating;"
        "s = rating_system(Rating()); s.win_chances([[s.initial()], [s.initial()]]); sys.exit('openskill' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
