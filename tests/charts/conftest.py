"""The chart, rendered by helm without a cluster."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from support.cluster import CHART, Manifest, helm, require

Render = Callable[..., list[Manifest]]
TRIAL = {"auth": {"evaluationKey": {"enabled": True}}}
PRODUCTION: Manifest = {
    "auth": {"jwksUrl": "https://id.example/jwks.json", "issuer": "https://id.example", "allowedOrigins": ["https://play.example"]},
    "image": {"repository": "registry.example/gsm", "digest": "sha256:" + "0" * 64, "pullSecrets": ["registry"]},
    "redis": {"enabled": False},
    "externalRedis": {
        "mode": "sentinel",
        "addresses": ["s0.example:26379", "s1.example:26379"],
        "sentinelMaster": "primary",
        "tls": {"enabled": True, "caSecret": "redis-authority"},
        "users": {
            "gateway": {"password": "g/@ +%"},
            "matcher": {"existingSecret": "matcher-redis"},
            "operator": {"password": "o"},
            "keda": {"existingSecret": "keda-redis"},
        },
    },
    "operator": {"watch": "cluster"},
    "gateway": {"trustedProxies": ["10.0.0.0/8"], "allocationSecret": "allocation"},
    "ingress": {"enabled": True, "className": "nginx", "host": "play.example", "tlsSecret": "play-tls"},
    "monitoring": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}},
    "tests": {"tokensSecret": "test-players"},
}
CLUSTER_MODE: Manifest = {
    **PRODUCTION,
    "externalRedis": {
        "mode": "cluster",
        "addresses": ["r0.example:6379"],
        "users": {role: {"password": role} for role in ("gateway", "matcher", "operator", "keda")},
    },
    "ingress": {"enabled": False},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "public", "namespace": "edge"}], "hostnames": ["play.example"]},
}


def template(*values: Manifest, keda: bool = True) -> list[Manifest]:
    """The chart's manifests under these values."""
    apis = ["--api-versions", "keda.sh/v1alpha1"] if keda else []
    text = helm("template", "gsm", str(CHART), "-n", "games", "--kube-version", "1.33", *apis, values=values)
    return [each for each in yaml.safe_load_all(text) if each]


@pytest.fixture(scope="session")
def render() -> Render:
    """`render(values, …)` gives manifests; skipped where there is no helm."""
    require("helm")
    return template


def one(manifests: list[Manifest], kind: str, ending: str = "") -> Manifest:
    """The one object of a kind whose name ends so."""
    found = [each for each in manifests if each["kind"] == kind and each["metadata"]["name"].endswith(ending)]
    assert len(found) == 1, f"{len(found)} of kind {kind} with a name …{ending}"
    return found[0]


def pod_of(manifest: Manifest) -> Any:
    """The pod's spec of a workload."""
    return manifest["spec"] if manifest["kind"] == "Pod" else manifest["spec"]["template"]["spec"]
