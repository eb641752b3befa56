"""Whether what is stored may have been rolled back.

Redis acknowledges writes before they are safe: a restart, a failover or a full resynchronisation can bring back an older state, and numbers given out before mean
something else then. So the store's history has a name, the epoch, kept in the store itself beside the run ids of its primaries. It gets a new one when the key is
gone (an empty server), when other processes serve the store than did before (a restart, a failover), or when a caller saw a primary's replication offset go
backwards. A restart that lost nothing changes it as well: that costs each client a snapshot, and a rollback that nobody notices would cost an event.
"""

import secrets
from typing import Any

from redis.asyncio import RedisCluster

from matchmaking.store import keys

from .base import RedisPart


class RedisEpoch(RedisPart):
    """See `interface.PoolStore`."""

    async def epoch(self) -> str:
        """See `epoch.lua`."""
        servers = await self._primaries("server")
        replication = await self._primaries("replication")
        offsets = {node: int(info.get("master_repl_offset", 0)) for node, info in replication.items()}
        backwards = any(offset < self._offsets.get(node, 0) for node, offset in offsets.items())
        processes = " ".join(sorted(info["run_id"] for info in servers.values()))
        reply = await self._calls.call("epoch", [keys.STORE_EPOCH], processes, secrets.token_hex(6), self._epoch if backwards else "")
        self._offsets, self._epoch = offsets, reply[1].decode()
        return self._epoch

    async def _primaries(self, section: str) -> dict[str, dict[str, Any]]:
        if not isinstance(self._client, RedisCluster):
            return {"": await self._plain(self._client.info(section))}
        found = await self._plain(self._client.info(section, target_nodes=RedisCluster.PRIMARIES))
        return {"": found} if "run_id" in found or "role" in found else found
