"""Role quotas and even teams against brute force."""

from itertools import product
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from matchmaking.core.balance import seatings, split
from matchmaking.core.candidate import Entry, empty_sides
from matchmaking.core.evaluate import Frame
from matchmaking.core.pool import RoleQuota
from matchmaking.core.roles import fits
from matchmaking.core.ticket import Player
from support.strategies import NOW, lone, party, rules_of

ROLES = ["tank", "healer", "other"]
quotas = st.lists(st.sampled_from(ROLES[:2]), unique=True, max_size=2).flatmap(
    lambda names: st.tuples(
        *(
            st.builds(
                lambda n, low, more: RoleQuota(name=n, min=low, max=max(1, low + more)), st.just(n), st.integers(0, 2), st.integers(0, 2)
            )
            for n in names
        )
    )
)


@given(roles=st.lists(st.lists(st.sampled_from(ROLES), max_size=3, unique=True), max_size=5), quotas=quotas)
def test_quotas_are_judged_as_by_trying_everything(roles: list[list[str]], quotas: tuple[RoleQuota, ...]) -> None:
    names = [quota.name for quota in quotas]
    choices = [[*names, ""] if not wanted else [role if role in names else "" for role in wanted] for wanted in roles]
    possible = any(all(quota.min <= way.count(quota.name) <= quota.max for quota in quotas) for way in product(*choices))
    assert fits([Player(str(i), roles=tuple(wanted)) for i, wanted in enumerate(roles)], quotas) == possible


def test_five_against_five_has_126_ways() -> None:
    assert len(seatings(((5, 5, 0), (5, 5, 0)), (1,) * 10)) == 126
    assert len(seatings(((3, 3, 0),) * 3, (1,) * 9)) == 280


@given(ratings=st.lists(st.integers(0, 3000), min_size=6, max_size=6))
def test_the_split_is_the_most_even_one(ratings: list[int]) -> None:
    rules = rules_of(teams=[{"name": "side", "quantity": 2, "minPlayers": 3, "maxPlayers": 3}])
    frame = Frame(rules, "eu", NOW)
    group = [Entry(lone(str(i), float(rating)), 0.0, float(rating), i) for i, rating in enumerate(ratings)]
    found = split(frame, empty_sides(rules), group, frame.schedule.at(0))
    assert found is not None
    sums = [sum(entry.rating for entry in side.entries) for side in found[0]]
    least = min(
        abs(sum(ratings) - 2 * sum(r for r, one in zip(ratings, way, strict=True) if one))
        for way in product((0, 1), repeat=6)
        if sum(way) == 3
    )
    assert abs(sums[0] - sums[1]) == least


def test_large_teams_come_out_nearly_even() -> None:
    rules = rules_of(teams=[{"name": "side", "quantity": 2, "minPlayers": 10, "maxPlayers": 10}], party={"maxSize": 2})
    frame, random = Frame(rules, "eu", NOW), Random(1)
    group = []
    for i in range(16):
        ratings = [random.gauss(1500, 300)] * (2 if i < 4 else 1)
        group.append(Entry(party(f"g{i}", *ratings), 0.0, ratings[0], i))
    found = split(frame, empty_sides(rules), group, frame.schedule.at(0))
    assert found is not None
    means = [sum(entry.rating * entry.size for entry in side.entries) / 10 for side in found[0]]
    assert abs(means[0] - means[1]) < 5
    assert all(side.size == 10 for side in found[0])
