"""What a pool should have in the cluster. Pure: the same pool and options give the same plan, whoever asks and however often."""

from typing import Any

from msgspec import Struct

from matchmaking.core.errors import InvalidPoolError
from matchmaking.core.lint import Finding
from matchmaking.core.pool import PoolRules, load_pool
from matchmaking.core.satisfiable import lint
from matchmaking.telemetry.alerts import groups, pool_alerts
from matchmaking.telemetry.dashboards.grafana import render
from matchmaking.telemetry.dashboards.pool import pool_board

from . import manifests
from .manifests import Identity, Manifest
from .names import object_name
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
    """Desired objects by what they are for; those that the pool does not want are absent, and removed where they exist.

    Attributes:
        unrecorded: the pool asks for a record, and the installation has no place for it.
    """

    matchers: tuple[Manifest, ...]
    dashboards: tuple[Manifest, ...] = ()
    alerts: tuple[Manifest, ...] = ()
    unrecorded: bool = False


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
    made: list[Manifest] = []
    if board:
        shown = render(pool_board(pool.name, object_name("mmp", pool.namespace, pool.name)[:40]))
        made.append(manifests.dashboard(pool, rules.dashboards.folder, shown, options))
    unrecorded = rules.recording.enabled and not options.matcher.records
    warnings = groups(f"matchmaking-{pool.name}", pool_alerts(pool.name), {"pool": pool.name})
    return Plan(matchers, tuple(made), (manifests.prometheus_rule(pool, warnings, options),) if warned else (), unrecorded)


def queues(rules: PoolRules) -> list[tuple[str, str]]:
    """Every (region, mode), in the order of the manifest."""
    return [(region.name, mode) for region in rules.regions for mode in rules.modes]
