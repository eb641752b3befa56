"""What one client has been told, over all its sockets. No input or output: a frame goes in, frames to send come out.

Each hello brings the store's epoch and a token; together with the number of the last event they are the position from which the next connection resumes. If
the server resumes there, what was missed follows, numbered. If it does not, its snapshot says how things are, and what became of our ticket is told from it.
"""

from collections import deque
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
from matchmaking.protocol.opening import Resume, resume_subprotocol

from .inbox import Inbox, RawEvent
from .requests import Requests

LOST = "lost"  # the reason of a `QueueLeftData` that the client makes itself: the ticket had ended when it came back
ENDED_REMEMBERED = 16  # tickets; a repeated join may be answered after its ticket's end has come


_frame_decoder = msgspec.json.Decoder(IncomingFrame)
_decoders: dict[str, msgspec.json.Decoder[Any]] = {name: msgspec.json.Decoder(kind) for kind, name in SERVER_TYPES.items()}
_encoder = msgspec.json.Encoder()


def encode(message: ClientMessage) -> str:
    """Write a client's frame."""
    return _encoder.encode(message).decode()


def encode_frame(kind: str, data: object) -> str:
    """Write a frame of any type."""
    return _encoder.encode({"type": kind, "data": data}).decode()


HEARTBEAT = encode(Heartbeat())


class Conversation:
    """The client's side of the protocol.

    Attributes:
        ticket: where the player waits, as far as the server has told.
        live: whether the present socket has said hello.
        resumed: whether it went on where the last one had ended.
        interval: seconds between heartbeats, as the hello said.
        hellos: how many came so far; a server may begin the session anew on a live socket.
        last_seen: the number of the latest event.
        retry_after: seconds, if the server asked for a reconnection.
        refusal: why the server did not let us in, in its words.
        undecided: operations to send again, with the seconds until then; whoever owns the clock takes them out.
    """

    def __init__(self) -> None:
        self.inbox, self.requests = Inbox(), Requests()
        self.ticket: QueuePlace | None = None
        self.live, self.resumed, self.interval, self.hellos, self.last_seen = False, False, 0.0, 0, 0
        self.retry_after: float | None = None
        self.refusal = ""
        self.undecided: list[tuple[str, float]] = []
        self._epoch, self._token = "", ""
        self._ended: deque[str] = deque(maxlen=ENDED_REMEMBERED)

    def opened(self) -> None:
        """A new socket: nothing was said on it yet."""
        self.live, self.resumed, self.retry_after, self.refusal = False, False, None, ""

    @property
    def position(self) -> str | None:
        """The subprotocol that asks to go on from here; None before the first hello."""
        return resume_subprotocol(Resume(self._epoch, self.last_seen, self._token)) if self._token else None

    def received(self, text: str | bytes) -> list[str]:
        """Read a server's frame.

        Returns:
            frames to send.

        Raises:
            msgspec.MsgspecError: it is no frame.
            EventsUnreadError: the user does not read events.
        """
        frame = _frame_decoder.decode(text)
        if frame.seq is not None:
            if frame.seq <= self.last_seen:
                return []  # a repeat
            self.last_seen = frame.seq
        data = _data(frame)
        if isinstance(data, HelloData):
            return self._hello(data)
        self._heard(frame.type, data, frame.seq)
        return []

    def _heard(self, kind: str, data: Any, seq: int | None) -> None:
        match data:
            case HeartbeatAckData():
                pass
            case ReconnectData():
                self.retry_after = data.retry_after
            case QueueJoinedData():
                self._joined(data)
            case ErrorData():
                self._error(data)
            case SnapshotData():
                self._reconcile(data)
                self.inbox.put(kind, data)
            case MatchFoundData() | QueueLeftData():
                self._end(data)
                self._news(kind, data, seq)
            case _:
                self._news(kind, data, seq)

    def _hello(self, hello: HelloData) -> list[str]:
        self.live, self.resumed = True, hello.resumed
        self.hellos += 1
        if hello.epoch != self._epoch or not hello.resumed:
            self._epoch, self.last_seen = hello.epoch, hello.seq
        self._token = hello.resume_token
        self.interval = hello.heartbeat_interval
        return self.requests.again()

    def _joined(self, joined: QueueJoinedData) -> None:
        if joined.ticket_id not in self._ended:
            self.ticket = QueuePlace(joined.ticket_id, joined.pool, joined.region, joined.mode)
        self.requests.answer(joined.op_id, joined)

    def _error(self, error: ErrorData) -> None:
        if not self.live:
            self.refusal = error.message  # the close code follows
            return
        wait = self.requests.refuse(error, self.ticket)
        if wait is False:
            self.inbox.put("error", error)
        elif wait is not True:
            self.undecided.append((error.op_id, wait))

    def _end(self, event: MatchFoundData | QueueLeftData) -> None:
        self._ended.append(event.ticket_id)
        if self.ticket is not None and event.ticket_id == self.ticket.ticket_id:
            self.ticket = None

    def _news(self, kind: str, data: Any, seq: int | None) -> None:
        """An event, and perhaps the answer to a request: by its operation id, or by the match that it tells of."""
        named = data.data if isinstance(data, RawEvent) and isinstance(data.data, dict) else msgspec.structs.asdict(data)
        if kind == "match_cancelled" and named.get("requeued") and (ticket_id := named.get("ticket_id")):
            self.ticket = QueuePlace(str(ticket_id), *(str(named.get(part, "")) for part in ("pool", "region", "mode")))
            self._ended = deque((each for each in self._ended if each != ticket_id), maxlen=ENDED_REMEMBERED)
        self.requests.answer(str(named.get("op_id") or ""), data)
        if kind != "match_found" and (about := named.get("match_id") or named.get("session_id")):
            self.requests.news(str(about), data)
        self.inbox.put(kind, data, seq)

    def _reconcile(self, snapshot: SnapshotData) -> None:
        """Tell the user what became of the ticket while we were away."""
        before, self.ticket = self.ticket, snapshot.ticket
        match = snapshot.match
        if match is not None and match.ticket_id not in self._ended and (self.requests or (before and before.ticket_id == match.ticket_id)):
            self._ended.append(match.ticket_id)
            self.inbox.put("match_found", match)
        if before is None or before.ticket_id in self._ended or (self.ticket is not None and self.ticket.ticket_id == before.ticket_id):
            return
        self._ended.append(before.ticket_id)
        self.inbox.put("queue_left", QueueLeftData(before.ticket_id, before.pool, before.region, before.mode, LOST))


def _data(frame: IncomingFrame) -> Any:
    """The typed data of a frame; raw where there is no type for it, or where a newer server's data do not fit ours."""
    decoder = _decoders.get(frame.type)
    if decoder is not None:
        try:
            return decoder.decode(frame.data)
        except msgspec.ValidationError:
            if frame.type == "hello":
                raise
    return RawEvent(frame.type, msgspec.json.decode(frame.data))
