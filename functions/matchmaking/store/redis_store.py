"""The store on Redis: one typed method for each script, by concern in `on_redis`."""

from .on_redis.connections import RedisConnections
from .on_redis.delivery import RedisDelivery
from .on_redis.epoch import RedisEpoch
from .on_redis.joining import RedisJoining
from .on_redis.matching import RedisMatching
from .on_redis.measuring import RedisMeasuring
from .on_redis.owners import RedisOwners
from .on_redis.parties import RedisParties
from .on_redis.pools import RedisPools
from .on_redis.sessions import RedisSessions


class RedisStore(
    RedisJoining,
    RedisMatching,
    RedisDelivery,
    RedisConnections,
    RedisParties,
    RedisPools,
    RedisOwners,
    RedisSessions,
    RedisEpoch,
    RedisMeasuring,
):
    """`interface.Store` on one Redis primary, a Sentinel's primary, or a Redis Cluster."""
