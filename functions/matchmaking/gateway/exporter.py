"""Exports what all gateways share, if this gateway holds the lease.

Counts of queues and matches live in Redis, so every gateway could show them, and every sum over gateways would be a multiple of the truth. One gateway at a
time exports them: the holder of a lease of `EXPORTER_MS`, asked for again every second. If it dies, another takes over within the lease, and Prometheus
sees the old series go stale at its next scrape. A gateway that stalls stops showing its reading (`telemetry.shared.FRESH`) before its lease is over.
The operator could export them as well, but `matchmaking dev` and bare processes have no operator, and its restart would leave a gap of half a minute.
"""

import asyncio
import contextlib
import time

from matchmaking.core.pool import PoolRules
from matchmaking.store.errors import StoreError
from matchmaking.store.interface import Store
from matchmaking.telemetry.gateway import NoMetrics
from matchmaking.telemetry.readings import PoolReading, QueueReading, Reading

from .hub import Hub

EXPORT_EVERY = 1.0  # s
READ_EVERY = 4.0  # s; Prometheus scrapes less often, and reading takes a gateway some milliseconds


async def export_shared(hub: Hub) -> None:
    """Ask for the lease; with it, read everything now and then, and show it at the next scrape."""
    if isinstance(hub.metrics, NoMetrics):
        return  # it would keep the lease from those who have something to show
    began, shared = time.monotonic(), hub.metrics.shared
    if not await hub.store.elect(hub.id):
        shared.show(None, began)
    elif began - shared.read_at < READ_EVERY:
        shared.hold(began)
    else:
        shared.show(await read_shared(hub.store, hub.pools.revisions()), began)


async def measure_sockets(hub: Hub) -> None:
    """What is worth a look once a second: whether Redis is there, and who reads slowly."""
    hub.metrics.redis_up.set(hub.bus.healthy)
    unsent = [session.unsent for session in hub.sessions.values()]
    hub.metrics.send_queue.set(sum(unsent))
    hub.metrics.send_queue_longest.set(max(unsent, default=0))


async def watch_loop(hub: Hub) -> None:
    """How late the event loop is, for ever."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + EXPORT_EVERY
        await asyncio.sleep(EXPORT_EVERY)
        hub.metrics.loop_lag.set(max(0.0, loop.time() - due))


async def give_up(hub: Hub) -> None:
    """This gateway goes: another one may export at once."""
    hub.metrics.shared.show(None, 0.0)
    with contextlib.suppress(StoreError):  # its lease runs out
        await hub.store.elect(hub.id, leave=True)


async def read_shared(store: Store, pools: dict[str, tuple[int, PoolRules]]) -> Reading:
    """Everything shared, as of now."""
    queues: list[QueueReading] = []
    found: list[PoolReading] = []
    for name, (revision, rules) in pools.items():
        queues += await store.readings(name, [(region.name, mode) for region in rules.regions for mode in rules.modes])
        outbox, lag = await store.relay_backlog(name)
        found.append(
            PoolReading(
                name,
                outbox,
                lag,
                float(rules.slo.wait_p95),
                rules.scaling.max_matchers,
                float(rules.priority.starvation_bound),
                float(rules.scaling.polling_interval),
                rules.min_match_tickets,
                revision,
            )
        )
    timers, late = await store.timer_backlog()
    return Reading(tuple(queues), tuple(found), await store.connected(), timers, late)
