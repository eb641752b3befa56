"""kopf's handlers: parse, call, return.

Only watch events: what exists when the operator starts, what is created, what changes, what is deleted. kopf's own create and update handlers would keep a
copy of each spec in the pool's annotations, its timers, daemons and delete handlers would put a finalizer on it. We write nothing into a pool but its status;
what an event leaves undone, the rounds do.
"""

from typing import Any

import kopf

from matchmaking.core.crd import GROUP, PLURAL, VERSION

from .reconciler import Reconciler
from .rounds import Rounds

RETRIES = (1, 1, 2, 3, 5, 8, *[15] * 240)  # s; an API server that is away for an hour must not end us


def operator_settings(*, one_namespace: bool) -> kopf.OperatorSettings:
    """kopf's settings, where its defaults do not fit."""
    settings = kopf.OperatorSettings()
    settings.watching.server_timeout = 300  # s; a watch that stalls must end some time
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 30
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = RETRIES
    settings.queueing.worker_limit = 20
    settings.posting.enabled = False  # our events have stable reasons
    settings.scanning.disabled = one_namespace  # a role in one namespace may not watch the cluster's namespaces and definitions
    return settings


def register(reconciler: Reconciler, rounds: Rounds) -> kopf.OperatorRegistry:
    """All handlers, bound to the parts that do the work."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**about: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**about) or kopf.login_with_kubeconfig(**about)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def happened_to_pool(event: Any, body: kopf.Body, **_: Any) -> None:
        uid = body["metadata"]["uid"]
        if event["type"] == "DELETED":
            rounds.seen.pop(uid, None)
            reconciler.forget(uid)
            rounds.wake()
            return
        rounds.seen[uid] = resource = plain(body)
        if reconciler.is_news(resource):
            await rounds.reconcile(resource)

    return registry


def plain(body: kopf.Body) -> dict[str, Any]:
    """The resource without what we never look at."""
    metadata = {name: body["metadata"].get(name) for name in ("name", "namespace", "uid", "generation", "creationTimestamp")}
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": metadata,
        "spec": dict(body.get("spec") or {}),
        "status": dict(body.get("status") or {}),
    }
