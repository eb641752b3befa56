"""What a gateway is made of, opened and closed in one place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from matchmaking.protocol.rate import parse_rate
from matchmaking.settings import Settings
from matchmaking.store.connect import open_store
from matchmaking.store.interface import Store
from matchmaking.telemetry.gateway import GatewayMetrics, NoMetrics
from matchmaking.telemetry.traces import NoTraces, open_traces

from .addresses import Proxies
from .allocation import Allocations
from .allocation_webhook import open_client
from .allocators import open_allocators
from .doorway import Doorway
from .errors import ConfigurationError
from .hub import Hub
from .limits import Limits
from .performing import PERFORM
from .pools import Pools
from .server_states import ServerStates
from .sign_in import Verifier
from .signing_keys import SigningKeys
from .statistics import StatisticsReader


class Services(msgspec.Struct, frozen=True):
    """The parts that handlers use; `app.extensions["services"]`."""

    settings: Settings
    store: Store
    pools: Pools
    keys: SigningKeys
    verifier: Verifier
    proxies: Proxies
    doorway: Doorway
    metrics: GatewayMetrics
    hub: Hub
    statistics: StatisticsReader
    states: ServerStates


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open everything that a gateway needs.

    Raises:
        ConfigurationError: a setting is missing or wrong.
    """
    metrics = GatewayMetrics(settings.capacity) if settings.metrics else NoMetrics()
    proxies = Proxies(settings.trusted_proxies)
    doorway = Doorway(settings.unsigned_connections, settings.unsigned_connections_per_address, proxies)
    limits = Limits(*(parse_rate(rate) for rate in (settings.limit_connection, settings.limit_player, settings.limit_address)))
    redis_url = settings.redis_url.get_secret_value()
    async with (
        _open_traces(settings) as traces,
        open_store(redis_url) as store,
        open_client() as client,
        open_allocators(settings, client) as allocators,
    ):
        if settings.traces_url:
            store.note_calls()
        if settings.metrics:
            store.observe(metrics.called)
        keys = SigningKeys(_jwks_source(settings), client)
        verifier = Verifier(keys, settings.issuer, settings.audience)
        pools = Pools(store)
        allocation = Allocations(pools, allocators)
        hub = Hub(redis_url, store, pools, metrics, settings.heartbeat_interval, PERFORM, allocation, limits, traces)
        async with hub.bus:
            statistics = StatisticsReader(store, pools)
            yield Services(settings, store, pools, keys, verifier, proxies, doorway, metrics, hub, statistics, ServerStates(store))


@asynccontextmanager
async def _open_traces(settings: Settings) -> AsyncIterator[NoTraces]:
    traces = open_traces("gateway", settings.traces_url, settings.traces_ratio, settings.log_id_key.get_secret_value())
    traces.open()
    try:
        yield traces
    finally:
        await asyncio.to_thread(traces.close)


def _jwks_source(settings: Settings) -> str:
    if settings.jwks_file is not None and settings.jwks_url:
        raise ConfigurationError("set one of MATCHMAKING_JWKS_FILE and MATCHMAKING_JWKS_URL, not both")
    if settings.jwks_file is None and not settings.jwks_url:
        raise ConfigurationError("set MATCHMAKING_JWKS_FILE or MATCHMAKING_JWKS_URL to the public keys that tokens are signed with")
    if settings.jwks_url and not settings.jwks_url.startswith(("https://", "http://")):
        raise ConfigurationError("MATCHMAKING_JWKS_URL begins with https:// (or with http://, inside a network that you trust)")
    return settings.jwks_url or str(settings.jwks_file)
