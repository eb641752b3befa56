"""Finds game servers for accepted matches: by webhook, or from Agones.

An attempt is a transition of the session, taken by one process only; what comes of it is another one. So pauses, the number of attempts and the deadline
survive every process, and the match's id as idempotency key lets an allocator recognise the second attempt for the same match.
"""

import asyncio
import logging
from typing import Annotated, Protocol, TypeAlias

import msgspec
from msgspec import Meta, Struct

from matchmaking.core.errors import MatchmakingError
from matchmaking.core.pool import Allocation as Wish
from matchmaking.core.session import Session
from matchmaking.core.session_events import Allocated, Attempt, Unallocated
from matchmaking.store.interface import Store
from matchmaking.store.sessions import change
from matchmaking.telemetry.logs import happened

from .pools import Pools

ATTEMPT_SECONDS = 5.0  # below `session_step.ATTEMPT_SECONDS`: nobody else begins while we still wait
_log = logging.getLogger(__name__)
_json = msgspec.json.Encoder()

Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]


class Connection(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How players reach their server; handed to them as it is.

    Attributes:
        ports: further ones, by name.
        details: what else the game's client needs.
    """

    address: Text
    port: Annotated[int, Meta(ge=1, le=65535)]
    ports: Annotated[dict[Text, Annotated[int, Meta(ge=1, le=65535)]], Meta(max_length=16)] = {}
    token: Annotated[str, Meta(max_length=2000)] = ""
    details: Annotated[dict[Text, Annotated[str, Meta(max_length=500)]], Meta(max_length=16)] = {}


class AllocationError(MatchmakingError):
    """No server this time.

    Attributes:
        final: trying again would not help.
    """

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Allocator(Protocol):
    """One way to find a server."""

    async def find(self, session: Session, wish: Wish) -> Connection:
        """A server for a match; asked again for the same match, the same server if the other side can do that.

        Raises:
            AllocationError: there is none.
        """


class Allocations:
    """The ways that this gateway knows, by `allocation.type`."""

    def __init__(self, pools: Pools, allocators: dict[str, Allocator]) -> None:
        self._pools, self._allocators = pools, allocators

    async def allocate(self, store: Store, session: Session) -> None:
        """Make the next attempt for a session, if it is due and nobody else does."""
        begun = await change(store, session.id, Attempt())
        if begun.answer != "ok" or begun.session is None:
            return
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                connection = await self._find(begun.session)
        except (AllocationError, TimeoutError) as error:
            final = isinstance(error, AllocationError) and error.final
            reason = str(error) or f"no answer within {ATTEMPT_SECONDS:g} s"
            happened(
                _log, "no server", level=logging.WARNING, match=session.id, pool=session.pool, reason=reason, count=begun.session.attempts
            )
            await change(store, session.id, Unallocated(final))
            return
        await change(store, session.id, Allocated(_json.encode(connection).decode()))

    async def _find(self, session: Session) -> Connection:
        rules = await self._pools.find(session.pool)
        if rules is None:
            raise AllocationError("the pool is gone", final=True)
        allocator = self._allocators.get(session.policy.allocation)
        if allocator is None:
            raise AllocationError(f"this gateway cannot allocate by `{session.policy.allocation}`: it lacks the settings for it")
        return await allocator.find(session, rules.allocation)
