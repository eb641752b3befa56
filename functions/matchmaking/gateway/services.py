"""What a gateway is made of, opened and closed in one place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec

from matchmaking.settings import Settings
from matchmaking.store.connect import open_store
from matchmaking.store.interface import Store
from matchmaking.telemetry.gateway import GatewayMetrics

from .allocation import Allocations, Allocator
from .allocation_webhook import WebhookAllocator, open_client
from .errors import ConfigurationError
from .hub import Hub
from .performing import PERFORM
from .pools import Pools
from .sign_in import Verifier
from .statistics import StatisticsReader


class Services(msgspec.Struct, frozen=True):
    """The parts that handlers use; `app.extensions["services"]`."""

    settings: Settings
    store: Store
    pools: Pools
    verifier: Verifier
    metrics: GatewayMetrics
    hub: Hub
    statistics: StatisticsReader


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open everything that a gateway needs.

    Raises:
        ConfigurationError: a setting is missing or wrong.
    """
    if settings.jwks_file is None:
        raise ConfigurationError("set MATCHMAKING_JWKS_FILE to the file with the public keys that tokens are signed with")
    verifier = Verifier(settings.jwks_file, settings.issuer, settings.audience)
    metrics = GatewayMetrics(settings.capacity)
    redis_url = settings.redis_url.get_secret_value()
    async with open_store(redis_url) as store, open_client() as client:
        store.observe(metrics.called)
        pools = Pools(store)
        allocation = Allocations(pools, _allocators(settings, client))
        hub = Hub(redis_url, store, pools, metrics, settings.heartbeat_interval, PERFORM, allocation)
        async with hub.bus:
            yield Services(settings, store, pools, verifier, metrics, hub, StatisticsReader(store, pools))


def _allocators(settings: Settings, client: httpx.AsyncClient) -> dict[str, Allocator]:
    """What this gateway's settings allow.

    Raises:
        ConfigurationError: the secret's file cannot be read, or is empty.
    """
    found: dict[str, Allocator] = {}
    if settings.allocation_secret_file is not None:
        try:
            secret = settings.allocation_secret_file.read_bytes().strip()
        except OSError as error:
            raise ConfigurationError(
                f"MATCHMAKING_ALLOCATION_SECRET_FILE: {settings.allocation_secret_file} cannot be read: {error}"
            ) from error
        if not secret:
            raise ConfigurationError(f"MATCHMAKING_ALLOCATION_SECRET_FILE: {settings.allocation_secret_file} is empty")
        found["webhook"] = WebhookAllocator(client, secret)
    return found
