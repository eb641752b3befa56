"""Calls of a process whose work is traced: each one is noted with whoever asked for that, see `telemetry.traces`."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from matchmaking.telemetry.traces import Call, noting

from .calls import Calls


class NotedCalls(Calls):
    """As `Calls`, with times."""

    async def call(self, name: str, keys: Sequence[str], *arguments: Any) -> list[Any]:
        """As the parent's."""
        with _noting(name):
            return await super().call(name, keys, *arguments)

    async def call_all(self, name: str, calls: Iterable[tuple[Sequence[str], Sequence[Any]]]) -> list[list[Any]]:
        """As the parent's; noted as one."""
        with _noting(name):
            return await super().call_all(name, calls)


@contextmanager
def _noting(name: str) -> Iterator[None]:
    noted = noting()
    if noted is None:
        yield
        return
    began, failed = time.time_ns(), True
    try:
        yield
        failed = False
    finally:
        noted.append(Call(name, began, time.time_ns(), failed))
