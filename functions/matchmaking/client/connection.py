"""A player's connection over all its sockets, as a game uses it: requests that return their answers, and events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any, cast

from matchmaking.protocol.messages import (
    PartyUpdateData,
    QueueJoin,
    QueueJoinData,
    QueueJoinedData,
    QueueLeave,
    QueueLeaveData,
    QueueLeftData,
    QueuePlace,
)

from .conversation import encode, encode_frame
from .errors import ConnectionEndedError, JoinRefusedError, LeaveRefusedError, RefusedError
from .inbox import ClientEvent
from .link import Link, TokenProvider
from .opening import socket_url
from .reconnect import Backoff

EVERY_TYPE = "*"
Callback = Callable[[Any], object]


class Client:
    """One player's connection. Made by `connect`.

    Attributes:
        player: whose it is.
    """

    def __init__(self, player: str, link: Link) -> None:
        self.player = player
        self._link, self._said = link, link.said
        self._callbacks: dict[str, list[Callback]] = {}
        self._dispatching: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        url: str | Sequence[str],
        player: str,
        *,
        token: str | None = None,
        token_provider: TokenProvider | None = None,
        connect_timeout: float = 30.0,
        backoff: Backoff = Backoff(),  # noqa: B008 - frozen
        random: Random | None = None,
        local_address: str | None = None,
    ) -> "AsyncIterator[Client]":
        """Connect, and stay connected until the block ends.

        Args:
            url: the gateway's address: `ws://`, `wss://`, `http://` or `https://`, and a host; or several, which are tried in turn.
            player: the `sub` of the token.
            token: a bearer token; or else
            token_provider: gives one for each connection, so that it may be renewed.
            connect_timeout: seconds for the first connection; within it the client tries again as it does later.
            backoff: how eagerly it comes back.
            random: spreads beats and reconnections.
            local_address: which of this machine's addresses to connect from; one address has room for some 28,000 connections to one server.

        Raises:
            ConnectionEndedError: the service does not let us in, or could not be reached in time.
            ValueError: the address is none.
        """
        if (token is None) == (token_provider is None):
            raise TypeError("give either token or token_provider")

        async def fixed() -> str:
            return token or ""

        urls = [socket_url(each, player) for each in ([url] if isinstance(url, str) else url)]
        link = Link(urls, token_provider or fixed, backoff, random or Random(), renewable=token is None, local_address=local_address)
        client = cls(player, link)
        task = asyncio.create_task(link.stay_connected(), name=f"client {player}")
        try:
            await client._connected_first(connect_timeout, url)
            yield client
        finally:
            await client._close(task)

    @property
    def connected(self) -> bool:
        """Whether there is a live socket just now."""
        return self._link.live

    @property
    def connections(self) -> int:
        """How many sockets it has had so far."""
        return self._link.connections

    @property
    def resumed(self) -> int:
        """How many of them went on where the one before had ended, without a gap."""
        return self._link.resumed

    @property
    def opened_in(self) -> float:
        """Seconds that the latest connection took, from the attempt to the server's hello."""
        return self._link.opened_in

    @property
    def seq(self) -> int:
        """The number of the latest event that came, in the server's count."""
        return self._said.last_seen

    @property
    def ticket(self) -> QueuePlace | None:
        """Where the player waits, as far as the server has told."""
        return self._said.ticket

    def cut(self) -> None:
        """Lose the connection as a bad network does, without a word; the client comes back. For tests of one's own game."""
        self._link.cut()

    # --- requests -------------------------------------------------------------------------------------------------------

    async def join(
        self,
        pool: str,
        region: str | None = None,
        mode: str | None = None,
        *,
        latency: Mapping[str, float] | None = None,
        roles: Sequence[str] = (),
        attributes: Mapping[str, float | str | list[str]] | None = None,
        op_id: str | None = None,
    ) -> QueueJoinedData:
        """Wait in a queue; returns once the server has acknowledged the ticket. Survives reconnections; bound it with `asyncio.timeout` if need be.

        Args:
            region, mode: may be left out if the player's preferences name them.
            latency: measured round-trip milliseconds by region.
            op_id: repeating a join under the same operation id has no further effect; made up if not given.

        Raises:
            JoinRefusedError: the service says no.
            ConnectionEndedError: the connection ended for good.
        """
        op_id = op_id or self._said.requests.new_id()
        wish = QueueJoinData(pool, region, mode, op_id, dict(latency or {}), list(roles), dict(attributes or {}))
        answer: QueueJoinedData = await self._ask(op_id, encode(QueueJoin(wish)), JoinRefusedError)
        return answer

    async def leave(self) -> QueueLeftData:
        """Stop waiting.

        Raises:
            LeaveRefusedError: the player does not wait (`not_queued`), or a match is on its way (`already_matched`).
            ConnectionEndedError: the connection ended for good.
        """
        op_id = self._said.requests.new_id()
        answer: QueueLeftData = await self._ask(op_id, encode(QueueLeave(QueueLeaveData(op_id))), LeaveRefusedError)
        return answer

    async def accept(self, match_id: str) -> ClientEvent:
        """Accept a match that asks for it (`accept_by`); returns what is known next of the match, which comes as an event too.

        Raises:
            RefusedError: too late, or not the player's match.
            ConnectionEndedError: the connection ended for good.
        """
        return await self.request("match_accept", about=match_id, match_id=match_id)

    async def decline(self, match_id: str) -> ClientEvent:
        """Decline a match that asks for acceptance; the pool may let the player wait before the next one.

        Raises:
            RefusedError: too late, or not the player's match.
            ConnectionEndedError: the connection ended for good.
        """
        return await self.request("match_decline", about=match_id, match_id=match_id)

    async def create_party(self) -> PartyUpdateData:
        """Begin a party; its invite is in the answer. Each change comes as an event too.

        Raises:
            RefusedError: the player is in a party.
            ConnectionEndedError: the connection ended for good.
        """
        return await self._party("party_create")

    async def join_party(self, invite: str) -> PartyUpdateData:
        """Join the party of an invite.

        Raises:
            RefusedError: nobody has this invite, or the party is full or queued, or the player is in one.
            ConnectionEndedError: the connection ended for good.
        """
        return await self._party("party_join", invite=invite)

    async def leave_party(self) -> PartyUpdateData:
        """Leave the party; if it waits in a queue, its ticket ends for all.

        Raises:
            RefusedError: the player is in none.
            ConnectionEndedError: the connection ended for good.
        """
        return await self._party("party_leave")

    async def kick(self, player: str) -> PartyUpdateData:
        """Send a member of one's own party away.

        Raises:
            RefusedError: the player does not lead, or there is no such member.
            ConnectionEndedError: the connection ended for good.
        """
        return await self._party("party_kick", player_id=player)

    async def promote(self, player: str) -> PartyUpdateData:
        """Have another member lead one's own party.

        Raises:
            RefusedError: the player does not lead, or there is no such member.
            ConnectionEndedError: the connection ended for good.
        """
        return await self._party("party_promote", player_id=player)

    async def new_invite(self) -> PartyUpdateData:
        """A new invite for one's own party, in the answer; the one before is good no more.

        Raises:
            RefusedError: the player does not lead.
            ConnectionEndedError: the connection ended for good.
        """
        return await self._party("party_invite")

    async def _party(self, type_: str, **data: str) -> PartyUpdateData:
        answer: Any = await self.request(type_, **data)
        return cast("PartyUpdateData", answer)

    async def request(self, type_: str, *, about: str = "", **data: Any) -> ClientEvent:
        """Ask for anything that the protocol knows, also what this version of the client has no method for.

        Args:
            type_: the message's type.
            about: the match or session that the request concerns: the next news of it is the answer.
            data: the message's data; an `op_id` is added, and the message that bears it is the answer.

        Raises:
            RefusedError: the service says no.
            ConnectionEndedError: the connection ended for good.
        """
        op_id = str(data.setdefault("op_id", self._said.requests.new_id()))
        answer: ClientEvent = await self._ask(op_id, encode_frame(type_, data), RefusedError, about)
        return answer

    async def _ask(self, op_id: str, frame: str, error: type[RefusedError], about: str = "") -> Any:
        pending = self._said.requests.add(op_id, frame, error, about)
        try:
            if self._link.live:
                await self._link.send(pending.goes_out())
            return await pending.answer
        finally:
            self._said.requests.forget(op_id, pending)

    # --- events ---------------------------------------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[ClientEvent]:
        """What the server tells, in order, without repeats; ends when the client is closed. An event counts as dealt with when the next one is asked for.

        Raises:
            ConnectionEndedError: the connection ended for good, for example because the same player connected elsewhere.
        """
        if self._dispatching is not None:
            raise RuntimeError("this client's events go to the callbacks of `on()`")
        async for _, event in self._take():
            yield event

    def on(self, type_: str, callback: Callback) -> Callable[[], None]:
        """Call back for each event of a type (`"match_found"`, or `"*"` for all), instead of iterating over `events()`.

        Args:
            callback: gets the event's data; if it returns an awaitable, that is awaited before the next event.

        Returns:
            a function that ends it.
        """
        self._callbacks.setdefault(type_, []).append(callback)
        if self._dispatching is None:
            self._dispatching = asyncio.create_task(self._dispatch(), name=f"callbacks of {self.player}")
        return lambda: self._callbacks[type_].remove(callback)

    async def _take(self) -> AsyncIterator[tuple[str, ClientEvent]]:
        while (item := await self._said.inbox.take()) is not None:
            kind, event, seq = item
            try:
                yield kind, event
            finally:
                if seq is not None:
                    self._link.dealt_with(seq)

    async def _dispatch(self) -> None:
        with suppress(ConnectionEndedError):  # requests and `closed()` say so
            async for kind, event in self._take():
                for callback in [*self._callbacks.get(kind, ()), *self._callbacks.get(EVERY_TYPE, ())]:
                    await _call(callback, event)

    async def closed(self) -> None:
        """Wait until the client is closed.

        Raises:
            ConnectionEndedError: the connection ended for good before.
        """
        error = await asyncio.shield(self._link.over)
        if error is not None:
            raise error

    # --- beginning and end ----------------------------------------------------------------------------------------------

    async def _connected_first(self, timeout: float, url: object) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._link.first
        except TimeoutError:
            why = self._said.refusal or "no answer"
            raise ConnectionEndedError(0, f"not connected to {url} within {timeout:g} s: {why}") from None

    async def _close(self, task: "asyncio.Task[None]") -> None:
        for each in (task, self._dispatching):
            if each is not None:
                each.cancel()
                with suppress(asyncio.CancelledError):
                    await each
        self._link.end()


async def _call(callback: Callback, event: ClientEvent) -> None:
    """What goes wrong in one callback must not take the events from the others."""
    try:
        result = callback(event)
        if asyncio.iscoroutine(result):
            await result
    except Exception as error:  # noqa: BLE001 - reported as asyncio reports what nobody catches
        asyncio.get_running_loop().call_exception_handler({"message": "a callback for events failed", "exception": error})
