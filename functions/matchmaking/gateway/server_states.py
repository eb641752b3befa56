"""The states that game servers report: kept in the store, where their players' gateways hear of them at once.

A report is merged into the state that there is, and written only if that is still the one it was merged into. A game server speaks to one gateway most of the
time, so this gateway remembers what it wrote last: a report then costs one call instead of two, and those that come at once take turns instead of overtaking each
other. What is remembered is never believed: if somebody else has written meanwhile, the store says so, and we look again. The merge is made here, because Redis'
own reader of JSON turns an empty array into an object, and large numbers into others.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from matchmaking.core.patch import deeper_than, merged
from matchmaking.core.session_events import Reported
from matchmaking.protocol.events import rfc3339
from matchmaking.store.interface import Store
from matchmaking.store.session_values import ServerState

from .errors import RefusedRequestError
from .session_reports import REFUSALS, happen

LARGEST_STATE = 16 * 1024  # bytes of JSON
DEEPEST_STATE = 16
TRIES = 20  # before a report that other gateways' reports overtake is asked to come again
REMEMBERED = 1024  # sessions; 16 MiB if each has the largest state
_json = msgspec.json.Encoder()


def check_depth(state: Any) -> None:
    """Refuse what is nested too deep.

    Raises:
        RefusedRequestError: it is.
    """
    if deeper_than(state, DEEPEST_STATE):
        raise RefusedRequestError(400, "state_too_deep", f"objects and arrays may be nested {DEEPEST_STATE} deep")


def state_as_json(state: Any) -> bytes:
    """A state as JSON.

    Raises:
        RefusedRequestError: it is too large or too deep.
    """
    check_depth(state)
    data = _json.encode(state)
    if len(data) > LARGEST_STATE:
        raise too_large(f", this one {len(data)}")
    return data


def too_large(detail: str = "") -> RefusedRequestError:
    """What to answer to such a state."""
    return RefusedRequestError(413, "state_too_large", f"a session's state has at most {LARGEST_STATE} bytes of JSON{detail}")


class _Desk:
    """Where one session's reports take turns, and what was written last.

    Attributes:
        met: whether it may have a state already; one that we have not met is taken for new, which most are.
    """

    __slots__ = ("known", "met", "turn", "users")

    def __init__(self) -> None:
        self.known: ServerState | None = None
        self.met = False
        self.turn = asyncio.Lock()
        self.users = 0


class ServerStates:
    """The reports that come to this gateway."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._desks: OrderedDict[str, _Desk] = OrderedDict()

    async def report(self, match: str, state: dict[str, Any], *, replace: bool, version: int | None) -> int:
        """Keep a server's state and have its players told; the new version. The first report makes the session active.

        Args:
            replace: instead of merging it into what there is.
            version: only if the state's version is still this one.

        Raises:
            RefusedRequestError: the session does not take it, or its version is another one.
            StoreUnavailableError: it is not known whether it was kept.
        """
        check_depth(state)  # a merge recurses as deep
        async with self._desk(match) as desk:
            for _ in range(TRIES):
                wrote = await self._try(desk, match, state, replace=replace, version=version)
                if wrote:
                    return wrote
        raise RefusedRequestError(503, "busy", "several reports of this session come at once; report again")

    async def _try(self, desk: _Desk, match: str, state: dict[str, Any], *, replace: bool, version: int | None) -> int:
        """The new version; 0: try again."""
        whole: Any = state
        known, expected = ServerState(), version
        if not replace:
            known = desk.known or (await self._store.session_data(match) if desk.met else ServerState())
            whole = merged(msgspec.json.decode(known.data) if known.data else {}, state)
            expected = known.version if version is None else version
        data = state_as_json(whole)
        desk.known = None  # if the call fails, nobody knows
        desk.met = True
        written = await self._store.session_state(match, data, expected, rfc3339(time.time()), known.mark)
        if written.status in ("written", "repeated"):
            desk.known = ServerState(written.version, data, written.mark)
            return written.version
        if written.status == "unknown":
            raise RefusedRequestError(*REFUSALS["unknown"])
        if written.status == "not_active":
            await happen(self._store, match, Reported())
            desk.met = written.version > 0
        elif version is not None and version != written.version:
            raise RefusedRequestError(
                409, "version_conflict", f"the state's version is {written.version}, not {version}; read it, and report again"
            )
        return 0

    @asynccontextmanager
    async def _desk(self, match: str) -> AsyncIterator[_Desk]:
        """A session's desk, in turn."""
        desk = self._desks.setdefault(match, _Desk())
        self._desks.move_to_end(match)
        desk.users += 1
        try:
            async with desk.turn:
                yield desk
        finally:
            desk.users -= 1
            if desk.known is None and not desk.users:
                self._desks.pop(match, None)
            while len(self._desks) > REMEMBERED and self._forget_one():
                pass

    def _forget_one(self) -> bool:
        """The one that was not used for longest, unless somebody uses it just now."""
        match, desk = next(iter(self._desks.items()))
        if desk.users:
            return False
        del self._desks[match]
        return True
