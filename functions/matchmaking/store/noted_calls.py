"""Calls of a process whose work is traced: each one is noted with whoever asked for that, see `telemetry.traces`."""

import time
from collections.abc import Sequence
from typing import Any

from matchmaking.telemetry.traces import Call, noting

from .calls import Calls


class NotedCalls(Calls):
    """As `Calls`, with times."""

    async def call(self, name: str, keys: Sequence[str], *arguments: Any) -> list[Any]:
        """As the parent's."""
        noted = noting()
        if noted is None:
            return await super().call(name, keys, *arguments)
        began, failed = time.time_ns(), True
        try:
            reply = await super().call(name, keys, *arguments)
            failed = False
        finally:
            noted.append(Call(name, began, time.time_ns(), failed))
        return reply
