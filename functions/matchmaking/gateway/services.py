"""What a gateway is made of, opened and closed in one place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from matchmaking.settings import Settings
from matchmaking.store.connect import open_store
from matchmaking.store.interface import Store
from matchmaking.telemetry.metrics import GatewayMetrics

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
    metrics = GatewayMetrics()
    redis_url = settings.redis_url.get_secret_value()
    async with open_store(redis_url) as store:
        pools = Pools(store)
        hub = Hub(redis_url, store, pools, metrics, settings.heartbeat_interval, PERFORM)
        async with hub.bus:
            yield Services(settings, store, pools, verifier, metrics, hub, StatisticsReader(store, pools))
