"""What a pool should have in the cluster. Pure: the same pool and options give the same plan, whoever asks and however often."""

from typing import Any

from msgspec import Struct

from matchmaking.core.errors import InvalidPoolError
from matchmaking.core.lint import Finding
from matchmaking.core.pool import PoolRules, load_pool
from matchmaking.core.satisfiable import lint
from matchmaking.telemetry.metrics import WAIT_BUCKETS

from . import alerts, dashboards, manifests
from .manifests import Identity, Manifest
from .options import Options


class Declared(Struct, frozen=True):
    """A resource as it was declared.

    Attributes:
        created: its creationTimestamp, RFC 3339; the older of two resources of one name has it.
        rules: None if the spec is no pool; then `problem` says why.
        errors: what makes the pool unsatisfiable.
        warnings: what is hardly meant.
    """

    identity: Identity
    generation: int
    created: str
    rules: PoolRules | None
    problem: InvalidPoolError | None = None
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


class Plan(Struct, frozen=True):
    """Desired objects by what they are for; those that the pool does not want are absent, and removed where they exist."""

    matchers: tuple[Manifest, ...]
    dashboards: tuple[Manifest, ...] = ()
    alerts: tuple[Manifest, ...] = ()


def declared(resource: dict[str, Any]) -> Declared:
    """Read a resource; a spec that is wrong is a finding, not an error."""
    metadata = resource["metadata"]
    identity = Identity(metadata["name"], metadata["namespace"], metadata["uid"])
    generation, created = metadata.get("generation", 0), metadata.get("creationTimestamp", "")
    manifest = {
        "apiVersion": resource.get("apiVersion"),
        "kind": resource.get("kind"),
        "metadata": {"name": identity.name},
        "spec": resource.get("spec"),
    }
    try:
        rules = load_pool(manifest).spec
    except InvalidPoolError as problem:
        return Declared(identity, generation, created, None, problem)
    findings = lint(rules)
    errors = tuple(finding for finding in findings if finding.severity == "error")
    return Declared(identity, generation, created, rules, None, errors, tuple(f for f in findings if f.severity != "error"))


def plan(pool: Identity, rules: PoolRules, options: Options) -> Plan:
    """What the pool should have."""
    matchers = tuple(manifests.scaled_job(pool, region, rules, options) for region in rules.regions)
    board = rules.dashboards.enabled
    warned = rules.alerts.enabled
    return Plan(
        matchers,
        (manifests.dashboard(pool, rules.dashboards.folder, dashboards.pool_dashboard(pool.name, pool.namespace, rules), options),)
        if board
        else (),
        (manifests.prometheus_rule(pool, alerts.groups(pool.name, rules, WAIT_BUCKETS), options),) if warned else (),
    )


def queues(rules: PoolRules) -> list[tuple[str, str]]:
    """Every (region, mode), in the order of the manifest."""
    return [(region.name, mode) for region in rules.regions for mode in rules.modes]
