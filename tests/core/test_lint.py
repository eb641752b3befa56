"""The lint: each kind of fault is found at its place, and what is right passes in silence."""

import argparse
import copy
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaking.commands import lint as command
from matchmaking.core.errors import InvalidPoolError
from matchmaking.core.pool import load_pool
from matchmaking.core.satisfiable import lint

POOLS = Path(__file__).parents[2] / "pools"

SOUND = yaml.safe_load("""
apiVersion: gamesessions.dev/v1alpha1
kind: MatchmakingPool
metadata: {name: sample}
spec:
  regions: [{name: eu, neighbors: [us]}, {name: us, neighbors: [eu]}]
  modes: [ranked]
  teams: [{name: side, quantity: 2, minPlayers: 5, maxPlayers: 5, roles: [{name: tank, min: 1, max: 1}]}]
  party: {maxSize: 5}
  rules:
    - {name: skill, type: distance, attribute: rating, maxDistance: 100}
    - {name: balance, type: teamDistance, attribute: rating, maxDistance: 50}
    - {name: ping, type: latency, maxLatencyMs: 80}
    - {name: maps, type: intersection, attribute: maps, minCount: 2}
    - {name: level, type: comparison, attribute: level, operator: ">=", value: 10}
    - {name: rematch, type: avoidRecentOpponents, releaseAfter: 60s}
    - {name: premade, type: party, maxSizeDifference: 1}
  expansions:
    steps:
      - {target: skill.maxDistance, after: 15s, value: 200}
      - {target: ping.maxLatencyMs, every: 10s, by: 20, limit: 140}
      - {target: balance, after: 90s, disable: true}
      - {target: maps.minCount, after: 30s, value: 1}
      - {target: level.value, every: 10s, by: -1, limit: 5}
""")


def pool(**changes):
    """The sound pool with some places of its spec changed: `rules__0__maxDistance=5`; None removes."""
    manifest = copy.deepcopy(SOUND)
    for path, value in changes.items():
        *way, last = [int(part) if part.isdigit() else part for part in path.split("__")]
        place = manifest["spec"]
        for part in way:
            place = place[part] if isinstance(part, int) else place.setdefault(part, {})
        if isinstance(place, list) and last == len(place):
            place.append(value)
        elif value is None:
            del place[last]
        else:
            place[last] = value
    return load_pool(manifest).spec


def step(**fields):
    return pool(expansions__steps__5=fields)


def test_a_sound_pool_passes():
    assert lint(pool()) == ()


@pytest.mark.parametrize("path", sorted(POOLS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_pool_passes(path):
    for document in yaml.safe_load_all(path.read_text()):
        assert lint(load_pool(document).spec) == ()


def test_the_references_example_passes():
    found = re.search(r"```yaml\n(.*?)```", (POOLS / "README.md").read_text(), re.DOTALL)
    assert found is not None
    assert lint(load_pool(yaml.safe_load(found[1])).spec) == ()


ERRORS = [
    (pool(regions__0__spillAfter="5m"), "spec.regions[0].spillAfter"),
    (pool(teams__0__name="skill"), "spec.teams[0].name"),
    (pool(teams__0__roles=[{"name": "tank", "min": 3}, {"name": "healer", "min": 3}]), "spec.teams[0].roles"),
    (pool(teams__0__roles=[{"name": "tank"}, {"name": "tank"}]), "spec.teams[0].roles[1]"),
    (pool(rules__6__largest=2), "spec.rules[6].largest"),
    (pool(rules__0__maxDistance=0, expansions__steps__0=None), "spec.rules[0].maxDistance"),
    (pool(rules__2__maxLatencyMs=0, expansions__steps__1=None), "spec.rules[2].maxLatencyMs"),
    (pool(rules__7={"name": "c", "type": "count", "attribute": "level", "value": 1, "min": 3, "max": 2}), "spec.rules[7].min"),
    (pool(rules__7={"name": "c", "type": "count", "attribute": "level", "value": 1, "min": 6, "teams": ["side"]}), "spec.rules[7].min"),
    (
        pool(
            teams__1={"name": "crowd", "minPlayers": 9, "maxPlayers": 12},
            rules__7={"name": "even", "type": "teamSize", "maxDifference": 3},
        ),
        "spec.rules[7].maxDifference",
    ),
    (step(target="side.tank.max", after="20s", value=0), "spec.expansions.steps[5].value"),
    (step(target="side.tank.count", after="20s", value=2), "spec.expansions.steps[5].target"),
    (pool(rules__4__value=None, expansions__steps__4=None), "spec.rules[4].value"),
    (pool(rules__4__value="ten", expansions__steps__4=None), "spec.rules[4].value"),
    (
        pool(expansions__steps__4=None, rules__7={"name": "low", "type": "comparison", "attribute": "level", "operator": "<", "value": 5}),
        "spec.rules[7].value",
    ),
    (pool(rules__5__releaseAfter="5m"), "spec.rules[5].releaseAfter"),
    (step(target="skill.maxSpread", after="20s", value=1), "spec.expansions.steps[5].target"),
    (step(target="side.maxPlayers", after="20s", value=4), "spec.expansions.steps[5].target"),
    (step(target="side", after="20s", disable=True), "spec.expansions.steps[5].target"),
    (step(target="skill.maxDistance", after="20s", disable=True), "spec.expansions.steps[5].target"),
    (step(target="ping.maxSpreadMs", after="20s", value=5), "spec.expansions.steps[5].target"),
    (step(target="skill.maxDistance", after="5m", value=300), "spec.expansions.steps[5].after"),
    (step(target="balance.maxDistance", every="5m", by=300), "spec.expansions.steps[5].every"),
    (step(target="skill.maxDistance", after="20s", value=150), "spec.expansions.steps[5].value"),
    (step(target="skill.maxDistance", after="15s", value=250), "spec.expansions.steps[5].after"),
    (step(target="skill.maxDistance", after="10s", value=250), "spec.expansions.steps[5].after"),
    (step(target="skill.maxDistance", after="20s", value=250, by=5), "spec.expansions.steps[5]"),
    (step(target="skill.maxDistance", after="20s", every="5s", by=-5), "spec.expansions.steps[5].by"),
    (step(target="skill.maxDistance", after="20s", every="5s", by=0), "spec.expansions.steps[5].by"),
    (step(target="skill.maxDistance", after="20s", every="5s", by=5, limit=150), "spec.expansions.steps[5].limit"),
    (step(target="maps.minCount", after="60s", value=2), "spec.expansions.steps[5].value"),
    (step(target="maps.minCount", after="60s", value=0), "spec.expansions.steps[5].value"),
    (step(target="maps.minCount", after="60s", value=0.5), "spec.expansions.steps[5].value"),
    (step(target="side.minPlayers", after="60s", value=6), "spec.expansions.steps[5].value"),
    (step(target="level.value", after="60s", value=20), "spec.expansions.steps[5].value"),
    (step(target="balance.maxDistance", after="90s", value=100), "spec.expansions.steps[5].after"),
    (pool(allocation={"type": "webhook"}), "spec.allocation.url"),
    (pool(allocation={"type": "agones"}), "spec.allocation.fleet"),
]


@pytest.mark.parametrize(("rules", "path"), ERRORS, ids=[f"{i}-{path}" for i, (_, path) in enumerate(ERRORS)])
def test_what_cannot_work_is_an_error_at_its_place(rules, path):
    found = [finding for finding in lint(rules) if finding.severity == "error"]
    assert path in {finding.path for finding in found}
    assert all(finding.message and finding.proposal for finding in found)


WARNINGS = [
    (pool(rules__7={"name": "c", "type": "count", "attribute": "level", "value": 1}), "spec.rules[7]"),
    (pool(rules__7={"name": "even", "type": "teamSize"}), "spec.rules[7]"),
    (pool(regions__1__neighbors=[]), "spec.regions[0].neighbors[0]"),
    (pool(teams__0__minPlayers=3, teams__0__roles=[{"name": "tank", "min": 4}]), "spec.teams[0].minPlayers"),
    (pool(teams__0__roles=[{"name": "tank", "max": 1}, {"name": "healer", "max": 2}]), "spec.teams[0].roles"),
    (pool(teams__0__roles=[{"name": "tank", "weight": 2}]), "spec.teams[0].roles[0].weight"),
    (pool(rules__6={"name": "premade", "type": "party"}), "spec.rules[6]"),
    (pool(rules__7={"name": "again", "type": "distance", "maxDistance": 300}), "spec.rules[7]"),
    (pool(rules__7={"name": "blocked", "type": "blocklist", "weight": 2}), "spec.rules[7].weight"),
    (pool(rules__2__maxSpreadMs=100), "spec.rules[2].maxSpreadMs"),
    (
        pool(rules__0={"name": "skill", "type": "distance", "attribute": "level", "maxDistance": 9, "uncertainty": 1}),
        "spec.rules[0].uncertainty",
    ),
    (pool(rating={"system": "glicko2", "initial": {"mu": 25, "sigma": 8}}), "spec.rating.initial.sigma"),
    (pool(ticket__ttl="150s"), "spec.priority.starvationBound"),
    (pool(priority__backfillHeadStart="4m"), "spec.priority.backfillHeadStart"),
    (pool(ticket__reconnectGrace="6m"), "spec.ticket.reconnectGrace"),
    (pool(slo__waitP95="6m"), "spec.slo.waitP95"),
    (pool(scaling__idleTimeout="10m"), "spec.scaling.idleTimeout"),
    (pool(acceptance__cooldowns=["5m", "1m"]), "spec.acceptance.cooldowns[1]"),
    (pool(backfill__minRemaining="45m"), "spec.backfill.minRemaining"),
    (step(target="skill.maxDistance", after="20s", value=200), "spec.expansions.steps[5].value"),
    (step(target="balance.maxDistance", value=100), "spec.expansions.steps[5].after"),
]


@pytest.mark.parametrize(("rules", "path"), WARNINGS, ids=[f"{i}-{path}" for i, (_, path) in enumerate(WARNINGS)])
def test_what_is_hardly_meant_is_a_warning_and_no_error(rules, path):
    found = lint(rules)
    assert path in {finding.path for finding in found}
    assert {finding.severity for finding in found} == {"warning"}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"rules__4__teams": ["nobody"]}, "spec.rules[4].teams[0]"),
        ({"rules__7": {"name": "t", "type": "teamComparison", "team": "side", "otherTeam": "them"}}, "spec.rules[7].otherTeam"),
        ({"attributes": [{"name": "level"}]}, "spec.attributes[0]"),
        ({"attributes": [{"name": "level", "number": 1}, {"name": "level", "number": 2}]}, "spec.attributes[1]"),
        ({"attributes": [{"name": "rating", "number": 1}]}, "spec.attributes[0].name"),
        ({"expansions__steps__5": {"target": "side.mage.min", "after": "20s", "value": 0}}, "spec.expansions.steps[5].target"),
        ({"expansions__steps__5": {"target": "side.mage", "after": "20s", "disable": True}}, "spec.expansions.steps[5].target"),
        ({"expansions__steps__5": {"target": "side.tank", "after": "20s", "value": 1}}, "spec.expansions.steps[5].target"),
        ({"rules__0__maxDistance": -1}, "spec.rules[0].maxDistance"),
        ({"rules__0__maxDistance": float("nan")}, "spec.rules[0].maxDistance"),
        ({"rules__0__weight": float("nan")}, "spec.rules[0].weight"),
        ({"expansions__steps__0__value": float("nan")}, "spec.expansions.steps[0].value"),
        ({"rules__0__maxDistance": float("inf")}, "spec.rules[0].maxDistance"),
    ],
)
def test_what_is_no_pool_at_all_is_refused_at_its_place(changes, path):
    with pytest.raises(InvalidPoolError) as refused:
        pool(**changes)
    assert refused.value.path == path


def test_an_expansion_excuses_a_start_that_cannot_match():
    assert not [f for f in lint(pool(rules__2__maxLatencyMs=0)) if f.severity == "error"]
    assert not lint(pool(rules__5={"name": "rematch", "type": "avoidRecentOpponents", "releaseAfter": "6m", "weight": 1}))


NAMES = ["skill", "balance", "ping", "maps", "level", "rematch", "premade", "side"]
FIELDS = ["maxDistance", "maxLatencyMs", "maxSpreadMs", "minCount", "value", "weight", "releaseAfter", "largest", "minPlayers", "nonsense"]
STEPS = st.fixed_dictionaries(
    {"target": st.one_of(st.sampled_from(NAMES), st.builds("{}.{}".format, st.sampled_from(NAMES), st.sampled_from(FIELDS)))},
    optional={
        "after": st.integers(0, 400),
        "value": st.floats(0, 1000),
        "every": st.integers(1, 400),
        "by": st.floats(-100, 100),
        "limit": st.floats(0, 1000),
        "disable": st.just(True),
    },
)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=6))
def test_whatever_loads_can_be_linted(steps):
    try:
        rules = pool(expansions={"steps": steps})
    except InvalidPoolError:
        return
    for finding in lint(rules):
        assert finding.path.startswith("spec.")
        assert finding.severity in {"error", "warning"}


def run(*paths):
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return command.run(parser.parse_args([str(path) for path in paths]))


def test_the_command_prints_path_message_and_proposal(tmp_path, capsys):
    bad = copy.deepcopy(SOUND)
    bad["spec"]["expansions"]["steps"][0]["value"] = 50
    refused = copy.deepcopy(SOUND)
    refused["spec"]["party"]["maxSize"] = 9
    file = tmp_path / "pools.yaml"
    file.write_text(yaml.safe_dump_all([SOUND, bad, refused]))
    assert run(file) == 1
    out = capsys.readouterr().out
    assert "[1]: error: spec.expansions.steps[0].value: `skill.maxDistance` goes from 100 to 50" in out
    assert "[2]: error: spec.party.maxSize: a party of 9 fits into no team" in out
    assert out.endswith("3 pools: 2 errors, 0 warnings\n")


def test_the_command_passes_warnings_and_shipped_pools(tmp_path, capsys):
    file = tmp_path / "pool.yaml"
    file.write_text(yaml.safe_dump(SOUND | {"spec": SOUND["spec"] | {"slo": {"waitP95": "6m"}}}))
    assert run(file, POOLS / "duel.yaml") == 0
    assert "2 pools: 0 errors, 1 warning" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "a: [", "", "\xff"], ids=["missing", "no yaml", "empty", "no text"])
def test_the_command_says_when_it_cannot_read(tmp_path, capsys, content):
    file = tmp_path / "pool.yaml"
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
    assert run(file) == 2
    assert capsys.readouterr().err.startswith(f"matchmaking lint: {file}: ")


@pytest.mark.parametrize("document", ["just text", "[1, 2]", "{kind: MatchmakingPool}"])
def test_the_command_reports_what_is_no_pool(tmp_path, capsys, document):
    file = tmp_path / "pool.yaml"
    file.write_text(document)
    assert run(file) == 1
    assert ": error: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "proposal"),
    [
        ({"rules__0__type": "distanse"}, "use one of distance, "),
        ({"rules__0__maxDistanse": 5}, "write `maxDistance`"),
        ({"tickets": {}}, "write `ticket`"),
        ({"rules__0__maxDistance": -5}, "pools/README.md"),
    ],
)
def test_what_the_schema_refuses_comes_with_a_proposal(changes, proposal):
    manifest = copy.deepcopy(SOUND)
    for path, value in changes.items():
        *way, last = [int(part) if part.isdigit() else part for part in path.split("__")]
        place = manifest["spec"]
        for part in way:
            place = place[part]
        place[last] = value
    [finding] = command.findings_of(manifest)
    assert proposal in finding.proposal
    assert finding.severity == "error"


def compared(*rules, **attribute):
    return pool(rules__7={"name": "x", "attribute": "kit", **rules[0]}, attributes=[{"name": "kit", **attribute}])


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        (pool(rules__7={"name": "x", "type": "intersection", "attribute": "rating"}), "spec.rules[7].attribute"),
        (compared({"type": "distance", "maxDistance": 5}, word="three"), "spec.attributes[0]"),
        (compared({"type": "teamDistance", "maxDistance": 5}, words=["three"]), "spec.attributes[0]"),
        (compared({"type": "intersection"}, number=3), "spec.attributes[0].number"),
        (compared({"type": "comparison", "operator": "<", "value": 7}, word="three"), "spec.attributes[0].word"),
        (compared({"type": "comparison"}, words=["three"]), "spec.attributes[0].words"),
    ],
)
def test_an_attribute_that_its_rule_cannot_judge_is_an_error(rules, path):
    assert [(finding.severity, finding.path) for finding in lint(rules)] == [("error", path)]


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        (compared({"type": "comparison", "operator": ">=", "value": 13}, number=12), "spec.attributes[0].number"),
        (compared({"type": "intersection", "minCount": 2}, words=["bow"]), "spec.attributes[0].words"),
    ],
)
def test_a_default_with_which_nobody_is_ever_matched_is_warned_of(rules, path):
    assert [(finding.severity, finding.path) for finding in lint(rules)] == [("warning", path)]


@pytest.mark.parametrize(
    "rules",
    [
        compared({"type": "comparison", "operator": ">=", "value": 13}, number=13),
        compared({"type": "comparison", "operator": ">=", "value": 13, "weight": 2}, number=12),
        compared({"type": "intersection", "minCount": 2}, words=["bow", "axe"]),
    ],
)
def test_a_default_that_its_rule_admits_passes(rules):
    assert lint(rules) == ()


def test_all_alike_and_all_different_contradict_each_other():
    alike, different = ({"name": name, "type": "comparison", "attribute": "hero", "operator": name} for name in ("=", "!="))
    alike["name"], different["name"] = "alike", "different"
    [finding] = lint(pool(rules__7=alike, rules__8=different))
    assert (finding.severity, finding.path) == ("error", "spec.rules[8].operator")
    assert "`alike`" in finding.message
    assert lint(pool(rules__7=alike, rules__8={**different, "weight": 1})) == ()


def test_a_line_in_the_wrong_direction_is_told_the_right_one():
    [finding] = lint(step(target="skill.maxDistance", after="20s", every="5s", by=-5))
    assert finding.proposal.startswith("write 5;")
