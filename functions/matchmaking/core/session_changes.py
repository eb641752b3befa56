"""The small changes that a session's steps are made of, and what its players are told of it."""

import hashlib
from typing import Any

import msgspec
from msgspec.structs import replace

from .session import Seat, Session, target
from .session_effects import Tell
from .ticket import Ticket


def moved(session: Session, event: str, **due: float) -> Session:
    """In the state where the table's transition leads, with these deadlines only."""
    return replace(session, status=target(event, session.status), due=due)


def idle(session: Session, same: str) -> str:
    """Why an event has no effect: it had it before, or it comes too late or too early."""
    if session.over:
        return "ok" if session.status == same else "over"
    return "not_playing"


def with_due(session: Session, **due: float) -> Session:
    """With these deadlines, too."""
    return replace(session, due={**session.due, **due})


def without_due(session: Session, name: str) -> Session:
    """Without this deadline."""
    return replace(session, due={other: at for other, at in session.due.items() if other != name})


def kept(session: Session, *names: str) -> dict[str, float]:
    """Those of its deadlines that it has."""
    return {name: at for name, at in session.due.items() if name in names}


def seated(session: Session, seat: Seat) -> Session:
    """With this seat in the place of the player's old one."""
    return replace(session, seats=tuple(seat if other.player == seat.player else other for other in session.seats))


def state_of(session: Session) -> dict[str, Any]:
    """What its players are told of it."""
    state: dict[str, Any] = {"status": session.status}
    if session.connection and not session.over:
        state["connection"] = msgspec.json.decode(session.connection)
    if session.result is not None:
        state["result"] = {"ranks": session.result.ranks, "abandoned": list(session.result.abandoned)}
    return state


def tell_all(session: Session, then: str = "") -> Tell:
    """Everybody who is still in it is told."""
    return Tell({seat.player: seat.ticket for seat in session.seats if not seat.left}, state_of(session), then)  # type: ignore[arg-type]


def renewed(session: Session, ticket: Ticket, now: float) -> Ticket:
    """The ticket under a new id, which anybody who meets this session would make the same; ids begin with their time in ms."""
    digest = hashlib.sha256(f"{session.id} {ticket.id}".encode()).hexdigest()
    return replace(ticket, id=f"{int(now * 1000):011x}{digest[:12]}", head_start=max(ticket.head_start, session.policy.head_start))
