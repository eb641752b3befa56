"""A session as its players, its server and the API see it."""

from typing import Any

import msgspec

from matchmaking.protocol.session_messages import SessionData
from matchmaking.store import session_values as values
from matchmaking.store.interface import Store


def state_of(read: values.SessionRead) -> dict[str, Any]:
    """What `game_state_update.state` and the snapshot say of a session that exists."""
    session = read.session
    if session is None:
        return {}
    state: dict[str, Any] = {"status": session.status}
    if session.status == "proposed":
        state |= {"accepted": sum(seat.accepted for seat in session.seats), "players": len(session.seats)}
    if session.connection and not session.over:
        state["connection"] = msgspec.json.decode(session.connection)
    if read.version:
        state |= {"version": read.version, "data": msgspec.json.decode(read.data)}
    if session.result is not None:
        state["result"] = {"ranks": session.result.ranks, "abandoned": list(session.result.abandoned)}
    return state


async def current_session(store: Store, player: str) -> SessionData | None:
    """The session that a player is in."""
    match = await store.session_of(player)
    if match is None:
        return None
    read = await store.session_read(match)
    if read.session is None or read.session.over or player not in read.session.players:
        return None
    return SessionData(match, state_of(read))
