"""Windows by age: steps, lines, limits, disabling; one by one and as a column."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.core.windows import Schedule, schedule_of
from support.strategies import rules_of

RULE = {"name": "skill", "type": "distance", "maxDistance": 100}


def schedule(*steps: dict[str, object]) -> Schedule:
    return schedule_of(rules_of(rules=[RULE], expansions={"steps": list(steps)}))


def _width(made: Schedule, age: float) -> float | None:
    rules = made.at(age).rules
    return rules[0].max_distance if rules else None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("step", "widths"),
    [
        ({"after": "15s", "value": 200}, {0: 100, 14.9: 100, 15: 200, 99: 200}),
        ({"every": "10s", "by": 20, "limit": 150}, {0: 100, 9.9: 100, 10: 120, 29: 140, 30: 150, 500: 150}),
        ({"after": "10s", "every": "5s", "by": 20}, {10: 100, 15: 120, 20: 140}),
        ({"every": "10s", "by": -60, "limit": 10}, {0: 100, 10: 40, 20: 10}),
        ({"every": "10s", "by": -60}, {20: 0, 100: 0}),
    ],
)
def test_a_window_follows_its_expansion(step: dict[str, object], widths: dict[float, float]) -> None:
    made = schedule({"target": "skill.maxDistance", **step})
    assert {age: _width(made, age) for age in widths} == widths
    ages = np.array(list(widths))
    assert made.column("skill", "maxDistance", 100.0, ages).tolist() == list(widths.values())


def test_a_disabled_rule_is_gone() -> None:
    made = schedule({"target": "skill", "after": "30s", "disable": True})
    assert _width(made, 29) == 100
    assert _width(made, 30) is None
    assert made.column("skill", "maxDistance", 100.0, np.array([29.0, 30.0])).tolist() == [100.0, np.inf]


def test_a_weight_makes_a_hard_rule_a_preference() -> None:
    made = schedule({"target": "skill.weight", "after": "30s", "value": 2})
    assert made.at(29).rules[0].weight is None
    assert made.at(30).rules[0].weight == 2


def test_minimum_players_give_way() -> None:
    rules = rules_of(
        teams=[{"name": "side", "quantity": 2, "minPlayers": 5, "maxPlayers": 5}],
        expansions={"steps": [{"target": "side.minPlayers", "every": "10s", "by": -1, "limit": 3}]},
    )
    assert [schedule_of(rules).at(age).minimums["side"] for age in (0, 10, 20, 90)] == [5, 4, 3, 3]


def test_the_next_widening_is_told_until_there_is_none() -> None:
    made = schedule({"target": "skill.maxDistance", "every": "10s", "by": 20, "limit": 150})
    assert made.next_change(0) == 10
    assert made.next_change(25) == 5
    assert made.next_change(31) is None
    assert schedule({"target": "skill", "after": "30s", "disable": True}).next_change(40) is None


steps = st.lists(
    st.one_of(
        st.fixed_dictionaries({"after": st.sampled_from(["0s", "10s", "30s"]), "value": st.integers(0, 300)}),
        st.fixed_dictionaries(
            {"after": st.sampled_from(["0s", "10s"]), "every": st.sampled_from(["5s", "7s"]), "by": st.integers(-40, 40)}
        ),
        st.fixed_dictionaries(
            {"every": st.sampled_from(["5s", "7s"]), "by": st.integers(-40, 40), "limit": st.integers(0, 200)},
        ),
        st.fixed_dictionaries({"after": st.just("25s"), "disable": st.just(True)}),
    ),
    max_size=3,
)


@given(steps=steps, ages=st.lists(st.floats(0, 200), min_size=1, max_size=5))
def test_a_column_says_what_single_ages_say(steps: list[dict[str, object]], ages: list[float]) -> None:
    targeted = [{"target": "skill" if "disable" in step else "skill.maxDistance", **step} for step in steps]
    made = schedule(*targeted)
    single = [np.inf if _width(made, age) is None else _width(made, age) for age in ages]
    column = made.column("skill", "maxDistance", 100.0, np.array(ages))
    assert column.tolist() == pytest.approx(single)
    if made.only_grows("skill", "maxDistance"):
        in_order = made.column("skill", "maxDistance", 100.0, np.array(sorted(ages)))
        assert (np.diff(in_order[in_order < np.inf]) >= 0).all()
