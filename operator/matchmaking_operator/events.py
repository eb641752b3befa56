"""Kubernetes events about pools: one for each condition that changed for worse, and for Ready either way. Pure but for the name, which must be new."""

import secrets
import time
from typing import Any

from matchmaking.core.pool import API_VERSION, KIND
from matchmaking.core.pool_status import Condition
from matchmaking.protocol.events import rfc3339

from .manifests import MANAGED_BY, Identity

LONGEST = 1000  # characters of a message; the API server takes 1,024


def event_of(pool: Identity, condition: Condition) -> dict[str, Any]:
    """The event that tells of a condition; its reason is the condition's."""
    now = rfc3339(time.time())
    bad = condition.status == ("True" if condition.type == "Degraded" else "False") and condition.reason != "Suspended"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{pool.name[:200]}.{secrets.token_hex(8)}", "namespace": pool.namespace},
        "involvedObject": {"apiVersion": API_VERSION, "kind": KIND, "name": pool.name, "namespace": pool.namespace, "uid": pool.uid},
        "reason": condition.reason,
        "message": condition.message[:LONGEST],
        "type": "Warning" if bad else "Normal",
        "source": {"component": MANAGED_BY},
        "reportingComponent": MANAGED_BY,
        "reportingInstance": MANAGED_BY,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
