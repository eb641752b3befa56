"""What the API server makes of the CustomResourceDefinition: what it refuses and with which words, what it explains, what it shows."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from matchmaking.commands.crd import manifest
from pool_operator.kubectl import RefusedError, apply, kubectl
from pool_operator.pools import POOLS

pytestmark = pytest.mark.cluster

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module", autouse=True)
def _definition() -> None:
    apply(yaml.safe_load(manifest()), "--server-side", "--force-conflicts")
    kubectl("wait", "--for=condition=Established", "crd/matchmakingpools.gamesessions.dev", "--timeout=30s")


def pool(name: str = "squads") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((POOLS / f"{name}.yaml").read_text())
    found["metadata"]["namespace"] = "default"
    return found


def regions(count: int) -> list[dict[str, Any]]:
    return [{"name": f"region-{n}"} for n in range(count)]


def rule(**fields: Any) -> Change:
    return lambda spec: spec["rules"].append({"name": "added", **fields})


def step(**fields: Any) -> Change:
    return lambda spec: spec["expansions"]["steps"].append(fields)


def put(section: str, **fields: Any) -> Change:
    return lambda spec: spec.setdefault(section, {}).update(fields)


def team(**fields: Any) -> Change:
    return lambda spec: spec["teams"][0].update(fields)


def whole(**fields: Any) -> Change:
    return lambda spec: spec.update(fields)


REFUSED: dict[str, tuple[Change, str, str]] = {  # what is wrong → the change, the path that the error names, words that it says
    "65 regions": (whole(regions=regions(65)), "spec.regions", "must have at most 64 items"),
    "no regions": (whole(regions=[]), "spec.regions", "should have at least 1 items"),
    "a region twice": (whole(regions=[{"name": "local"}] * 2), "spec.regions[1]", "Duplicate value"),
    "a mode twice": (whole(modes=["ranked", "ranked"]), "spec.modes[1]", "Duplicate value"),
    "a rule twice": (lambda spec: spec["rules"].append(spec["rules"][0]), "spec.rules[2]", "Duplicate value"),
    "an unknown field": (put("scaling", maxMatcher=3), "spec.scaling.maxMatcher", "unknown field"),
    "an unknown field of a rule": (rule(type="blocklist", size=3), "spec.rules[2].size", "unknown field"),
    "a field of another type of rule": (
        rule(type="blocklist", maxDistance=3),
        "spec.rules[2].maxDistance",
        "only rules of type distance or teamDistance",
    ),
    "a rule without its field": (rule(type="latency"), "spec.rules[2]", "rules of type latency need maxLatencyMs"),
    "an unknown type of rule": (rule(type="astrology"), "spec.rules[2].type", "Unsupported value"),
    "a rule without a type": (rule(), "spec.rules[2].type", "Required value"),
    "an unknown target": (step(target="luck.maxDistance", after="5s", value=1), "spec.expansions.steps", "name of a rule or a team"),
    "a target without a field": (step(target="skill", after="5s", value=1), "spec.expansions.steps[3].target", "say which field changes"),
    "a step that does two things": (
        step(target="skill.maxDistance", value=1, disable=True),
        "spec.expansions.steps[3]",
        "give exactly one of",
    ),
    "a step without its amount": (step(target="skill.maxDistance", every="5s"), "spec.expansions.steps[3]", "`every` needs `by`"),
    "a negative window": (lambda spec: spec["rules"][0].update(maxDistance=-1), "spec.rules[0].maxDistance", "greater than or equal to 0"),
    "a weight of nothing": (lambda spec: spec["rules"][0].update(weight=0), "spec.rules[0].weight", "greater than 0"),
    "minPlayers over maxPlayers": (team(minPlayers=6), "spec.teams[0].minPlayers", "must not be over maxPlayers"),
    "a role's min over its max": (team(roles=[{"name": "tank", "min": 2, "max": 1}]), "spec.teams[0].roles[0].min", "must not be over max"),
    "a party too large for every team": (put("party", maxSize=6), "spec.party.maxSize", "fits into no team"),
    "a match of one": (
        whole(teams=[{"name": "side"}], party={"maxSize": 1}),
        "spec.teams",
        "at least two players",
    ),
    "an unknown neighbor": (whole(regions=[{"name": "local", "neighbors": ["mars"]}]), "spec.regions", "every neighbor is a region"),
    "a region beside itself": (
        whole(regions=[{"name": "local", "neighbors": ["local"]}]),
        "spec.regions[0].neighbors",
        "no neighbor of itself",
    ),
    "a duration without a unit": (put("ticket", ttl="5"), "spec.ticket.ttl", "should match"),
    "a negative duration": (put("ticket", ttl="-5s"), "spec.ticket.ttl", "should match"),
    "a duration of a year": (put("ticket", ttl="8760h"), "spec.ticket.ttl", "at most 168h"),
    "a duration that is a number": (put("ticket", ttl=5), "spec.ticket.ttl", "must be of type string"),
    "more matchers at least than at most": (put("scaling", minMatchers=9), "spec.scaling.minMatchers", "must not be over maxMatchers"),
    "a poll of less than a second": (put("scaling", pollingInterval="500ms"), "spec.scaling.pollingInterval", "whole seconds"),
    "a mode of 64 characters": (whole(modes=["m" * 64]), "spec.modes[0]", "may not be more than 63 bytes"),
    "a mode with a colon": (whole(modes=["a:b"]), "spec.modes[0]", "should match"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_wrong_pool_is_refused_with_its_fields_path(what: str) -> None:
    change, path, words = REFUSED[what]
    wrong = copy.deepcopy(pool())
    change(wrong["spec"])
    with pytest.raises(RefusedError) as refusal:
        apply(wrong, "--dry-run=server")
    assert path in str(refusal.value)
    assert words in str(refusal.value)


@pytest.mark.parametrize("name", ["a.b", "p" * 64])
def test_a_pools_name_must_fit_keys_and_labels(name: str) -> None:
    wrong = pool()
    wrong["metadata"]["name"] = name
    with pytest.raises(RefusedError, match="at most 63 lower-case letters, digits and dashes, no dots"):
        apply(wrong, "--dry-run=server")


def test_the_largest_pool_is_taken() -> None:
    """Every list full: the rules' cost must stay within what the API server grants at run time too."""
    largest = pool()
    names = [f"{n:02}" + "r" * 61 for n in range(64)]
    largest["metadata"]["name"] = "p" * 63
    largest["spec"] |= {
        "regions": [{"name": name, "neighbors": [other for other in names if other != name][:16]} for name in names],
        "modes": [f"{n:02}" + "m" * 61 for n in range(16)],
        "teams": [{"name": f"t{n}", "maxPlayers": 5, "roles": [{"name": f"role-{k}"} for k in range(16)]} for n in range(16)],
        "rules": [{"name": f"rule-{n}", "type": "distance", "maxDistance": 1} for n in range(32)],
        "expansions": {"steps": [{"target": f"rule-{n % 32}.maxDistance", "after": f"{n + 1}s", "value": n + 2} for n in range(64)]},
    }
    assert "created" in apply(largest, "--dry-run=server")


@pytest.mark.parametrize("path", sorted(POOLS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_pool_that_we_ship_is_taken(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        document["metadata"]["namespace"] = "default"
        assert "created" in apply(document, "--dry-run=server")


def test_kubectl_explains_every_section() -> None:
    told = kubectl("explain", "mmp.spec.rules")
    assert "What a match must keep (hard), or should keep (with `weight`)." in told
    for words in ("maxLatencyMs", "The longest round trip of any player, milliseconds.", "Only for: latency."):
        assert words in told
    assert "`distance`: Each ticket's number stays within" in " ".join(kubectl("explain", "mmp.spec.rules.type").split())
    assert "Default: 5m." in kubectl("explain", "mmp.spec.ticket.ttl")
    assert "matchmakingpools" in kubectl("api-resources", "--categories=matchmaking")
