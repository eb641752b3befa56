"""What one client has been told, over all its sockets. No input or output: a frame goes in, frames to send come out.

After a reconnection the server's snapshot says what became of the ticket in the meantime. No snapshot before the answer to the first heartbeat means that
there is nothing to tell: a ticket that we still believed in has ended, unknown how.
"""

from typing import Any

import msgspec

from matchmaking.protocol.messages import (
    SERVER_TYPES,
    ClientMessage,
    ErrorData,
    Heartbeat,
    HeartbeatAckData,
    HelloData,
    IncomingFrame,
    MatchFoundData,
    QueueJoinedData,
    QueueLeftData,
    QueuePlace,
    ReconnectData,
    SnapshotData,
)

from .inbox import Inbox
from .requests import Requests

LOST = "lost"  # the reason of a `QueueLeftData` that the client makes itself: the ticket had ended when it came back

_frame_decoder = msgspec.json.Decoder(IncomingFrame)
_decoders: dict[str, msgspec.json.Decoder[Any]] = {name: msgspec.json.Decoder(kind) for kind, name in SERVER_TYPES.items()}
_encoder = msgspec.json.Encoder()


def encode(message: ClientMessage) -> str:
    """Write a client's frame."""
    return _encoder.encode(message).decode()


HEARTBEAT = encode(Heartbeat())


class Conversation:
    """The client's side of the protocol.

    Attributes:
        ticket: where the player waits, as far as the server has told.
        live: whether the present socket has said hello.
        interval: seconds between heartbeats, as the hello said.
        last_seen: the number of the latest event.
        retry_after: seconds, if the server asked for a reconnection.
        refusal: why the server did not let us in, in its words.
    """

    __slots__ = ("_epoch", "_told", "inbox", "interval", "last_seen", "live", "refusal", "requests", "retry_after", "ticket")

    def __init__(self) -> None:
        self.inbox, self.requests = Inbox(), Requests()
        self.ticket: QueuePlace | None = None
        self.live, self.interval, self.last_seen = False, 0.0, 0
        self.retry_after: float | None = None
        self.refusal = ""
        self._epoch, self._told = "", True

    def opened(self) -> None:
        """A new socket: nothing was said on it yet."""
        self.live, self.retry_after, self.refusal = False, None, ""

    def received(self, text: str | bytes) -> list[str]:
        """Read a server's frame.

        Returns:
            frames to send.

        Raises:
            msgspec.MsgspecError: it is no such frame.
            EventsUnreadError: the user does not read events.
        """
        frame = _frame_decoder.decode(text)
        decoder = _decoders.get(frame.type)
        if decoder is None:
            return []  # from a newer server
        if frame.seq is not None:
            if frame.seq <= self.last_seen:
                return []  # a repeat
            self.last_seen = frame.seq
        data = decoder.decode(frame.data)
        if isinstance(data, HelloData):
            return self._hello(data)
        self._heard(data, frame.seq)
        return []

    def _heard(self, data: Any, seq: int | None) -> None:
        match data:
            case HeartbeatAckData():
                if not self._told:
                    self._reconcile(SnapshotData())
            case ReconnectData():
                self.retry_after = data.retry_after
            case QueueJoinedData():
                self.ticket = QueuePlace(data.ticket_id, data.pool, data.region, data.mode)
                self.requests.answer(data.op_id, data)
            case ErrorData():
                self._error(data)
            case SnapshotData():
                self._reconcile(data)
                self.inbox.put(data)
            case MatchFoundData() | QueueLeftData():
                self._ended(data, seq)
            case _:
                self.inbox.put(data, seq)

    def _hello(self, hello: HelloData) -> list[str]:
        self.live = True
        if hello.epoch != self._epoch or not hello.resumed:
            self._epoch, self.last_seen = hello.epoch, hello.seq
        self.interval = hello.heartbeat_interval
        self._told = self.ticket is None or hello.resumed
        return ([] if self._told else [HEARTBEAT]) + self.requests.repeat()

    def _error(self, error: ErrorData) -> None:
        if not self.live:
            self.refusal = error.message  # the close code follows
        elif not self.requests.refuse(error, self.ticket):
            self.inbox.put(error)

    def _ended(self, event: MatchFoundData | QueueLeftData, seq: int | None) -> None:
        if self.ticket is not None and event.ticket_id == self.ticket.ticket_id:
            self.ticket = None
        if isinstance(event, QueueLeftData) and event.op_id:
            self.requests.answer(event.op_id, event)
        self.inbox.put(event, seq)

    def _reconcile(self, snapshot: SnapshotData) -> None:
        """Tell the user what became of the ticket while we were away."""
        before, self.ticket, self._told = self.ticket, snapshot.ticket, True
        if before is None or (snapshot.ticket is not None and snapshot.ticket.ticket_id == before.ticket_id):
            return
        if snapshot.match is not None and snapshot.match.ticket_id == before.ticket_id:
            self.inbox.put(snapshot.match)
        else:
            self.inbox.put(QueueLeftData(before.ticket_id, before.pool, before.region, before.mode, LOST))
