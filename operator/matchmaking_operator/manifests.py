"""Objects as KEDA, Grafana and Prometheus want them, made of a pool's rules and the installation's options. Pure."""

import json
from typing import Any

from msgspec import Struct

from matchmaking.core.pool import API_VERSION, KIND, PoolRules, Region
from matchmaking.core.scaling import activation_length
from matchmaking.store import keys

from .names import object_name
from .options import MatcherPod, Options, RedisTrigger

Manifest = dict[str, Any]

SCALED_JOB = ("keda.sh/v1alpha1", "ScaledJob")
CONFIG_MAP = ("v1", "ConfigMap")
GRAFANA_DASHBOARD = ("grafana.integreatly.org/v1beta1", "GrafanaDashboard")
PROMETHEUS_RULE = ("monitoring.coreos.com/v1", "PrometheusRule")

MANAGED_BY = "matchmaking-operator"
POOL_LABEL = "gamesessions.dev/pool"
REGION_LABEL = "gamesessions.dev/region"
PAUSED = "autoscaling.keda.sh/paused"
DEADLINE_SLACK = 60  # s that a matcher may take beyond its lifetime before the kubelet ends it; a hung job would starve its queue
RECORDINGS = "/recordings"
AUTHORITY = "/authority"
GRACE = 15  # s between SIGTERM and SIGKILL: a round and its commits


class Identity(Struct, frozen=True):
    """The resource that everything made for it belongs to."""

    name: str
    namespace: str
    uid: str


def scaled_job(pool: Identity, region: Region, rules: PoolRules, options: Options) -> Manifest:
    """The matchers of one pool and region: one redis trigger for each mode's waiting tickets."""
    scaling = rules.scaling
    labels = _labels(pool, options, "matcher") | {REGION_LABEL: region.name}
    return {
        **_head(SCALED_JOB, object_name(pool.name, region.name), pool, labels, {PAUSED: "true"} if rules.suspend else {}),
        "spec": {
            "jobTargetRef": {
                "parallelism": 1,
                "completions": 1,
                "backoffLimit": 0,
                "activeDeadlineSeconds": int(scaling.lifetime) + DEADLINE_SLACK,
                "template": {"metadata": {"labels": labels}, "spec": _pod(pool.name, region.name, rules, options.matcher)},
            },
            "pollingInterval": max(1, int(scaling.polling_interval)),
            "minReplicaCount": scaling.min_matchers,
            "maxReplicaCount": scaling.max_matchers,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 5,
            "rollout": {"strategy": "gradual"},
            "scalingStrategy": {"strategy": "default", "multipleScalersCalculation": "sum"},
            "triggers": [_trigger(pool.name, region.name, mode, rules, options.trigger) for mode in rules.modes],
        },
    }


def _pod(pool: str, region: str, rules: PoolRules, pod: MatcherPod) -> Manifest:
    user = {} if pod.run_as_user is None else {"runAsUser": pod.run_as_user, "runAsGroup": pod.run_as_user}
    url = {"name": "MATCHMAKING_REDIS_URL", "valueFrom": {"secretKeyRef": {"name": pod.redis_secret, "key": pod.redis_secret_key}}}
    recorded = rules.recording.enabled and pod.records
    environment = {
        **pod.environment,
        **({"MATCHMAKING_RECORD_TO": pod.record_bucket or RECORDINGS} if recorded else {}),
        **({"SSL_CERT_FILE": f"{AUTHORITY}/ca.crt"} if pod.redis_authority else {}),
    }
    container: Manifest = {
        "name": "matcher",
        "image": pod.image,
        "imagePullPolicy": pod.pull_policy,
        "command": ["matchmaking", "matcher", "--pool", pool, "--region", region],
        "env": [url, *({"name": name, "value": value} for name, value in sorted(environment.items()))],
        "resources": pod.resources,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    volumes, mounts = _volumes(pod, recorded)
    if recorded and pod.record_secret:
        container["envFrom"] = [{"secretRef": {"name": pod.record_secret}}]
    if mounts:
        container["volumeMounts"] = mounts
    if volumes and pod.run_as_user is not None:
        user = {**user, "fsGroup": pod.run_as_user}
    extra = {**pod.extra, **({"volumes": [*pod.extra.get("volumes", ()), *volumes]} if volumes else {})}
    secrets = {"imagePullSecrets": [{"name": name} for name in pod.pull_secrets]} if pod.pull_secrets else {}
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": {"runAsNonRoot": True, **user, "seccompProfile": {"type": "RuntimeDefault"}},
        **secrets,
        **extra,
        "containers": [container],
    }


def _volumes(pod: MatcherPod, recorded: bool) -> tuple[list[Manifest], list[Manifest]]:
    """Volumes, and where the container has them."""
    volumes: list[Manifest] = []
    mounts: list[Manifest] = []
    if pod.redis_authority:
        volumes.append({"name": "authority", "secret": {"secretName": pod.redis_authority, "items": [{"key": "ca.crt", "path": "ca.crt"}]}})
        mounts.append({"name": "authority", "mountPath": AUTHORITY, "readOnly": True})
    if recorded and not pod.record_bucket:
        volumes.append({"name": "recordings", **pod.record_volume})
        mounts.append({"name": "recordings", "mountPath": RECORDINGS})
    return volumes, mounts


def _trigger(pool: str, region: str, mode: str, rules: PoolRules, redis: RedisTrigger) -> Manifest:
    metadata = {
        "address" if redis.type == "redis" else "addresses": redis.address,
        "listName": keys.waiting(pool, region, mode),
        "listLength": str(rules.scaling.tickets_per_matcher),
        "activationListLength": str(activation_length(rules, region)),
        "enableTLS": str(redis.tls).lower(),
    }
    if redis.type != "redis-cluster":
        metadata["databaseIndex"] = str(redis.database)
    if redis.type == "redis-sentinel":
        metadata["sentinelMaster"] = redis.sentinel_master
    reference = {"name": redis.authentication, "kind": redis.authentication_kind}
    return {"type": redis.type, "metadata": metadata, **({"authenticationRef": reference} if redis.authentication else {})}


def dashboard(pool: Identity, folder: str, content: Manifest, options: Options) -> Manifest:
    """The pool's dashboard, where this installation's Grafana looks for it."""
    home, name = options.dashboards, object_name(pool.name, "dashboard")
    text = json.dumps(content, indent=1, sort_keys=True)
    labels = _labels(pool, options, "dashboard")
    if home.kind == "GrafanaDashboard":
        spec = {"instanceSelector": {"matchLabels": home.instance_selector}, "folder": folder, "json": text}
        return {**_head(GRAFANA_DASHBOARD, name, pool, labels), "spec": spec}
    annotations = {home.folder_annotation: folder} if home.folder_annotation else {}
    return {**_head(CONFIG_MAP, name, pool, labels | home.labels, annotations), "data": {f"{pool.namespace}-{pool.name}.json": text}}


def prometheus_rule(pool: Identity, groups: list[Manifest], options: Options) -> Manifest:
    """The pool's alerts."""
    labels = _labels(pool, options, "alerts") | options.alert_labels
    return {**_head(PROMETHEUS_RULE, object_name(pool.name, "alerts"), pool, labels), "spec": {"groups": groups}}


def _labels(pool: Identity, options: Options, component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "game-session-manager",
        "app.kubernetes.io/instance": options.instance,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": MANAGED_BY,
        POOL_LABEL: pool.name,
    }


def _head(kind: tuple[str, str], name: str, pool: Identity, labels: dict[str, str], annotations: dict[str, str] | None = None) -> Manifest:
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": pool.name, "uid": pool.uid, "controller": True, "blockOwnerDeletion": False}
    metadata = {"name": name, "namespace": pool.namespace, "labels": labels, "ownerReferences": [owner]}
    return {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": {**metadata, **({"annotations": annotations} if annotations else {})},
    }
