"""Calls, coalesced: all scripts and frequent commands of one event-loop turn go to Redis as one pipeline.

One awaited call costs the client several times what a pipelined one does. While `IN_FLIGHT` pipelines are under way, further calls gather, so that the
batches grow with the load. Calls are safe to repeat (each script says how), so after a lost connection they are.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import hiredis
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from .errors import StoreError, StoreUnavailableError
from .scripts import Script, script

CALL_TIMEOUT = 5.0  # s; beyond it a call counts as lost, and is repeated
RETRY_PAUSES = (0.05, 0.2, 0.5)  # s between tries of one pipeline; every script may be repeated
IN_FLIGHT = 4  # pipelines under way at once
BATCH = 256  # calls in one pipeline: few enough that Redis answers others in between

OnCalls = Callable[
    [str, float, int], None
]  # told of each script in a pipeline: its name, the pipeline's seconds, how many calls of it failed

_Call = tuple["Script | None", list[Any], "asyncio.Future[Any]"]  # a script or a plain command, its words, who waits for the reply


def translate(error: Exception) -> StoreError:
    """A foreign error in our own words."""
    unavailable = isinstance(error, RedisConnectionError | RedisTimeoutError | OSError) or str(error).startswith(
        ("LOADING", "READONLY", "BUSY", "OOM")
    )
    return (StoreUnavailableError if unavailable else StoreError)(f"Redis: {type(error).__name__}: {error}")


def _packed(connection: Any, batch: list[_Call]) -> list[bytes]:
    """The batch as Redis reads it. The client library asks of each word of each command whether it has to be changed first, which takes as long as packing."""
    try:
        return [b"".join([hiredis.pack_command(tuple(words)) for _, words, _ in batch])]
    except TypeError:  # a word of a kind that only the library turns into bytes
        packed: list[bytes] = connection.pack_commands([words for _, words, _ in batch])
        return packed


class Calls:
    """Sends script calls to one Redis (or Redis Cluster)."""

    def __init__(self, client: "Redis | RedisCluster") -> None:
        self._client = client
        self._gathered: list[_Call] = []
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None  # asking for it anew costs a system call, at each call of ours
        self._in_flight: set[asyncio.Task[None]] = set()
        self._requests = itertools.count()
        self._prefix = secrets.token_hex(4)
        self.on_calls: OnCalls | None = None

    async def call(self, name: str, keys: Sequence[str], *arguments: Any) -> list[Any]:
        """Run a script.

        Args:
            keys: its KEYS.
            arguments: its ARGV after the request id, which is made here.

        Returns:
            its reply, the echoed request id included.

        Raises:
            StoreUnavailableError: Redis cannot be reached or is not ready.
            StoreError: the script failed, or the reply belongs to another request.
        """
        reply: list[Any] = await self._begin(name, keys, arguments)
        return reply

    async def call_all(self, name: str, calls: Iterable[tuple[Sequence[str], Sequence[Any]]]) -> list[list[Any]]:
        """Run a script many times, without a task for each; the replies in order.

        Args:
            calls: KEYS and ARGV of each, as `call` has them.

        Raises:
            StoreUnavailableError, StoreError: as `call` does; the others may have been carried out all the same.
        """
        return await asyncio.gather(*[self._begin(name, *each) for each in calls])

    def _begin(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> "asyncio.Future[list[Any]]":
        called = script(name)
        return self._enter(called, ["EVALSHA", called.sha, len(keys), *keys, f"{self._prefix}{next(self._requests):x}", *arguments])

    async def command(self, *words: Any) -> Any:
        """Run a plain command, of a kind that may be repeated; its reply as the client library reads it.

        Raises:
            StoreUnavailableError: Redis cannot be reached or is not ready.
            StoreError: Redis refused it.
        """
        return await self._enter(None, list(words))

    def _enter(self, called: Script | None, words: list[Any]) -> "asyncio.Future[Any]":
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = self._loop.create_future()
        self._gathered.append((called, words, future))
        if not self._scheduled:
            self._schedule(self._loop)
        return future

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if len(self._in_flight) < IN_FLIGHT:
            self._scheduled = True
            loop.call_soon(self._flush, loop)

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        batch, self._gathered = self._gathered[:BATCH], self._gathered[BATCH:]
        if batch:
            task = loop.create_task(self._send(batch))
            self._in_flight.add(task)
            task.add_done_callback(self._sent)
        if self._gathered:
            self._schedule(loop)

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._in_flight.discard(task)
        if self._gathered and not self._scheduled:
            self._schedule(task.get_loop())

    async def _send(self, batch: list[_Call]) -> None:
        began = time.perf_counter()
        try:
            replies = await self._replies(batch)
        except (RedisError, OSError) as error:
            replies = [error] * len(batch)
        except BaseException as error:
            for *_, future in batch:
                if not future.done():
                    future.set_exception(StoreUnavailableError(f"the call was given up: {type(error).__name__}"))
            raise
        if self.on_calls is not None:
            self._tell(self.on_calls, batch, replies, time.perf_counter() - began)
        for (called, words, future), reply in zip(batch, replies, strict=True):
            if future.done():
                continue  # its caller was cancelled
            if isinstance(reply, Exception):
                future.set_exception(translate(reply))
            elif (
                called is not None and reply[0] != words[3 + words[2]].encode()
            ):  # it went astray, and must not be believed (see CVE-2023-28858)
                future.set_exception(StoreError(f"the reply to {called.name} belongs to another request"))
            else:
                future.set_result(reply)

    @staticmethod
    def _tell(on_calls: OnCalls, batch: list[_Call], replies: list[Any], seconds: float) -> None:
        failed = dict.fromkeys((call[0].name if call[0] else "command" for call in batch), 0)
        for (called, *_), reply in zip(batch, replies, strict=True):
            if isinstance(reply, Exception):
                failed[called.name if called else "command"] += 1
        for name, count in failed.items():
            on_calls(name, seconds, count)

    async def _replies(self, batch: list[_Call]) -> list[Any]:
        replies = await self._patiently(batch)
        unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:  # Redis was restarted, or failed over
            async with asyncio.timeout(CALL_TIMEOUT):
                await self.load({called for i in unknown if (called := batch[i][0])})
            again = await self._patiently([batch[i] for i in unknown])
            for i, reply in zip(unknown, again, strict=True):
                replies[i] = reply
        return replies

    async def _patiently(self, batch: list[_Call]) -> list[Any]:
        """Again after a lost connection; time-outs are ours, because the client library's cost a third of a call."""
        for pause in RETRY_PAUSES:
            try:
                async with asyncio.timeout(CALL_TIMEOUT):
                    return await self._pipeline(batch)
            except (RedisConnectionError, RedisTimeoutError, OSError):
                await asyncio.sleep(pause)
        async with asyncio.timeout(CALL_TIMEOUT):
            return await self._pipeline(batch)

    async def _pipeline(self, batch: list[_Call]) -> list[Any]:
        if isinstance(self._client, Redis):
            return await self._straight(self._client, batch)
        pipeline = self._client.pipeline(transaction=False)
        for _, words, _ in batch:
            pipeline.execute_command(*words)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies

    async def _straight(self, client: Any, batch: list[_Call]) -> list[Any]:
        """As the library's pipeline, without what it does for each command besides."""
        pool = client.connection_pool
        connection: Any = await pool.get_connection()
        try:
            await connection.send_packed_command(_packed(connection, batch))
            replies: list[Any] = []
            for _, words, _ in batch:
                shape = client.response_callbacks.get(words[0])
                try:
                    reply = await connection.read_response()
                    replies.append(reply if shape is None or reply is None else shape(reply))
                except ResponseError as error:
                    replies.append(error)
        except BaseException:
            await connection.disconnect()  # replies that were not read must not reach the next caller
            raise
        else:
            return replies
        finally:
            await pool.release(connection)

    async def load(self, scripts: "set[Script]") -> None:
        """Make scripts known to Redis (to every primary of a cluster)."""
        for each in scripts:
            await self._client.script_load(each.text)

    async def close(self) -> None:
        """Wait for the calls under way."""
        while self._in_flight:
            await asyncio.wait(self._in_flight)
