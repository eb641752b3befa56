"""What the operator does again and again, whatever events say: bring status up to date, compare everything with the API server, drain what is gone.

One task over all pools instead of kopf's timers, which would put a finalizer on every pool. Three paces: a pool that waits for something (KEDA's first word,
Redis coming back) is looked at every second at first; every pool's numbers each `refresh`; a whole list from the API server each `resync`. The list is also
the proof that the watch works: a change that a list shows and the watch does not for too long makes the operator count as dead.
"""

import asyncio
import logging
import time
from typing import Any

from msgspec import Struct

from matchmaking.store.draining import drain_pool
from matchmaking.store.errors import StoreError
from matchmaking.store.interface import Store
from matchmaking.telemetry.logs import happened
from matchmaking.telemetry.operator_metrics import OperatorMetrics

from .cluster import Cluster
from .errors import ClusterError
from .manifests import SCALED_JOB
from .objects import Objects
from .reconciler import Known, Reconciler, Stored

TICK = 1.0  # s
EAGER = 30.0  # s for which a pool that waits for something is looked at each tick; after that at the pace of refreshes
_log = logging.getLogger(__name__)


class Paces(Struct, frozen=True):
    """Seconds between looks, and how long the watch may miss a change."""

    refresh: float = 5.0
    resync: float = 30.0
    stale: float = 90.0


class Health(Struct):
    """Signs of life, on the monotonic clock.

    Attributes:
        turned: when the rounds last came round.
        missed_since: since when the watch misses a change; None if it does not.
    """

    turned: float = 0.0
    missed_since: float | None = None

    def trouble(self, now: float, stale: float) -> str:
        """Why the operator counts as dead; empty if it lives."""
        if now - self.turned > stale:
            return f"the rounds have stood still for {now - self.turned:.0f} s"
        if self.missed_since is not None and now - self.missed_since > stale:
            return f"the watch has missed a change for {now - self.missed_since:.0f} s"
        return ""


class Rounds:
    """The periodic work.

    Attributes:
        seen: uid → resource as the watch last showed it; kept by the handlers.
    """

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        objects: Objects,
        reconciler: Reconciler,
        metrics: OperatorMetrics,
        paces: Paces,
        namespace: str | None,
    ) -> None:
        self._store, self._cluster, self._objects, self._reconciler = store, cluster, objects, reconciler
        self._metrics, self._paces, self._namespace = metrics, paces, namespace
        self.seen: dict[str, dict[str, Any]] = {}
        self.health = Health(time.monotonic())
        self._refreshed = self._synced = float("-inf")
        self._listed: dict[str, dict[str, Any]] | None = None
        self._waked = asyncio.Event()

    def wake(self) -> None:
        """Something was deleted: drain now."""
        self._synced = float("-inf")
        self._waked.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self._turn(time.monotonic())
            except ClusterError as error:
                happened(_log, "round put off", level=logging.WARNING, error=str(error))
            self.health.turned = time.monotonic()
            self._waked.clear()
            try:
                await asyncio.wait_for(self._waked.wait(), TICK)
            except TimeoutError:
                continue

    async def _turn(self, now: float) -> None:
        if now - self._synced >= self._paces.resync:
            self._synced = now
            await self._sync(now)
            self._refreshed = float("-inf")
        if now - self._refreshed >= self._paces.refresh:
            self._refreshed = now
            if not all(known.settled for known in self._reconciler.known.values()):
                await self._objects.look((SCALED_JOB,))
            await self._refresh(list(self._resources().values()), await self._reconciler.read_store())
            self._reconciler.count_pools()
        elif eager := [each for each in self._resources().values() if self._waits(each, now)]:
            await self._objects.look((SCALED_JOB,))
            await self._refresh(eager, None)

    def _resources(self) -> dict[str, dict[str, Any]]:
        """The newest of what list and watch know; the list decides what there is once it was read."""
        if self._listed is None:
            return self.seen
        newer = {
            uid: each for uid, each in self.seen.items() if uid not in self._listed or _generation(each) >= _generation(self._listed[uid])
        }
        return {**self._listed, **newer}

    def _waits(self, resource: dict[str, Any], now: float) -> bool:
        known: Known | None = self._reconciler.known.get(resource["metadata"]["uid"])
        return known is not None and not known.settled and now - known.since < EAGER

    async def _sync(self, now: float) -> None:
        """Compare with the API server: what exists, what drifted, what the watch missed; drain what nobody declares."""
        listed = {each["metadata"]["uid"]: each for each in await self._cluster.pools()}
        self._listed = listed
        self._watch_over(listed, now)
        for uid in self._reconciler.known.keys() - listed.keys() - self.seen.keys():
            self._reconciler.forget(uid)
        await self._objects.look()
        await self._drain({(each["metadata"]["namespace"], each["metadata"]["name"]) for each in listed.values()})

    def _watch_over(self, listed: dict[str, dict[str, Any]], now: float) -> None:
        missed = [uid for uid, each in listed.items() if uid not in self.seen or _generation(self.seen[uid]) < _generation(each)]
        ghosts = [uid for uid in self.seen if uid not in listed]
        if not missed and not ghosts:
            self.health.missed_since = None
        elif self.health.missed_since is None:
            self.health.missed_since = now
        since = self.health.missed_since
        self._metrics.watch_lag.set(0.0 if since is None else now - since)

    async def _refresh(self, resources: list[dict[str, Any]], stored: Stored | None) -> None:
        for resource in sorted(resources, key=lambda each: (each["metadata"].get("creationTimestamp", ""), each["metadata"]["namespace"])):
            await self.reconcile(resource, stored)

    async def reconcile(self, resource: dict[str, Any], stored: Stored | None = None) -> None:
        """Reconcile one pool; what fails is done by a later round."""
        try:
            await self._reconciler.reconcile(resource, stored)
        except ClusterError as error:
            happened(_log, "pool not reconciled", level=logging.WARNING, pool=resource["metadata"]["name"], error=str(error))

    async def _drain(self, declared: set[tuple[str, str]]) -> None:
        """Take a step of the deletion of every pool that we own and nobody declares any more."""
        try:
            for name, owner in (await self._store.pool_owners()).items():
                ours = self._namespace is None or owner.namespace == self._namespace
                if not ours or (owner.namespace, name) in declared:
                    continue
                ended, gone = await drain_pool(self._store, name)
                self._metrics.drained.inc(ended)
                if ended or gone:
                    happened(_log, "pool drained" if not gone else "pool forgotten", pool=name, count=ended)
        except StoreError as error:
            happened(_log, "draining put off", level=logging.WARNING, error=str(error))


def _generation(resource: dict[str, Any]) -> int:
    return int(resource["metadata"].get("generation", 0))
