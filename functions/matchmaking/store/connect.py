"""Opens the store that a URL names.

redis://[user:password@]host:port/db            one server        (rediss:// with TLS, unix:///path for a socket)
redis+sentinel://[user:password@]host:port[,host:port…]/name[/db]  the primary that these Sentinels know by that name
redis+cluster://[user:password@]host:port[,host:port…]             a Redis Cluster                 (rediss+… with TLS)

With TLS the Sentinels are asked by TLS too, as KEDA asks them. Certificates are checked against the system's authorities, or those of SSL_CERT_FILE.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import ExponentialBackoff, NoBackoff

from matchmaking.core.errors import MatchmakingError

from .calls import CALL_TIMEOUT
from .redis_store import RedisStore

CONNECT_TIMEOUT = 3.0  # s
RETRIES = 3  # of one call; every script may be repeated
SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")


class InvalidRedisUrlError(MatchmakingError):
    """The URL does not say which Redis is meant; the message never repeats a password."""


class RedisUrl(msgspec.Struct, frozen=True):
    """A parsed URL; `service` is the primary's name at the Sentinels."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]
    username: str | None = None
    password: str | None = None
    service: str = ""
    database: int = 0
    path: str = ""

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.scheme.startswith("rediss")

    @property
    def public(self) -> str:
        """The URL without its credentials, for logs."""
        where = self.path if self.scheme == "unix" else ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{self.scheme}://{where}" + (f"/{self.service}" if self.service else "") + (f"/{self.database}" if self.database else "")


def parse_redis_url(url: str) -> RedisUrl:
    """Read a URL of one of the forms above.

    Raises:
        InvalidRedisUrlError: it has none of those forms.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise InvalidRedisUrlError(f"a Redis URL begins with one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    credentials, _, where = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    user, secret = unquote(username) or None, unquote(password) or None
    if parts.scheme == "unix":
        return RedisUrl("unix", (), user, secret, path=parts.path)
    default = 26379 if parts.scheme.endswith("sentinel") else 6379
    try:
        hosts = tuple(_host(each, default) for each in where.split(","))
        segments = [segment for segment in parts.path.split("/") if segment]
        service = segments.pop(0) if parts.scheme.endswith("+sentinel") else ""
        database = int(segments.pop(0)) if segments else 0
    except (ValueError, IndexError) as error:
        raise InvalidRedisUrlError(
            "the Redis URL's hosts, service name or database cannot be read; see redis+sentinel://host:26379/name/0"
        ) from error
    return RedisUrl(parts.scheme, hosts, user, secret, service, database)


def _host(text: str, default: int) -> tuple[str, int]:
    single = urlsplit(f"//{text}")
    if not single.hostname:
        raise ValueError("a host is missing")
    return single.hostname, single.port or default


def open_client(url: RedisUrl) -> "Redis | RedisCluster":
    """A client for calls."""
    options = _options(url, health_check_interval=15)
    if url.scheme.endswith("+cluster"):
        return RedisCluster(startup_nodes=[ClusterNode(host, port) for host, port in url.hosts], **options)
    return _open_single(url, *url.hosts[:1], retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), RETRIES), **options)


def open_subscribers(url: RedisUrl) -> tuple[Redis, ...]:
    """Clients for a subscription, to be tried in turn: one for each node of a cluster, since every node hears every publication.

    They wait without a time-out, keep TCP alive instead, and never connect again by themselves: see `bus`.
    """
    options = _options(url, health_check_interval=0, retry=Retry(NoBackoff(), 0, supported_errors=()))
    if url.scheme.endswith("+cluster"):
        return tuple(_open_single(url, host, **options) for host in url.hosts)
    return (_open_single(url, *url.hosts[:1], **options),)


def _options(url: RedisUrl, **options: Any) -> dict[str, Any]:
    options |= {
        "username": url.username,
        "password": url.password,
        "socket_timeout": None,  # `calls` and the stores have time-outs of their own, for whole pipelines
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_keepalive": True,
    }
    return {**options, "ssl": True} if url.tls else options


def _open_single(url: RedisUrl, host: tuple[str, int] = ("", 0), **options: Any) -> Redis:
    if url.scheme.endswith("+sentinel"):
        sentinel_options = {name: options[name] for name in ("socket_connect_timeout", "socket_keepalive", "ssl") if name in options}
        sentinel = Sentinel(  # type: ignore[no-untyped-call]
            list(url.hosts), sentinel_kwargs={**sentinel_options, "socket_timeout": CALL_TIMEOUT}
        )
        client: Redis = sentinel.master_for(url.service, db=url.database, **options)
        return client
    if url.scheme == "unix":
        options.pop("socket_keepalive")
        return Redis(unix_socket_path=url.path, **options)
    return Redis(host=host[0], port=host[1], db=url.database, **options)


async def close_client(client: "Redis | RedisCluster") -> None:
    """Close a client, and the connections to the Sentinels that told it where the primary is."""
    await client.aclose()
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    for sentinel in manager.sentinels if manager else ():
        await sentinel.aclose()


@asynccontextmanager
async def open_store(redis_url: str) -> AsyncIterator[RedisStore]:
    """The store at a URL, closed at the end. Connects at the first call, so that a gateway can start before its Redis.

    Raises:
        InvalidRedisUrlError: the URL cannot be read.
    """
    client = open_client(parse_redis_url(redis_url))
    store = RedisStore(client)
    try:
        yield store
    finally:
        await store.close()
        await close_client(client)
