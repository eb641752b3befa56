"""The one idempotent reconcile: reads what is declared, brings store and cluster to it, and tells in the status how that went.

Handlers call it when something changed, the periodic rounds when nothing may have. It never raises for what a pool's author, Redis or KEDA did: that
becomes a condition. It raises `ClusterUnavailableError` only where not even the status can be written.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from matchmaking.core.pool import PoolRules
from matchmaking.core.pool_status import PoolStatus
from matchmaking.protocol.events import rfc3339
from matchmaking.store import values
from matchmaking.store.draining import drain_queues
from matchmaking.store.errors import StoreError
from matchmaking.store.interface import Store
from matchmaking.telemetry.logs import happened
from matchmaking.telemetry.operator_metrics import OperatorMetrics

from . import conditions
from .cluster import Cluster
from .conditions import NOT_TRIED, Outcome
from .errors import ClusterError, GoneError
from .events import event_of
from .objects import Objects
from .options import Options
from .plan import Declared, Plan, declared, plan, queues

Queue = tuple[str, str]
_log = logging.getLogger(__name__)


class Known(Struct):
    """What this process remembers of a pool, to save work; nothing depends on it.

    Attributes:
        plan: what this generation wants, made once.
        written: the status as last written.
        settled: nothing is pending: no retry, nobody to wait for.
        since: when it became unsettled, on the monotonic clock.
    """

    pool: Declared
    plan: Plan | None = None
    written: PoolStatus | None = None
    settled: bool = False
    since: float = 0.0


class Stored(Struct):
    """What the store says of all pools, read at once; `error` if it cannot be read."""

    rules: dict[str, tuple[int, PoolRules]] = {}
    owners: dict[str, values.PoolOwner] = {}
    statistics: dict[tuple[str, str, str], values.QueueStatistics] = {}
    error: StoreError | None = None


class Reconciler:
    """Reconciles pools one by one; each pool never twice at once."""

    def __init__(self, store: Store, cluster: Cluster, objects: Objects, options: Options, metrics: OperatorMetrics) -> None:
        self._store, self._cluster, self._objects, self._options, self._metrics = store, cluster, objects, options, metrics
        self._locks: dict[str, asyncio.Lock] = {}
        self.known: dict[str, Known] = {}  # by uid

    def read(self, resource: dict[str, Any]) -> Known:
        """A resource as declared, decoded once for each generation."""
        metadata = resource["metadata"]
        known = self.known.get(metadata["uid"])
        if known is None:
            known = self.known[metadata["uid"]] = Known(declared(resource), written=_written(resource), since=time.monotonic())
        elif known.pool.generation != metadata.get("generation", 0):
            known.pool, known.plan, known.settled, known.since = declared(resource), None, False, time.monotonic()
        return known

    def is_news(self, resource: dict[str, Any]) -> bool:
        """Whether this generation of a resource was never looked at; changes of its status are no news."""
        known = self.known.get(resource["metadata"]["uid"])
        return known is None or known.pool.generation != resource["metadata"].get("generation", 0)

    def forget(self, uid: str) -> None:
        """The resource is gone."""
        self.known.pop(uid, None)
        self._locks.pop(uid, None)

    async def reconcile(self, resource: dict[str, Any], stored: Stored | None = None) -> Known:
        """Bring everything to what a resource declares.

        Args:
            stored: what the store says, if it was just read; else it is asked.

        Raises:
            ClusterUnavailableError, ClusterError: the status could not be written.
        """
        uid = resource["metadata"]["uid"]
        async with self._locks.setdefault(uid, asyncio.Lock()):
            known = self.read(resource)
            began = time.perf_counter()
            try:
                await self._reconcile(known, stored)
            except GoneError:
                self.forget(uid)
            except ClusterError:
                known.settled = False
                self._metrics.reconciles.labels(outcome="failed").inc()
                raise
            finally:
                self._metrics.reconcile_seconds.observe(time.perf_counter() - began)
            return known

    async def _reconcile(self, known: Known, stored: Stored | None) -> None:
        pool = known.pool
        outcomes = {
            "RulesValid": conditions.rules_valid(pool),
            "Satisfiable": conditions.satisfiable(pool),
            "QueuesConfigured": NOT_TRIED,
            "AutoscalingReady": NOT_TRIED,
            "DashboardsReady": NOT_TRIED,
        }
        rules = pool.rules if not pool.errors else None
        revision: int | UnsetType = known.written.revision if known.written else UNSET
        if rules is not None:
            outcomes["QueuesConfigured"], found = await self._configure(pool, rules, stored)
            revision = found or revision
        if rules is not None and outcomes["QueuesConfigured"].reason != "NameTaken":
            known.plan = known.plan or plan(pool.identity, rules, self._options)
            outcomes |= await self._objects.bring_about(pool.identity, known.plan)
        serving = await self._serving(pool, rules, outcomes["QueuesConfigured"], stored)
        shown = queues(serving) if serving else []
        statistics = await self._statistics(pool.identity.name, shown, stored) if serving else None
        suspended = rules is not None and rules.suspend
        whole = conditions.overall(outcomes, suspended=suspended)
        await self._tell(known, conditions.status(pool, revision, whole, known.written, statistics, shown, rfc3339(time.time())))
        known.settled = not any(outcomes[name] is not NOT_TRIED and outcomes[name].status is not True for name in conditions.WORKING)
        self._count(whole)

    async def _serving(self, pool: Declared, rules: PoolRules | None, configured: Outcome, stored: Stored | None) -> PoolRules | None:
        """The rules whose queues this pool has: the declared ones, or while those are no good the ones from before."""
        if rules is not None:
            return None if configured.reason == "NameTaken" else rules
        stored = stored or await self.read_store()
        mine = stored.owners.get(pool.identity.name) == values.PoolOwner(pool.identity.namespace)
        return stored.rules[pool.identity.name][1] if mine and pool.identity.name in stored.rules else None

    async def read_store(self) -> Stored:
        """What the store says of all pools and of their queues."""
        try:
            rules, owners = await self._store.pools(), await self._store.pool_owners()
            asked = [(name, *queue) for name, (_, each) in rules.items() for queue in queues(each)]
            return Stored(rules, owners, dict(zip(asked, await self._store.statistics_of(asked), strict=True)))
        except StoreError as error:
            return Stored(error=error)

    async def _configure(self, pool: Declared, rules: PoolRules, stored: Stored | None) -> tuple[Outcome, int]:
        name, namespace = pool.identity.name, pool.identity.namespace
        try:
            if stored is not None and stored.error is not None:
                raise stored.error
            if stored is not None and stored.owners.get(name) == values.PoolOwner(namespace) and name in stored.rules:
                revision, held = stored.rules[name]
                if held == rules:
                    return _configured(revision), revision
            owner = await self._store.claim_pool(name, namespace)
            if owner.namespace != namespace:
                return _taken(name, owner), 0
            revision = await self._store.put_pool(name, rules)
            self._metrics.drained.inc(await drain_queues(self._store, name, queues(rules), "queue_removed"))
        except StoreError as error:
            return store_trouble(error), 0
        return _configured(revision), revision

    async def _statistics(self, name: str, shown: Sequence[Queue], stored: Stored | None) -> list[values.QueueStatistics] | None:
        known = stored.statistics if stored is not None else {}
        try:
            if all((name, *queue) in known for queue in shown):
                return [known[name, *queue] for queue in shown]
            return await self._store.queue_statistics(name, shown)
        except StoreError:
            return None

    async def _tell(self, known: Known, status: PoolStatus) -> None:
        """Write the status if it says anything new, and the events that this makes."""
        if known.written == status:
            return
        before = known.written
        identity = known.pool.identity
        await self._cluster.apply_status(identity.namespace, identity.name, msgspec.to_builtins(status))
        known.written = status
        for condition in conditions.worth_telling(before.conditions if before else (), status.conditions):
            happened(_log, "pool condition", pool=identity.name, code=condition.type, reason=condition.reason)
            try:
                await self._cluster.event(event_of(identity, condition))
            except ClusterError as error:
                happened(_log, "event not written", level=logging.WARNING, pool=identity.name, error=str(error))

    def _count(self, outcomes: dict[str, Outcome]) -> None:
        ready = outcomes["Ready"]
        self._metrics.reconciles.labels(outcome="ready" if ready.status else ready.reason).inc()

    def count_pools(self) -> None:
        """Bring the gauge of pools by condition up to date."""
        counts = Counter(
            (condition.type, condition.status) for known in self.known.values() if known.written for condition in known.written.conditions
        )
        self._metrics.pools.clear()
        for (condition, status), count in counts.items():
            self._metrics.pools.labels(condition, status).set(count)


def _configured(revision: int) -> Outcome:
    return Outcome(True, "Configured", f"Gateways and matchers use revision {revision} of the rules.")


def _taken(name: str, owner: values.PoolOwner) -> Outcome:
    if owner.deleted_ms is not None:
        return Outcome(
            False, "NameTaken", f"The pool `{name}` of namespace {owner.namespace} was deleted and is still being drained; wait a minute."
        )
    return Outcome(
        False,
        "NameTaken",
        f"Namespace {owner.namespace} has a pool `{name}` already, and players name pools without a namespace. Delete one of the two, or rename it.",
    )


def store_trouble(error: StoreError) -> Outcome:
    """What is the matter with Redis, and whose turn it is."""
    text = str(error)
    if any(word in text for word in ("AuthenticationError", "WRONGPASS", "NOAUTH", "NOPERM", "NoPermission", "AuthorizationError")):
        return Outcome(False, "RedisRefused", f"{text}. Look at user, password and ACL in the operator's MATCHMAKING_REDIS_URL.")
    return Outcome(False, "RedisUnreachable", f"{text}. It is tried again; look at Redis, and at the network policies between.")


def _written(resource: dict[str, Any]) -> PoolStatus | None:
    """The status that an earlier operator wrote; None if there is none that we can read."""
    try:
        return msgspec.convert(resource.get("status"), PoolStatus)
    except msgspec.ValidationError:
        return None
