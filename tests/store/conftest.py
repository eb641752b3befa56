"""Every store there is: Redis, a Redis Cluster (whose one node refuses scripts that reach beyond a slot) and the twin in memory."""

from collections.abc import AsyncIterator, Iterator

import pytest

from matchmaking.store.connect import open_store
from matchmaking.store.interface import Store
from matchmaking.store.memory import MemoryStore
from support.redis_server import RedisServer, flush


@pytest.fixture(scope="session")
def cluster_server() -> Iterator[RedisServer]:
    with RedisServer("--cluster-enabled", "yes") as server:
        with server.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
            while b"cluster_state:ok" not in client.execute_command("CLUSTER", "INFO", NEVER_DECODE=True):
                pass
        yield server


@pytest.fixture(params=["redis", "cluster", "memory"])
async def any_store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    server = request.getfixturevalue("redis_server" if request.param == "redis" else "cluster_server")
    flush(server)
    url = server.url if request.param == "redis" else f"redis+cluster://127.0.0.1:{server.port}"
    async with open_store(url) as opened:
        yield opened
