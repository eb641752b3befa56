"""The Python client: one player's connection to a gateway, kept alive.

    async with Client.connect("ws://127.0.0.1:8080", "alice", token=token) as client:
        await client.join("duel", region="local", mode="ranked")
        async for event in client.events():
            if isinstance(event, MatchFoundData):
                print(event.match_id, event.opponent)
                break

It sends heartbeats, reconnects as the close codes advise and resumes where it was, repeats requests that a lost connection left unanswered under the same
operation id, and drops repeated events.
"""

from matchmaking.protocol.messages import (
    AnnouncementData,
    ErrorData,
    GameStateUpdateData,
    MatchFoundData,
    PartyUpdateData,
    QueueJoinedData,
    QueueLeftData,
    QueueUpdateData,
    SnapshotData,
)

from .connection import Client
from .errors import ClientError, ConnectionEndedError, EventsUnreadError, JoinRefusedError, LeaveRefusedError, RefusedError
from .inbox import ClientEvent, RawEvent
from .reconnect import Backoff

__all__ = [
    "AnnouncementData",
    "Backoff",
    "Client",
    "ClientError",
    "ClientEvent",
    "ConnectionEndedError",
    "ErrorData",
    "EventsUnreadError",
    "GameStateUpdateData",
    "JoinRefusedError",
    "LeaveRefusedError",
    "MatchFoundData",
    "PartyUpdateData",
    "QueueJoinedData",
    "QueueLeftData",
    "QueueUpdateData",
    "RawEvent",
    "RefusedError",
    "SnapshotData",
]
