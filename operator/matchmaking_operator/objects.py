"""Brings a pool's objects to its plan, and says how that went: an outcome for matchers, one for dashboard and alerts."""

from collections.abc import Iterable

from matchmaking.telemetry.operator_metrics import OperatorMetrics

from .applied import Applied, key_of
from .cluster import Cluster, kind_of
from .conditions import Outcome
from .errors import ClusterError, ClusterUnavailableError, KindMissingError
from .manifests import CONFIG_MAP, GRAFANA_DASHBOARD, PAUSED, POOL_LABEL, PROMETHEUS_RULE, SCALED_JOB, Identity, Manifest
from .plan import Plan

KINDS = (SCALED_JOB, CONFIG_MAP, GRAFANA_DASHBOARD, PROMETHEUS_RULE)
METADATA = ("name", "namespace", "uid", "generation", "resourceVersion", "labels", "annotations", "ownerReferences")
Kind = tuple[str, str]


class Objects:
    """What this operator made in the cluster: the live objects as last listed, and the marks of what was applied."""

    def __init__(self, cluster: Cluster, metrics: OperatorMetrics) -> None:
        self._cluster, self._metrics = cluster, metrics
        self._applied = Applied()
        self._live: dict[tuple[str, str], dict[tuple[str, str, str, str], Manifest]] = {}  # (namespace, pool) → key → object
        self.missing: set[Kind] = set()

    async def look(self, kinds: Iterable[Kind] = KINDS) -> set[tuple[str, str]]:
        """List what is there.

        Returns:
            the pools (namespace, name) of which something has drifted.

        Raises:
            ClusterUnavailableError: nothing is known anew.
        """
        drifted: set[tuple[str, str]] = set()
        for kind in kinds:
            try:
                listed = await self._cluster.owned(kind)
                self.missing.discard(kind)
            except KindMissingError:
                self.missing.add(kind)
                listed = []
            owners = self._replace(kind, listed)
            for key in self._applied.drifted(kind, listed):
                self._metrics.drift.labels(kind=kind[1]).inc()
                if key in owners:
                    drifted.add(owners[key])
        return drifted

    def _replace(self, kind: Kind, listed: list[Manifest]) -> dict[tuple[str, str, str, str], tuple[str, str]]:
        """Put a list in place of what was known; whose each object is or was."""
        owners = {key: pool for pool, objects in self._live.items() for key in objects if key[:2] == kind}
        for key, pool in owners.items():
            del self._live[pool][key]
        for each in listed:
            metadata = each["metadata"]
            pool = (metadata["namespace"], (metadata.get("labels") or {}).get(POOL_LABEL, ""))
            key = (*kind, metadata["namespace"], metadata["name"])
            owners[key] = pool
            self._live.setdefault(pool, {})[key] = _slim(each)
        return owners

    async def bring_about(self, pool: Identity, plan: Plan) -> dict[str, Outcome]:
        """Apply what differs from the plan, and remove what the plan does not have."""
        autoscaling = await self._matchers(pool, plan)
        await self._prune(pool, plan)
        return {"AutoscalingReady": autoscaling, "DashboardsReady": await self._shown(pool, plan)}

    async def _apply(self, pool: Identity, manifest: Manifest) -> Manifest:
        key = key_of(manifest)
        known = self._live.setdefault((pool.namespace, pool.name), {})
        if self._applied.needs(manifest) or key not in known:
            known[key] = _slim(await self._cluster.apply(manifest))
            self._applied.note(manifest, known[key])
            self._metrics.applied.labels(kind=manifest["kind"]).inc()
        return known[key]

    async def _prune(self, pool: Identity, plan: Plan) -> None:
        wanted = {key_of(manifest) for manifest in (*plan.matchers, *plan.dashboards, *plan.alerts)}
        known = self._live.get((pool.namespace, pool.name), {})
        for key in known.keys() - wanted:
            if not _belongs(known[key], pool):
                continue
            await self._cluster.delete((key[0], key[1]), key[2], key[3])
            self._applied.forget(key)
            del known[key]

    async def _matchers(self, pool: Identity, plan: Plan) -> Outcome:
        try:
            jobs = [await self._apply(pool, manifest) for manifest in plan.matchers]
        except KindMissingError:
            return Outcome(
                False,
                "KedaMissing",
                "The API keda.sh/v1alpha1 is not there: install KEDA 2.14 or newer; until then nobody starts matchers.",
            )
        except ClusterUnavailableError as error:
            return Outcome(None, "ApiUnavailable", f"{error}. It is tried again.")
        except ClusterError as error:
            return Outcome(False, "ApplyRefused", f"{error}. Look at the operator's role and at admission policies.")
        return autoscaling(jobs, unrecorded=plan.unrecorded)

    async def _shown(self, pool: Identity, plan: Plan) -> Outcome:
        told = []
        for manifest in (*plan.dashboards, *plan.alerts):
            if kind_of(manifest) == PROMETHEUS_RULE and PROMETHEUS_RULE in self.missing:
                told.append("no alerts, because the API monitoring.coreos.com/v1 is not there")
                continue
            try:
                await self._apply(pool, manifest)
                told.append(f"{manifest['kind']} {manifest['metadata']['name']}")
            except KindMissingError:
                if kind_of(manifest) == PROMETHEUS_RULE:
                    self.missing.add(PROMETHEUS_RULE)
                    told.append("no alerts, because the API monitoring.coreos.com/v1 is not there")
                else:
                    return Outcome(
                        False,
                        "GrafanaOperatorMissing",
                        "The API grafana.integreatly.org/v1beta1 is not there: install Grafana's operator, or choose ConfigMaps.",
                    )
            except ClusterUnavailableError as error:
                return Outcome(None, "ApiUnavailable", f"{error}. It is tried again.")
            except ClusterError as error:
                return Outcome(False, "ApplyRefused", f"{error}. Look at the operator's role and at admission policies.")
        if not told:
            return Outcome(True, "NotWanted", "spec.dashboards.enabled and spec.alerts.enabled are false.")
        without = any(each.startswith("no alerts") for each in told)
        return Outcome(True, "AlertsSkipped" if without else "Applied", f"{'; '.join(told)}.")


def autoscaling(jobs: list[Manifest], *, unrecorded: bool = False) -> Outcome:
    """What KEDA says of a pool's ScaledJobs; `unrecorded`: a record is asked for, and there is no place for it."""
    waiting = []
    if jobs and all(PAUSED in (job["metadata"].get("annotations") or {}) for job in jobs):
        return Outcome(True, "Paused", "The ScaledJobs are paused, because spec.suspend is true; matchers that run end by themselves.")
    for job in jobs:
        said = {each["type"]: each for each in ((job.get("status") or {}).get("conditions") or ()) if isinstance(each, dict)}
        ready = said.get("Ready", {})
        if ready.get("status") == "False":
            name, why = job["metadata"]["name"], ready.get("message") or ready.get("reason") or "no reason given"
            return Outcome(False, "KedaNotReady", f"KEDA says of ScaledJob {name}: {why}. Look at `kubectl describe scaledjob {name}`.")
        if ready.get("status") != "True":
            waiting.append(job["metadata"]["name"])
    if waiting:
        return Outcome(
            None, "WaitingForKeda", f"KEDA has not said yet that it scales {', '.join(waiting)}; if that lasts, look at its operator."
        )
    told = f"KEDA starts matchers by {len(jobs)} ScaledJob{'s' if len(jobs) != 1 else ''}."
    if unrecorded:
        return Outcome(
            True,
            "ScalingUnrecorded",
            f"{told} spec.recording.enabled is true, but this installation has no place for it: recording.volume or recording.bucket.",
        )
    return Outcome(True, "Scaling", told)


def _slim(live: Manifest) -> Manifest:
    """What we look at of an object: a dashboard's text need not lie in memory twice."""
    metadata = {name: live["metadata"].get(name) for name in METADATA}
    return {"metadata": metadata, "status": {"conditions": (live.get("status") or {}).get("conditions")}}


def _belongs(live: Manifest, pool: Identity) -> bool:
    return any(owner.get("uid") == pool.uid for owner in live["metadata"].get("ownerReferences") or ())
