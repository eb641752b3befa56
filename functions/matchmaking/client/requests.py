"""Requests that wait for their answers, by operation id.

A request whose connection is lost, or that the service could not finish because its store was away, is sent again under the same operation id: nobody knows
whether it had its effect, and the operation id makes sure that it has it once.
"""

import asyncio
import secrets
from itertools import count
from typing import Any

from matchmaking.protocol.messages import ErrorData, QueueLeftData, QueuePlace

from .errors import RefusedError

_WITHOUT_OPERATION = ("invalid_message", "invalid_json", "message_too_big", "unknown_type")  # the server could not read the operation id
_UNDECIDED = "unavailable"  # the store went away in the middle: repeat the same operation


class Pending:
    """One request: its frame, and the future that its answer goes to.

    Attributes:
        about: the match or the like that it concerns, where the answer may be news of that.
        sent: whether it went out at least once.
        repeated: whether it went out more often.
    """

    __slots__ = ("about", "answer", "error", "frame", "repeated", "sent")

    def __init__(self, frame: str, error: type[RefusedError], about: str) -> None:
        self.frame, self.error, self.about = frame, error, about
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.sent = self.repeated = False

    def goes_out(self) -> str:
        """Its frame, about to be sent."""
        self.repeated = self.repeated or self.sent
        self.sent = True
        return self.frame


class Requests:
    """The requests under way on one client, oldest first."""

    __slots__ = ("_ids", "_pending", "_prefix")

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(8)
        self._ids = count(1)
        self._pending: dict[str, Pending] = {}

    def __bool__(self) -> bool:
        return bool(self._pending)

    def new_id(self) -> str:
        """An operation id that this player has not used before."""
        return f"{self._prefix}-{next(self._ids)}"

    def add(self, op_id: str, frame: str, error: type[RefusedError] = RefusedError, about: str = "") -> Pending:
        """Wait for the answer to this request."""
        self._pending[op_id] = pending = Pending(frame, error, about)
        return pending

    def forget(self, op_id: str, pending: Pending) -> None:
        """Nobody waits for the answer any more."""
        if self._pending.get(op_id) is pending:
            del self._pending[op_id]

    def again(self) -> list[str]:
        """The frames to send on a new connection."""
        return [pending.goes_out() for pending in self._pending.values() if not pending.answer.done()]

    def one_again(self, op_id: str) -> str | None:
        """The frame to send once more; None if nobody waits for the answer any more."""
        pending = self._pending.get(op_id)
        return pending.goes_out() if pending is not None and not pending.answer.done() else None

    def answer(self, op_id: str, data: Any) -> None:
        """An answer came; one that nobody waits for is ignored."""
        pending = self._pending.get(op_id)
        if pending is not None and not pending.answer.done():
            pending.answer.set_result(data)

    def news(self, about: str, data: Any) -> None:
        """Something became known of a match: the answer to what was asked about it."""
        for pending in self._pending.values():
            if pending.about == about and not pending.answer.done():
                pending.answer.set_result(data)

    def refuse(self, error: ErrorData, ticket: QueuePlace | None) -> float | bool:
        """An error came.

        Args:
            ticket: the last known one. A repeated `queue_leave` that meets none has done its work the first time.

        Returns:
            True if it was the answer to a request, False if it concerns none, or seconds after which to send the request again.
        """
        op_id = error.op_id
        if not op_id and error.code in _WITHOUT_OPERATION and self._pending:
            op_id = next(iter(self._pending))
        pending = self._pending.get(op_id)
        if pending is None or pending.answer.done():
            return False
        if error.code == _UNDECIDED and error.retry_after is not None:
            return float(error.retry_after)
        if pending.repeated and ticket is not None and error.code == "not_queued":
            pending.answer.set_result(QueueLeftData(ticket.ticket_id, ticket.pool, ticket.region, ticket.mode, "left", op_id))
        else:
            pending.answer.set_exception(pending.error(error))
        return True

    def fail(self, error: Exception) -> None:
        """The connection ended for good: no answer will come."""
        for pending in self._pending.values():
            if not pending.answer.done():
                pending.answer.set_exception(error)
