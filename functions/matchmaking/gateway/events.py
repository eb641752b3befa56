"""What the gateway makes of the bus' events: one handler for each type of the contract."""

import time
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from matchmaking.protocol import connection as protocol
from matchmaking.protocol.events import (
    ANNOUNCEMENT,
    MATCH_READY,
    PARTY_UPDATE,
    QUEUE_UPDATE,
    SESSION_UPDATE,
    TICKET_ENDED,
    MatchReadyData,
    Message,
    QueueStatusData,
    StoredEvent,
    match_ready_decoder,
    ticket_ended_decoder,
)
from matchmaking.protocol.messages import (
    AnnouncementData,
    GameStateUpdateData,
    MatchFoundData,
    PartyUpdateData,
    QueueLeftData,
    QueuePlace,
    encode,
)
from matchmaking.protocol.session_messages import MATCH_CANCELLED, MatchCancelledData

from .session import Session

if TYPE_CHECKING:
    from .hub import Hub

_queue_status = msgspec.json.Decoder(QueueStatusData)
_announcement = msgspec.json.Decoder(AnnouncementData)
_cancelled = msgspec.json.Decoder(MatchCancelledData)
_party = msgspec.json.Decoder(PartyUpdateData)
_game_state = msgspec.json.Decoder(GameStateUpdateData)


@lru_cache(maxsize=64)
def _ready(data: bytes) -> MatchReadyData:
    """A match's data: most of its players hear of it at the same time, and are often here together."""
    return match_ready_decoder.decode(data)


def match_found(player: str, ready: MatchReadyData) -> MatchFoundData:
    """A match as one of its players is told of it."""
    others = [team for team in ready.teams if player not in team.players]
    opponent = None
    if len(others) == 1:
        opponent = others[0].players[0] if len(others[0].players) == 1 else others[0].name
    ticket = ready.tickets.get(player, "")
    return MatchFoundData(
        ready.match_id,
        opponent,
        ready.timestamp,
        ready.teams,
        ready.pool,
        ready.region,
        ready.mode,
        ticket,
        ready.quality,
        ready.waited.get(ticket, 0.0),
        ready.accept_by,
    )


def handle_match_ready(hub: "Hub", session: Session, event: StoredEvent) -> None:
    """The player's ticket ended with a match."""
    ready = _ready(event.data)
    found = match_found(session.player, ready)
    session.send(found, event.seq)
    _observe_delivery(hub, event)
    if ready.traces and found.ticket_id in ready.traces:
        hub.traces.delivered(ready.traces[found.ticket_id], ready.match_id, datetime.fromisoformat(event.timestamp).timestamp())


def handle_ticket_ended(hub: "Hub", session: Session, event: StoredEvent) -> None:
    """The player's ticket ended without a match."""
    ended = ticket_ended_decoder.decode(event.data)
    session.send(QueueLeftData(ended.ticket_id, ended.pool, ended.region, ended.mode, ended.reason, ended.op_id), event.seq)
    _observe_delivery(hub, event)


def handle_session_update(hub: "Hub", session: Session, event: StoredEvent) -> None:
    """A live session of the player's changed."""
    session.send(_game_state.decode(event.data), event.seq)
    _observe_delivery(hub, event)


def handle_match_cancelled(hub: "Hub", session: Session, event: StoredEvent) -> None:
    """The player's match comes to nothing; the player may wait again, and gets positions from now on."""
    told = _cancelled.decode(event.data)
    if told.requeued and told.ticket_id:
        place = QueuePlace(told.ticket_id, told.pool, told.region, told.mode)
        since = datetime.fromisoformat(event.timestamp).timestamp() - told.waited
        session.connection = msgspec.structs.replace(session.connection, waiting=protocol.Waiting(place, since))
        hub.refresh_positions(told.pool, told.region, told.mode)
    session.send(told, event.seq)
    _observe_delivery(hub, event)


def handle_party_update(hub: "Hub", session: Session, event: StoredEvent) -> None:
    """The player's party changed; if it waits, so does the player."""
    update = _party.decode(event.data)
    hub.parties.note(session.player, update)
    session.send(update, event.seq)
    if update.queued is not None:
        at = update.queued
        place = QueuePlace(at.ticket_id, at.pool, at.region, at.mode)
        session.feed(protocol.PartyWaits(place, datetime.fromisoformat(at.since).timestamp()))
        hub.refresh_positions(at.pool, at.region, at.mode)
    _observe_delivery(hub, event)


def handle_queue_update(hub: "Hub", message: Message) -> None:
    """A round changed a queue: its waiting players on this gateway get their new positions soon."""
    status = _queue_status.decode(message.data)
    hub.refresh_positions(status.pool, status.region, status.mode)


def handle_announcement(hub: "Hub", message: Message) -> None:
    """News for everybody: encoded once."""
    news = _announcement.decode(message.data)
    hub.broadcast(encode(msgspec.structs.replace(news, timestamp=message.timestamp)), "announcement")


PLAYER_HANDLERS = {
    MATCH_READY: handle_match_ready,
    TICKET_ENDED: handle_ticket_ended,
    SESSION_UPDATE: handle_session_update,
    MATCH_CANCELLED: handle_match_cancelled,
    PARTY_UPDATE: handle_party_update,
}
BROADCAST_HANDLERS = {QUEUE_UPDATE: handle_queue_update, ANNOUNCEMENT: handle_announcement}


def _observe_delivery(hub: "Hub", event: StoredEvent) -> None:
    hub.metrics.delivery_seconds.observe(max(0.0, time.time() - datetime.fromisoformat(event.timestamp).timestamp()))
