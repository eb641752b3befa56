"""The Python client: one player's connection to a gateway, kept alive.

    async with Client.connect("ws://127.0.0.1:8080", "alice", token=token) as client:
        await client.join("duel", region="local", mode="ranked")
        async for event in client.events():
            if isinstance(event, MatchFoundData):
                print(event.match_id, event.opponent)
                break

It sends heartbeats, reconnects as the close codes advise, repeats requests that a lost connection left unanswered, and drops repeated events.
"""

from matchmaking.protocol.messages import (
    AnnouncementData,
    ErrorData,
    GameStateUpdateData,
    MatchFoundData,
    QueueJoinedData,
    QueueLeftData,
    QueueUpdateData,
    SnapshotData,
)

from .connection import Client
from .errors import ClientError, ConnectionEndedError, JoinRefusedError, LeaveRefusedError, RefusedError
from .inbox import ClientEvent

__all__ = [
    "AnnouncementData",
    "Client",
    "ClientError",
    "ClientEvent",
    "ConnectionEndedError",
    "ErrorData",
    "GameStateUpdateData",
    "JoinRefusedError",
    "LeaveRefusedError",
    "MatchFoundData",
    "QueueJoinedData",
    "QueueLeftData",
    "QueueUpdateData",
    "RefusedError",
    "SnapshotData",
]
