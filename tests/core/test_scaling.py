"""When a matcher is worth starting."""

from typing import Any

import pytest

from matchmaking.core.pool import PoolRules, load_pool
from matchmaking.core.scaling import activation_length, desired_matchers

FIVES = [{"name": "side", "quantity": 2, "minPlayers": 5, "maxPlayers": 5}]
SPILLING = [{"name": "eu", "neighbors": ["us"]}, {"name": "us"}, {"name": "asia"}]


def pool(**spec: Any) -> PoolRules:
    manifest = {"apiVersion": "gamesessions.dev/v1alpha1", "kind": "MatchmakingPool", "metadata": {"name": "p"}}
    whole = {"regions": [{"name": "eu"}], "modes": ["ranked"], "teams": FIVES, **spec}
    return load_pool({**manifest, "spec": whole}).spec


@pytest.mark.parametrize(
    ("spec", "region", "length"),
    [
        ({}, "eu", 9),
        ({"party": {"maxSize": 5}}, "eu", 1),
        ({"regions": SPILLING}, "us", 0),  # one of its own, and the rest from `eu`
        ({"regions": SPILLING}, "eu", 9),  # nobody spills here
        ({"regions": SPILLING}, "asia", 9),
        ({"backfill": {"mode": "auto"}}, "eu", 1),  # a running match and one player
        ({"allocation": {"type": "webhook", "url": "http://127.0.0.1/allocate"}}, "eu", 1),  # its servers may ask for players
        ({"allocation": {"type": "webhook", "url": "http://127.0.0.1/allocate"}, "backfill": {"mode": "off"}}, "eu", 9),
    ],
)
def test_one_ticket_more_than_the_activation_may_make_a_match(spec: dict[str, Any], region: str, length: int) -> None:
    rules = pool(**spec)
    assert activation_length(rules, region) == length
    assert desired_matchers(rules, region, [length], 0) == 0
    assert desired_matchers(rules, region, [length + 1], 0) == 1
    assert desired_matchers(rules, region, [length + 1], 1) == 0
