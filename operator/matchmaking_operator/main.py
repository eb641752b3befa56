"""Wires the operator and runs it: `matchmaking-operator`. Settings from the environment; ends on SIGTERM or SIGINT."""

import asyncio
import logging

import kopf
import uvloop
from prometheus_client import start_http_server

from matchmaking.store.connect import open_store
from matchmaking.store.tasks import end_tasks
from matchmaking.telemetry.logs import configure_logs, happened
from matchmaking.telemetry.operator_metrics import OperatorMetrics

from .cluster import open_cluster
from .handlers import operator_settings, register
from .health import serve_health
from .objects import Objects
from .reconciler import Reconciler
from .rounds import Paces, Rounds
from .settings import OperatorSettings

_log = logging.getLogger(__name__)


def main() -> int:
    """Run until told to stop."""
    settings = OperatorSettings()
    configure_logs(settings.log_format, settings.log_level)
    for chatty in ("kopf", "httpx", "httpx2", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[settings.log_level]))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings))
    return 0


async def run(settings: OperatorSettings) -> None:
    """Open everything, serve, close everything."""
    metrics = OperatorMetrics()
    namespace = settings.namespace or None
    paces = Paces(settings.refresh_seconds, settings.resync_seconds, settings.stale_seconds)
    server, thread = start_http_server(settings.metrics_port, settings.metrics_host, metrics.registry)
    try:
        async with open_store(settings.redis_url.get_secret_value()) as store, open_cluster(namespace) as cluster:
            objects = Objects(cluster, metrics)
            reconciler = Reconciler(store, cluster, objects, settings.options(), metrics)
            rounds = Rounds(store, cluster, objects, reconciler, metrics, paces, namespace)
            async with serve_health(rounds.health, paces.stale, settings.health_host, settings.health_port):
                await _serve(reconciler, rounds, namespace)
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


async def _serve(reconciler: Reconciler, rounds: Rounds, namespace: str | None) -> None:
    happened(_log, "operator started", reason=namespace or "all namespaces")
    periodic = asyncio.ensure_future(rounds.run())
    try:
        await kopf.operator(
            registry=register(reconciler, rounds),
            settings=operator_settings(one_namespace=namespace is not None),
            standalone=True,
            clusterwide=namespace is None,
            namespaces=[namespace] if namespace else [],
        )
    finally:
        await end_tasks([periodic])
        happened(_log, "operator stopped")


if __name__ == "__main__":
    raise SystemExit(main())
