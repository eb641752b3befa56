"""The API server, with KEDA's own definitions and admission, takes every manifest that the chart renders."""

import json

import pytest
import yaml

from charts.conftest import CLUSTER_MODE, PRODUCTION, TRIAL, template
from support.cluster import Manifest, Namespace, run

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("values", [TRIAL, PRODUCTION, CLUSTER_MODE], ids=["trial", "sentinel", "cluster"])
def test_a_dry_run_on_the_server(namespace: Namespace, values: Manifest) -> None:
    served = set(run("kubectl", "api-versions").split())
    manifests = [each for each in template(values) if each["apiVersion"] in served and each["kind"] != "CustomResourceDefinition"]
    assert {"ScaledObject", "TriggerAuthentication", "Deployment"} <= {each["kind"] for each in manifests}
    text = yaml.safe_dump_all(manifests).replace("namespace: games", f"namespace: {namespace.name}")
    told = namespace.kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)
    assert told.count("serverside-applied (server dry run)") == len(manifests)
    assert "Warning" not in told


def test_the_definition_explains_itself() -> None:
    assert "maxDistance" in run("kubectl", "explain", "mmp.spec.rules")
    definition = json.loads(run("kubectl", "get", "crd", "matchmakingpools.gamesessions.dev", "-o", "json"))
    assert definition["spec"]["names"]["shortNames"] == ["mmp"]
