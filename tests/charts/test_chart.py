"""The chart's manifests, as helm renders them."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from charts.conftest import CLUSTER_MODE, PRODUCTION, TRIAL, Render, one, pod_of
from support.cluster import CHART, CommandError, Manifest, helm
from support.redis_users import ROLES, acl_line

ROOT = Path(__file__).parents[2]
WORKLOADS = ("Deployment", "StatefulSet", "Pod")
ALL = pytest.mark.parametrize("values", [TRIAL, PRODUCTION, CLUSTER_MODE], ids=["trial", "sentinel", "cluster"])


def environment(manifest: Manifest) -> dict[str, object]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in pod_of(manifest)["containers"][0]["env"]}


@ALL
def test_lint_finds_nothing(render: Render, values: Manifest) -> None:
    assert "0 chart(s) failed" in helm(
        "lint", "--strict", str(CHART), "--kube-version", "1.33", "--set", "keda.require=false", values=[values]
    )


@ALL
def test_every_pod_is_restricted_and_writes_nowhere(render: Render, values: Manifest) -> None:
    pods = [pod_of(each) for each in render(values) if each["kind"] in WORKLOADS]
    assert len(pods) >= 3
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]


@ALL
def test_only_the_operator_has_a_token_for_the_api_server(render: Render, values: Manifest) -> None:
    with_token = [
        each["metadata"]["name"]
        for each in render(values)
        if each["kind"] in WORKLOADS and pod_of(each).get("automountServiceAccountToken", True)
    ]
    assert with_token == ["gsm-game-session-manager-operator"]


def test_recordings_have_the_volume_that_is_named(render: Render) -> None:
    assert "RECORD_VOLUME" not in yaml.safe_dump_all(render(TRIAL))
    operator = environment(
        one(render(TRIAL, {"recording": {"volume": {"nfs": {"server": "files", "path": "/r"}}}}), "Deployment", "-operator")
    )
    assert json.loads(str(operator["MATCHMAKING_OPERATOR_RECORD_VOLUME"])) == {"nfs": {"server": "files", "path": "/r"}}


def test_recordings_go_to_the_bucket_that_is_named(render: Render) -> None:
    values = {"recording": {"bucket": "s3://games/records", "secret": "records"}}
    operator = environment(one(render(TRIAL, values), "Deployment", "-operator"))
    assert operator["MATCHMAKING_OPERATOR_RECORD_BUCKET"] == "s3://games/records"
    assert operator["MATCHMAKING_OPERATOR_RECORD_SECRET"] == "records"
    with pytest.raises(CommandError, match="recording"):
        render(TRIAL, {"recording": {"bucket": "https://elsewhere"}})


def test_traces_are_off_unless_a_collector_is_named(render: Render) -> None:
    assert "MATCHMAKING_TRACES_URL" not in yaml.safe_dump_all(render(TRIAL))
    manifests = render(TRIAL, {"traces": {"url": "http://collector:4318", "ratio": 0.25}})
    gateway, operator = (environment(one(manifests, "Deployment", part)) for part in ("-gateway", "-operator"))
    assert gateway["MATCHMAKING_TRACES_URL"] == "http://collector:4318"
    assert gateway["MATCHMAKING_TRACES_RATIO"] == "0.25"
    assert json.loads(str(operator["MATCHMAKING_OPERATOR_MATCHER_ENVIRONMENT"])) == {
        "MATCHMAKING_LOG_LEVEL": "INFO",
        "MATCHMAKING_TRACES_URL": "http://collector:4318",
    }


def test_gateways_are_scaled_by_presence_alone(render: Render) -> None:
    manifests = render(TRIAL)
    assert "replicas" not in one(manifests, "Deployment", "-gateway")["spec"]
    scaled = one(manifests, "ScaledObject")["spec"]
    assert scaled["minReplicaCount"] == 2
    assert scaled["triggers"][0]["metadata"] == {
        "address": "gsm-game-session-manager-redis.games.svc:6379",
        "listName": "presence",
        "listLength": "4000",
    }


def test_a_gateway_has_time_to_send_its_players_away(render: Render) -> None:
    pod = pod_of(one(render(TRIAL, {"gateway": {"drainSeconds": 30, "preStopSeconds": 5}}), "Deployment", "-gateway"))
    assert pod["terminationGracePeriodSeconds"] > 30 + 5
    assert environment(one(render(TRIAL, {"gateway": {"drainSeconds": 30}}), "Deployment", "-gateway"))["MATCHMAKING_DRAIN_SECONDS"] == "30"


def test_each_process_gets_its_own_redis_user_and_no_other(render: Render) -> None:
    manifests = render(TRIAL)
    used = {each: environment(one(manifests, "Deployment", f"-{each}"))["MATCHMAKING_REDIS_URL"] for each in ("gateway", "operator")}
    assert used["gateway"] == {"secretKeyRef": {"name": "gsm-game-session-manager-redis-gateway", "key": "url"}}
    assert used["operator"] == {"secretKeyRef": {"name": "gsm-game-session-manager-redis-operator", "key": "url"}}
    assert (
        environment(one(manifests, "Deployment", "-operator"))["MATCHMAKING_OPERATOR_REDIS_SECRET"]
        == "gsm-game-session-manager-redis-matcher"
    )


def test_redis_knows_the_users_that_the_secrets_name(render: Render) -> None:
    manifests = render(TRIAL)
    lines = one(manifests, "Secret", "-redis-users")["stringData"]["users.acl"].splitlines()
    assert lines[0] == "user default off resetpass ~* &* +@all"
    for role in ROLES:
        password = one(manifests, "Secret", f"-redis-{role}")["stringData"]["password"]
        assert acl_line(role, password) in lines


def test_urls_for_redis_of_ones_own(render: Render) -> None:
    sentinel = one(render(PRODUCTION), "Secret", "-redis-gateway")["stringData"]["url"]
    assert sentinel == "rediss+sentinel://gateway:g%2F%40%20%2B%25@s0.example:26379,s1.example:26379/primary/0"
    cluster = one(render(CLUSTER_MODE), "Secret", "-redis-gateway")["stringData"]["url"]
    assert cluster == "redis+cluster://gateway:gateway@r0.example:6379"


def test_keda_reaches_redis_of_ones_own(render: Render) -> None:
    manifests = render(PRODUCTION)
    trigger = one(manifests, "ScaledObject")["spec"]["triggers"][0]
    assert trigger["type"] == "redis-sentinel"
    assert trigger["metadata"]["addresses"] == "s0.example:26379,s1.example:26379"
    assert trigger["metadata"]["sentinelMaster"] == "primary"
    assert trigger["metadata"]["enableTLS"] == "true"
    parameters = {
        each["parameter"]: (each["name"], each["key"]) for each in one(manifests, "TriggerAuthentication")["spec"]["secretTargetRef"]
    }
    assert parameters == {
        "username": ("keda-redis", "username"),
        "password": ("keda-redis", "password"),
        "ca": ("redis-authority", "ca.crt"),
    }
    told = environment(one(manifests, "Deployment", "-operator"))
    assert told["MATCHMAKING_OPERATOR_REDIS_AUTHORITY_SECRET"] == "redis-authority"
    assert told["MATCHMAKING_OPERATOR_TRIGGER_TYPE"] == "redis-sentinel"
    assert told["MATCHMAKING_OPERATOR_TRIGGER_SENTINEL_MASTER"] == "primary"


def test_another_way_to_redis_replaces_the_pods_that_know_the_old_one(render: Render) -> None:
    def checksums(**redis: object) -> list[str | None]:
        manifests = render(PRODUCTION, {"externalRedis": redis})
        pods = (one(manifests, "Deployment", part)["spec"]["template"]["metadata"] for part in ("-gateway", "-operator"))
        return [(pod.get("annotations") or {}).get("checksum/redis") for pod in pods]

    before = checksums()
    assert None not in before
    assert checksums(addresses=["elsewhere:26379"]) != before
    assert checksums(users={"gateway": {"username": "other"}}) != before
    assert checksums(users={"gateway": {"password": "other"}}) == before, "a hash of a password would help whoever guesses it"
    assert "checksum/redis" not in yaml.safe_dump_all(render(TRIAL))


def test_gateways_may_allocate_game_servers_and_nothing_else_if_agones_is_named(render: Render) -> None:
    manifests = render(TRIAL, {"gateway": {"agonesNamespace": "fleets"}})
    gateway = one(manifests, "Deployment", "-gateway")
    assert environment(gateway)["MATCHMAKING_AGONES_NAMESPACE"] == "fleets"
    account = one(manifests, "ServiceAccount", "-gateway")["metadata"]["name"]
    assert pod_of(gateway)["serviceAccountName"] == account
    assert pod_of(gateway)["automountServiceAccountToken"] is True
    role, binding = one(manifests, "Role", "-gateway"), one(manifests, "RoleBinding", "-gateway")
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "fleets"
    assert [(rule["resources"], rule["verbs"]) for rule in role["rules"]] == [
        (["gameserverallocations"], ["create"]),
        (["gameservers"], ["list"]),
    ]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": "games"}]
    without = pod_of(one(render(TRIAL), "Deployment", "-gateway"))
    assert (without["serviceAccountName"], without["automountServiceAccountToken"]) == (account, False)
    with pytest.raises(CommandError, match="agonesNamespace"):
        render(TRIAL, {"gateway": {"agonesNamespace": "Fleets!"}})


def test_the_operator_may_not_change_what_pools_declare(render: Render) -> None:
    for values, kind in ((TRIAL, "Role"), (PRODUCTION, "ClusterRole")):
        verbs = {resource: rule["verbs"] for rule in one(render(values), kind)["rules"] for resource in rule["resources"]}
        assert verbs["matchmakingpools"] == ["get", "list", "watch"]
        assert verbs["matchmakingpools/status"] == ["patch"]


def test_the_operators_settings_are_settings_it_has(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    from matchmaking_operator.settings import OperatorSettings

    for values in (TRIAL, PRODUCTION, CLUSTER_MODE):
        given = environment(one(render(values), "Deployment", "-operator"))
        with monkeypatch.context() as patch:
            for name, value in given.items():
                if isinstance(value, str):
                    patch.setenv(name, value)
                    field = name.removeprefix("MATCHMAKING_OPERATOR_").lower()
                    assert field in OperatorSettings.model_fields or not name.startswith("MATCHMAKING_"), name
            settings = OperatorSettings()
        assert settings.options().matcher.image == given["MATCHMAKING_OPERATOR_MATCHER_IMAGE"]


def test_the_gateways_settings_are_settings_it_has(render: Render) -> None:
    from matchmaking.settings import Settings

    beside = {"MATCHMAKING_SIGNING_KEY_FILE"}  # `matchmaking token`'s
    for values in (TRIAL, PRODUCTION, CLUSTER_MODE, {**TRIAL, "gateway": {"trustedProxies": ["10.0.0.0/8"]}}):
        for name in environment(one(render(values), "Deployment", "-gateway")):
            field = name.removeprefix("MATCHMAKING_").lower()
            assert field in Settings.model_fields or name in beside or not name.startswith("MATCHMAKING_"), name


def test_roles_end_at_the_namespace_unless_asked_otherwise(render: Render) -> None:
    kinds = [each["kind"] for each in render(TRIAL)]
    assert "ClusterRole" not in kinds
    assert "Role" in kinds
    kinds = [each["kind"] for each in render(PRODUCTION)]
    assert "ClusterRole" in kinds
    assert "Role" not in kinds
    for values in (TRIAL, PRODUCTION):
        rules = one(render(values), "ClusterRole" if values is PRODUCTION else "Role")["rules"]
        assert all("*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"]) for rule in rules)
        assert not any("secrets" in rule["resources"] for rule in rules)


def test_the_definition_is_what_the_structs_say_and_stays(render: Render) -> None:
    from matchmaking.commands.crd import manifest

    found = one(render(TRIAL), "CustomResourceDefinition")
    assert found == yaml.safe_load(manifest())
    assert found["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not [each for each in render(TRIAL, {"crd": {"install": False}}) if each["kind"] == "CustomResourceDefinition"]


def test_one_route_and_only_one(render: Render) -> None:
    rules = one(render(PRODUCTION), "Ingress")["spec"]["rules"]
    assert [(rule["host"], len(rule["http"]["paths"])) for rule in rules] == [("play.example", 1)]
    assert one(render(CLUSTER_MODE), "HTTPRoute")["spec"]["rules"][0]["timeouts"] == {"request": "0s"}


def test_network_policies_admit_keda_to_redis_and_nobody_to_matchers(render: Render) -> None:
    manifests = render(TRIAL)
    admitted = one(manifests, "NetworkPolicy", "-redis")["spec"]["ingress"][0]["from"]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}} in admitted
    assert "ingress" not in one(manifests, "NetworkPolicy", "-matcher")["spec"]


@ALL
def test_kinds_of_other_projects_are_as_their_definitions_say(render: Render, values: Manifest) -> None:
    import json

    import jsonschema

    schemas = {file.stem: json.loads(file.read_text()) for file in (Path(__file__).parent / "schemas").glob("*.json")}
    checked = set()
    for each in render(values):
        if each["kind"] in schemas:
            jsonschema.validate(each, schemas[each["kind"]])
            checked.add(each["kind"])
    assert {"ScaledObject", "TriggerAuthentication"} <= checked
    if values is PRODUCTION:
        assert {"PodMonitor", "PrometheusRule"} <= checked
    if values is CLUSTER_MODE:
        assert "HTTPRoute" in checked


def test_there_are_no_played_players_unless_asked_for(render: Render) -> None:
    assert not [each for each in render(PRODUCTION) if each["kind"] == "Job"]


@pytest.mark.parametrize(
    ("values", "secret"),
    [
        (TRIAL, "gsm-game-session-manager-evaluation-key"),
        ({**PRODUCTION, "loadtest": {"tokensSecret": "players"}}, "players"),
    ],
    ids=["trial", "production"],
)
def test_played_players_are_a_restricted_job_that_the_generator_understands(render: Render, values: Manifest, secret: str) -> None:
    from players.__main__ import options_of, parser

    wanted = {"enabled": True, "scenario": "idle-crowd", "rate": "5..50", "seconds": 90, "players": 300}
    job = one(render(values, {"loadtest": wanted}), "Job")
    pod = pod_of(job)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    container = pod["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["command"] == ["python", "-m", "players"]
    options = options_of(parser().parse_args(container["args"]))
    assert (options.scenario, options.rate, options.seconds, options.players) == ("idle-crowd", "5..50", 90.0, 300)
    assert options.url == ("http://gsm-game-session-manager-gateway.games.svc:80",)
    assert bool(options.tokens) is (values is not TRIAL)
    assert pod["volumes"] == [{"name": pod["volumes"][0]["name"], "secret": {"secretName": secret}}]
    assert job["spec"]["activeDeadlineSeconds"] > wanted["seconds"]


def test_every_scenario_is_a_value(render: Render) -> None:
    from players.scenarios import SCENARIOS

    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]["loadtest"]["properties"]["scenario"]["enum"]) == set(SCENARIOS)


def test_alerts_and_dashboards_come_with_it(render: Render) -> None:
    manifests = render(PRODUCTION)
    rules = [each for each in manifests if each["kind"] == "PrometheusRule"]
    files = sorted((CHART / "files" / "alerts").glob("*.yaml"))
    assert files
    assert [each["spec"] for each in rules] == [yaml.safe_load(file.read_text()) for file in files]
    boards = [each for each in manifests if each["kind"] == "ConfigMap" and "grafana_dashboard" in each["metadata"]["labels"]]
    assert len(boards) == len(list((CHART / "files" / "dashboards").glob("*.json")))
    assert one(manifests, "PodMonitor")["spec"]["podMetricsEndpoints"] == [{"port": "metrics", "interval": "15s"}]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "Who may sign in"),
        ({"auth": {"jwksUrl": "https://id.example/jwks.json"}}, "auth.issuer is missing"),
        ({"auth": {"evaluationKey": {"enabled": True}, "jwks": "{}"}}, "not both"),
        ({**TRIAL, "redis": {"enabled": False}}, "externalRedis.addresses is missing"),
        (
            {**TRIAL, "redis": {"enabled": False}, "externalRedis": {"addresses": ["r:6379"]}},
            "externalRedis.users.gateway needs a password",
        ),
        ({**PRODUCTION, "loadtest": {"enabled": True}}, "loadtest.tokensSecret is missing"),
        ({**TRIAL, "loadtest": {"enabled": True, "rate": "fast"}}, "/loadtest/rate"),
        ({**TRIAL, "gateway": {"minReplicas": 5, "maxReplicas": 3}}, "greater than gateway.maxReplicas"),
        ({**TRIAL, "gateway": {"replicas": 3}}, "additional properties 'replicas' not allowed"),
        ({**TRIAL, "gateway": {"settings": {"PATH": "/"}}}, "'PATH' does not match pattern"),
        ({**TRIAL, "operator": {"watch": "everything"}}, "/operator/watch"),
        ({**TRIAL, "externalRedis": {"addresses": ["redis://r:6379"]}}, "/externalRedis/addresses/0"),
    ],
)
def test_wrong_values_are_refused_with_a_word_on_what_to_do(render: Render, values: Manifest, said: str) -> None:
    with pytest.raises(CommandError) as refused:
        render(values)
    assert said in str(refused.value)


def test_without_keda_nothing_is_installed_and_the_message_says_how_to_get_it(render: Render) -> None:
    from charts.conftest import template

    with pytest.raises(CommandError, match=r"This cluster has no KEDA(.|\n)*helm install keda"):
        template(TRIAL, keda=False)


def test_the_table_of_values_is_true() -> None:
    import subprocess

    done = subprocess.run([sys.executable, str(ROOT / "charts" / "document.py"), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_schema_knows_every_value() -> None:
    import json

    import jsonschema

    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    jsonschema.validate(values, schema)

    def compare(value: object, known: Manifest, path: str) -> None:
        if isinstance(value, dict) and "properties" in known:
            assert set(value) | {"global"} == set(known["properties"]) | {"global"}, path
            for name, each in value.items():
                compare(each, known["properties"][name], f"{path}.{name}")

    compare(values, schema, "")
