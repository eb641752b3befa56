"""Requests that wait for their answers, by operation id.

A request whose connection is lost is sent again on the next one under the same operation id, so that it has its effect once.
"""

import asyncio
import secrets
from itertools import count

from matchmaking.protocol.messages import ErrorData, QueueJoinedData, QueueLeftData, QueuePlace

from .errors import JoinRefusedError, LeaveRefusedError, RefusedError

Answer = QueueJoinedData | QueueLeftData
_WITHOUT_OPERATION = ("invalid_message", "invalid_json", "message_too_big", "unknown_type")  # the server could not read the operation id


class Pending:
    """One request: its frame, and the future that its answer goes to."""

    __slots__ = ("answer", "error", "frame", "repeated")

    def __init__(self, frame: str, error: type[RefusedError]) -> None:
        self.frame, self.error = frame, error
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.repeated = False


class Requests:
    """The requests under way on one client, oldest first."""

    __slots__ = ("_ids", "_pending", "_prefix")

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(4)
        self._ids = count(1)
        self._pending: dict[str, Pending] = {}

    def new_id(self) -> str:
        """An operation id that this player has not used before."""
        return f"{self._prefix}-{next(self._ids)}"

    def add(self, op_id: str, frame: str, *, leaves: bool = False) -> Pending:
        """Wait for the answer to this request."""
        self._pending[op_id] = pending = Pending(frame, LeaveRefusedError if leaves else JoinRefusedError)
        return pending

    def forget(self, op_id: str) -> None:
        """Nobody waits for the answer any more."""
        self._pending.pop(op_id, None)

    def repeat(self) -> list[str]:
        """The frames to send again on a new connection."""
        for pending in self._pending.values():
            pending.repeated = True
        return [pending.frame for pending in self._pending.values()]

    def answer(self, op_id: str, data: Answer) -> None:
        """An answer came; one that nobody waits for is ignored."""
        pending = self._pending.get(op_id)
        if pending is not None and not pending.answer.done():
            pending.answer.set_result(data)

    def refuse(self, error: ErrorData, ticket: QueuePlace | None) -> bool:
        """An error came; returns whether it was the answer to a request.

        Args:
            ticket: the last known one. A repeated `queue_leave` that meets none has done its work the first time.
        """
        op_id = error.op_id
        if not op_id and error.code in _WITHOUT_OPERATION and self._pending:
            op_id = next(iter(self._pending))
        pending = self._pending.get(op_id)
        if pending is None or pending.answer.done():
            return False
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
