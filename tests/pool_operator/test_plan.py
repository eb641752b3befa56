"""The plan is pure: golden files show every object, and the tests say what matters in them.

`GOLDEN=write pytest tests/pool_operator` writes the golden files anew; read the difference before you commit it.
"""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from matchmaking.core.pool import load_pool
from matchmaking_operator.manifests import Identity
from matchmaking_operator.names import LONGEST, object_name
from matchmaking_operator.options import DashboardHome, MatcherPod, Options, RedisTrigger
from matchmaking_operator.plan import declared, plan
from pool_operator.pools import OPTIONS, resource

GOLDEN = Path(__file__).parent / "golden"
VARIANTS: dict[str, tuple[dict[str, Any], Options]] = {
    "duel": (resource("duel"), OPTIONS),
    "squads-suspended": (resource("squads", suspend=True, dashboards={"enabled": False}, alerts={"enabled": False}), OPTIONS),
    "sentinel": (
        resource(
            "squads", regions=[{"name": "local"}], modes=["ranked"], scaling={"minMatchers": 1, "lifetime": "5m", "pollingInterval": "3s"}
        ),
        Options(
            RedisTrigger("s-0:26379,s-1:26379", "redis-sentinel", tls=True, database=2, sentinel_master="games"),
            MatcherPod(
                "registry.example/gsm:1",
                "redis-url",
                pull_secrets=("registry",),
                run_as_user=10001,
                resources={"requests": {"cpu": "100m", "memory": "64Mi"}},
                extra={"nodeSelector": {"kubernetes.io/arch": "amd64"}},
                redis_authority="redis-authority",
            ),
            DashboardHome("GrafanaDashboard", instance_selector={"dashboards": "grafana"}),
        ),
    ),
}


class _Plain(yaml.SafeDumper):
    """YAML without anchors, and texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Plain.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)
)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_object_is_as_in_the_golden_file(name: str) -> None:
    pool, options = VARIANTS[name]
    read = declared(pool)
    assert read.rules is not None
    made = plan(read.identity, read.rules, options)
    text = yaml.dump_all((*made.matchers, *made.dashboards, *made.alerts), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=150)
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("GOLDEN") == "write":
        file.write_text(text)
    assert file.read_text() == text


def test_matchers_of_every_pool_follow_the_rules_for_scaled_jobs() -> None:
    read = declared(resource("duel"))
    assert read.rules is not None
    for job in plan(read.identity, read.rules, OPTIONS).matchers:
        spec = job["spec"]
        target, pod = spec["jobTargetRef"], spec["jobTargetRef"]["template"]["spec"]
        assert spec["rollout"] == {"strategy": "gradual"}, "the default kills running jobs on every edit"
        assert target["activeDeadlineSeconds"] > read.rules.scaling.lifetime, "a hung job would starve its queue"
        assert (target["backoffLimit"], pod["restartPolicy"], pod["automountServiceAccountToken"]) == (0, "Never", False)
        region = job["metadata"]["labels"]["gamesessions.dev/region"]
        active = "1" if region == "local" else "0"  # elsewhere a neighbour's player may be the other one
        assert {each["metadata"]["activationListLength"] for each in spec["triggers"]} == {active}, "one ticket alone starts nobody"
        assert {each["metadata"]["listName"] for each in spec["triggers"]} == {
            f"pool:{{duel}}:queue:{region}:{mode}:waiting" for mode in read.rules.modes
        }
        (owner,) = job["metadata"]["ownerReferences"]
        assert (owner["controller"], owner["blockOwnerDeletion"]) == (True, False), "deleting a pool must not wait for anything"


def test_a_pool_is_recorded_where_it_asks_and_the_installation_has_a_volume() -> None:
    claim = {"persistentVolumeClaim": {"claimName": "recordings"}}
    pod = msgspec.structs.replace(
        OPTIONS.matcher, record_volume=claim, run_as_user=65532, extra={"volumes": [{"name": "own", "emptyDir": {}}]}
    )
    home = msgspec.structs.replace(OPTIONS, matcher=pod)
    for asked, options, recorded in ((True, home, True), (False, home, False), (True, OPTIONS, False)):
        read = declared(resource("duel", recording={"enabled": asked}))
        assert read.rules is not None
        made = plan(read.identity, read.rules, options)
        spec = made.matchers[0]["spec"]["jobTargetRef"]["template"]["spec"]
        (container,) = spec["containers"]
        assert ({"name": "MATCHMAKING_RECORD_TO", "value": "/recordings"} in container["env"]) == recorded
        assert container.get("volumeMounts", []) == ([{"name": "recordings", "mountPath": "/recordings"}] if recorded else [])
        own = [{"name": "own", "emptyDir": {}}] if options is home else []
        assert spec.get("volumes", []) == own + ([{"name": "recordings", **claim}] if recorded else [])
        assert spec["securityContext"].get("fsGroup") == (65532 if recorded else None), "else nobody could write"
        assert made.unrecorded == (asked and not recorded)


def test_a_bucket_for_records_needs_no_volume() -> None:
    pod = msgspec.structs.replace(OPTIONS.matcher, record_bucket="s3://games/records", record_secret="records", run_as_user=65532)
    read = declared(resource("duel", recording={"enabled": True}))
    assert read.rules is not None
    made = plan(read.identity, read.rules, msgspec.structs.replace(OPTIONS, matcher=pod))
    spec = made.matchers[0]["spec"]["jobTargetRef"]["template"]["spec"]
    (container,) = spec["containers"]
    assert {"name": "MATCHMAKING_RECORD_TO", "value": "s3://games/records"} in container["env"]
    assert container["envFrom"] == [{"secretRef": {"name": "records"}}]
    assert "volumes" not in spec
    assert not made.unrecorded


def test_expansions_that_lower_a_teams_minimum_lower_the_activation() -> None:
    teams = [{"name": "side", "quantity": 2, "minPlayers": 5, "maxPlayers": 5}]
    steps = [{"target": "side.minPlayers", "after": "30s", "value": 2}]
    read = declared(resource("squads", teams=teams, rules=[], party={"maxSize": 1}, expansions={"steps": steps}))
    assert read.rules is not None
    (job, *_) = plan(read.identity, read.rules, OPTIONS).matchers
    assert job["spec"]["triggers"][0]["metadata"]["activationListLength"] == "3"


def test_names_are_cut_and_cannot_meet() -> None:
    assert object_name("duel", "eu-west") == "duel-eu-west"
    assert object_name("a-b", "c") != object_name("a", "b-c") == "a-b-c"
    long = object_name("p" * 63, "r" * 63)
    assert len(long) <= LONGEST
    assert long != object_name("p" * 63, "r" * 62)


def test_names_of_63_characters_fit_labels_and_keys() -> None:
    read = declared(resource("duel", regions=[{"name": "r" * 63}], modes=["m" * 63]))
    assert read.rules is not None
    (job,) = plan(Identity("p" * 63, "games", "u"), read.rules, OPTIONS).matchers
    assert all(len(value) <= 63 for value in job["metadata"]["labels"].values())
    assert job["spec"]["triggers"][0]["metadata"]["listName"] == f"pool:{{{'p' * 63}}}:queue:{'r' * 63}:{'m' * 63}:waiting"


def test_dashboards_and_alerts_only_use_metrics_that_exist() -> None:
    from matchmaking.telemetry.metrics import METRICS, series

    known = {name for metric in METRICS for name in series(metric)}
    read = declared(resource("duel"))
    assert read.rules is not None
    made = plan(read.identity, read.rules, OPTIONS)
    board = json.loads(next(iter(made.dashboards[0]["data"].values())))
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    expressions += [rule["expr"] for group in made.alerts[0]["spec"]["groups"] for rule in group["rules"]]
    assert len(expressions) >= 8
    import re

    used = {name for expression in expressions for name in re.findall(r"\b((?:game|matchmaking)_\w+)", expression)}
    assert used <= known


def test_a_spec_that_is_no_pool_is_a_finding() -> None:
    read = declared(resource("duel", modes=[]))
    assert read.rules is None
    assert read.problem is not None
    assert read.problem.path == "spec.modes"
    unsatisfiable = declared(resource("duel", expansions={"steps": [{"target": "skill", "after": "10m", "disable": True}]}))
    assert [finding.path for finding in unsatisfiable.errors] == ["spec.expansions.steps[0].after"]


def test_a_plan_does_not_depend_on_when_it_is_made() -> None:
    read = declared(resource("squads"))
    rules = load_pool(resource("squads") | {"metadata": {"name": "squads"}}).spec
    assert read.rules == rules
    assert msgspec.json.encode(plan(read.identity, rules, OPTIONS)) == msgspec.json.encode(plan(read.identity, rules, OPTIONS))
