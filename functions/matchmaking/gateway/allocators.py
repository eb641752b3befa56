"""Opens the ways to find game servers that this gateway's settings allow."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from matchmaking.settings import Settings

from .allocation import Allocator
from .allocation_agones import ACCOUNT, AgonesAllocator, open_kubernetes
from .allocation_webhook import WebhookAllocator
from .errors import ConfigurationError


@asynccontextmanager
async def open_allocators(settings: Settings, client: httpx.AsyncClient) -> AsyncIterator[dict[str, Allocator]]:
    """By `allocation.type`.

    Raises:
        ConfigurationError: the webhook's secret cannot be read, or we are in no cluster although Agones is asked for.
    """
    found: dict[str, Allocator] = {}
    async with AsyncExitStack() as stack:
        if settings.allocation_secret_file is not None:
            found["webhook"] = WebhookAllocator(client, _secret(settings.allocation_secret_file))
        if settings.agones_namespace:
            try:
                kubernetes = await stack.enter_async_context(open_kubernetes())
            except OSError as error:
                raise ConfigurationError(f"MATCHMAKING_AGONES_NAMESPACE is for pods with a service account: {error}") from error
            found["agones"] = AgonesAllocator(kubernetes, ACCOUNT / "token", settings.agones_namespace)
        yield found


def _secret(path: Path) -> bytes:
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"MATCHMAKING_ALLOCATION_SECRET_FILE: {path} cannot be read: {error}") from error
    if not secret:
        raise ConfigurationError(f"MATCHMAKING_ALLOCATION_SECRET_FILE: {path} is empty")
    return secret
