"""A session, advanced by one event: a pure function of the session, the event and the time.

Every event may come again (its sender may have died before it heard the answer): then the session stays as it is, and the answer is the same.
"""

import hashlib
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from .session import ALLOCATE_SECONDS, PLAYED, Arrival, Result, Seat, Session, target
from .session_effects import Ask, Dismiss, Effect, GiveBack, Rate, Tell, Withdraw
from .ticket import BackfillSlots, Player, Ticket

OWN_FAULT = 5.0  # s; a deadline that is noticed so late passed during an outage of ours, and nobody is to blame
ATTEMPTS = 4  # to find a server
ATTEMPT_SECONDS = (
    6.0  # one attempt; a little longer than an allocator may take, so that a second process does not ask while the first still does
)
BACKOFF = (0.5, 1.0, 2.0)  # s before the second, third and fourth attempt


class Accept(Struct, frozen=True):
    """A player accepts."""

    player: str


class Decline(Struct, frozen=True):
    """A player declines."""

    player: str


class Due(Struct, frozen=True):
    """Time passed."""


class Attempt(Struct, frozen=True):
    """Somebody is about to ask for a server."""


class Allocated(Struct, frozen=True):
    """There is a server; `connection` is JSON."""

    connection: str


class Unallocated(Struct, frozen=True):
    """An attempt failed; `final`: another one would, too."""

    final: bool = False


class Reported(Struct, frozen=True):
    """The server speaks for the first time."""


class Gone(Struct, frozen=True):
    """The server says that a player is disconnected."""

    player: str


class Returned(Struct, frozen=True):
    """The server says that a player is there again."""

    player: str


class Finished(Struct, frozen=True):
    """The server posts the result; `rates` is what follows for the players."""

    result: Result
    rates: tuple[Rate, ...] = ()


class CalledOff(Struct, frozen=True):
    """The server gives the match up without a result."""


class Cancel(Struct, frozen=True):
    """An operator, or the server, cancels it."""


class Fill(Struct, frozen=True):
    """The server asks for more players."""


class StopFilling(Struct, frozen=True):
    """The server asks for no more, or the backfill ticket has ended."""


Event: TypeAlias = (
    Accept
    | Decline
    | Due
    | Attempt
    | Allocated
    | Unallocated
    | Reported
    | Gone
    | Returned
    | Finished
    | CalledOff
    | Cancel
    | Fill
    | StopFilling
    | Arrival
)


class Step(Struct, frozen=True):
    """The session after an event.

    Attributes:
        answer: `ok`, or why nothing happened: `over`, `too_late`, `not_yours`, `contradiction`, `not_playing`, `off`, `full`, `not_due`.
    """

    session: Session
    answer: str = "ok"
    effects: tuple[Effect, ...] = ()


def step(session: Session, event: Event, now: float) -> Step:
    """Advance a session.

    Args:
        now: seconds since the epoch.
    """
    match event:
        case Accept(player):
            return _accept(session, player, now)
        case Decline(player):
            return _decline(session, player, now)
        case Due():
            return _due(session, now)
        case Attempt() | Allocated() | Unallocated():
            return _allocation(session, event, now)
        case Reported():
            return _reported(session, now)
        case Gone(player) | Returned(player):
            return _presence(session, player, now, gone=isinstance(event, Gone))
        case Finished(result, rates):
            return _finished(session, result, rates)
        case CalledOff():
            return _end(session, "called_off") if session.status in PLAYED else Step(session, _idle(session, "abandoned"))
        case Cancel():
            return (
                Step(session, _idle(session, "cancelled")) if session.over else _cancelled(session, "cancel", "cancelled", now, blame=None)
            )
        case Fill() | StopFilling() | Arrival():
            return _backfill(session, event, now)


# --- ready check -------------------------------------------------------------------------------------------------------------------------------------


def _accept(session: Session, player: str, now: float) -> Step:
    seat = session.seat(player)
    if seat is None:
        return Step(session, "not_yours")
    if seat.accepted and session.status != "cancelled":
        return Step(session)
    if session.status != "proposed" or now > session.due["accept"]:
        return Step(session, "too_late")
    session = _seated(session, replace(seat, accepted=True))
    if not all(other.accepted for other in session.seats):
        return Step(session)
    session = _moved(session, "all_accepted", allocate=now + ALLOCATE_SECONDS, attempt=now)
    if session.policy.allocation != "none":
        return Step(session, effects=(_tell(session),))
    # Nobody will tell us of the match's end, so nobody is held until a server does speak.
    session = replace(_moved(session, "no_server_needed"), holds=False)
    return Step(session, effects=(_tell(session, "free"),))


def _decline(session: Session, player: str, now: float) -> Step:
    seat = session.seat(player)
    if seat is None:
        return Step(session, "not_yours")
    if session.status != "proposed" or now > session.due["accept"]:
        return Step(session, "ok" if session.reason == f"declined by {player}" else "too_late")
    done = _cancelled(session, "declined", "declined", now, blame=frozenset({player}))
    return replace(done, session=replace(done.session, reason=f"declined by {player}"))


def _due(session: Session, now: float) -> Step:
    due = {name: at for name, at in session.due.items() if at <= now}
    if "accept" in due:
        late = now - due["accept"] > OWN_FAULT
        silent = frozenset(seat.player for seat in session.seats if not seat.accepted)
        return _cancelled(session, "accept_timeout", "timeout", now, blame=frozenset() if late else silent)
    if "allocate" in due:
        return _cancelled(session, "allocation_failed", "allocation_failed", now, blame=frozenset())
    if "ready" in due:
        return _cancelled(session, "ready_timeout", "allocation_failed", now, blame=frozenset())
    if "duration" in due:
        return _end(session, "duration")
    if "grace" in due:
        return _left(session, now)
    return Step(session, "not_due")


def _cancelled(session: Session, event: str, reason: str, now: float, blame: "frozenset[str] | None") -> Step:
    """End it. Tickets without a player who is to blame go back into the queue; None: none does."""
    ended = replace(_moved(session, event), reason=reason, filling="")
    effects: list[Effect] = [Withdraw(session.filling)] if session.filling else []
    for ticket in session.tickets:
        members = [seat for seat in session.seats if seat.ticket == ticket.id]
        if blame is not None and not any(seat.player in blame or seat.left for seat in members):
            effects.append(GiveBack(_renewed(session, ticket, now), ticket.id, reason))
        else:
            effects += [
                Dismiss(seat.player, ticket.id, reason, session.policy.cooldowns if blame and seat.player in blame else ())
                for seat in members
                if not seat.left
            ]
    return Step(ended, effects=tuple(effects))


def _renewed(session: Session, ticket: Ticket, now: float) -> Ticket:
    """The ticket under a new id, which anybody who meets this session would make the same; ids begin with their time in ms."""
    digest = hashlib.sha256(f"{session.id} {ticket.id}".encode()).hexdigest()
    return replace(ticket, id=f"{int(now * 1000):011x}{digest[:12]}", head_start=max(ticket.head_start, session.policy.head_start))


# --- a server ----------------------------------------------------------------------------------------------------------------------------------------


def _allocation(session: Session, event: Attempt | Allocated | Unallocated, now: float) -> Step:
    if session.status not in ("accepted", "allocating"):
        return Step(session, "over" if session.over else "not_due")
    if isinstance(event, Allocated) and session.status != "allocating":
        return Step(session, "not_due")
    if isinstance(event, Attempt):
        if now < session.due["attempt"]:
            return Step(session, "not_due")
        return Step(
            _moved(
                replace(session, attempts=session.attempts + 1),
                "allocation_started",
                allocate=session.due["allocate"],
                attempt=now + ATTEMPT_SECONDS,
            )
        )
    if isinstance(event, Unallocated):
        if event.final or session.attempts >= ATTEMPTS:
            return _cancelled(session, "allocation_failed", "allocation_failed", now, blame=frozenset())
        pause = BACKOFF[min(max(session.attempts, 1), len(BACKOFF)) - 1]
        return Step(_with(session, attempt=now + pause))
    session = _moved(replace(session, connection=event.connection), "allocated", ready=now + session.policy.ready)
    return Step(session, effects=(_tell(session),))


def _reported(session: Session, now: float) -> Step:
    if session.over:
        return Step(session, "over")
    if session.status == "ready":
        session = _moved(session, "reported", duration=now + session.policy.duration, **_keep(session, "grace"))
        return Step(session, effects=(_tell(session),))
    if session.status != "active":
        return Step(session, "not_playing")
    if session.holds:
        return Step(session)
    session = replace(_with(session, duration=now + session.policy.duration), holds=True)
    return Step(session, effects=(_tell(session, "hold"),))


def _presence(session: Session, player: str, now: float, *, gone: bool) -> Step:
    seat = session.seat(player)
    if seat is None:
        return Step(session, "not_yours")
    if session.status not in PLAYED:
        return Step(session, "over" if session.over else "not_playing")
    if seat.left:
        return Step(session, "ok" if gone else "too_late")
    if gone == bool(seat.away):
        return Step(session)
    session = _seated(session, replace(seat, away=now if gone else 0.0))
    return Step(_graced(session))


def _graced(session: Session) -> Session:
    away = [seat.away for seat in session.seats if seat.away and not seat.left]
    return _with(session, grace=min(away) + session.policy.grace) if away else _without(session, "grace")


def _left(session: Session, now: float) -> Step:
    """Who has been away for longer than the grace has left, and is free; the session goes on without."""
    leavers = [seat for seat in session.seats if seat.away and not seat.left and seat.away + session.policy.grace <= now]
    for seat in leavers:
        session = _seated(session, replace(seat, left=True))
    session = _graced(session)
    told = Tell({seat.player: seat.ticket for seat in leavers}, {**_state(session), "status": "abandoned"}, "free")
    if not session.players:
        ended = _end(session, "everybody_left")
        return replace(ended, effects=(told, *ended.effects))
    effects: tuple[Effect, ...] = (told,)
    if session.policy.backfill == "auto":
        filled = _fill(session, now)
        session, effects = filled.session, (told, *filled.effects)
    return Step(session, effects=effects)


# --- the end -----------------------------------------------------------------------------------------------------------------------------------------


def _finished(session: Session, result: Result, rates: tuple[Rate, ...]) -> Step:
    if session.status == "completed":
        return Step(session, "ok" if session.result == result else "contradiction")
    if session.status not in PLAYED:
        return Step(session, _idle(session, ""))
    ended = _end(replace(session, result=result), "result")
    own = {
        rate.player: {"outcome": rate.outcome, "rating": {"before": round(rate.before[0], 2), "after": round(rate.after[0], 2)}}
        for rate in rates
    }
    effects = tuple(replace(effect, own=own) if isinstance(effect, Tell) else effect for effect in ended.effects)
    return replace(ended, effects=(*rates, *effects))


def _end(session: Session, event: str) -> Step:
    filling = session.filling
    session = replace(_moved(session, event), filling="")
    effects: tuple[Effect, ...] = (_tell(session, "free"),) if session.players else ()
    return Step(session, effects=(Withdraw(filling), *effects) if filling else effects)


# --- backfill ----------------------------------------------------------------------------------------------------------------------------------------


def _backfill(session: Session, event: Fill | StopFilling | Arrival, now: float) -> Step:
    if isinstance(event, Fill):
        return _fill(session, now)
    if isinstance(event, Arrival):
        return _arrived(session, event, now)
    filling = session.filling
    return Step(replace(session, filling=""), effects=(Withdraw(filling),) if filling else ())


def _fill(session: Session, now: float) -> Step:
    if session.status != "active":
        return Step(session, _idle(session, ""))
    if session.policy.backfill == "off" or not session.holds:
        return Step(session, "off")
    if session.filling:
        return Step(session)
    if session.due["duration"] - now < session.policy.min_remaining:
        return Step(session, "too_late")
    digest = hashlib.sha256(f"{session.id} fill {session.fillings}".encode()).hexdigest()
    ticket = f"{int(now * 1000):011x}{digest[:12]}"
    known = {player.id: player for each in session.tickets for player in each.players}
    teams = {
        team: tuple(known.get(seat.player, Player(seat.player)) for seat in session.seats if seat.team == team and not seat.left)
        for team in session.teams
    }
    wish = Ticket(ticket, session.region, session.mode, (), now, session.policy.backfill_head_start, BackfillSlots(session.id, teams))
    session = replace(session, filling=ticket, fillings=session.fillings + 1)
    return Step(session, effects=(Ask(wish),))


def _arrived(session: Session, arrival: Arrival, now: float) -> Step:
    """Players whom a backfill ticket found. If the session has ended meanwhile, they go back into the queue."""
    if all(ticket in session.tickets for ticket in arrival.tickets):
        return Step(session)
    known = {seat.player for seat in arrival.seats}
    stayed = tuple(seat for seat in session.seats if seat.player not in known)
    tickets = session.tickets + arrival.tickets
    if session.status != "active":
        effects = tuple(GiveBack(_renewed(session, ticket, now), ticket.id, "cancelled") for ticket in arrival.tickets)
        seats = stayed + tuple(replace(seat, left=True) for seat in arrival.seats)
        return Step(replace(session, seats=seats, tickets=tickets), "over", effects)
    seats = stayed + arrival.seats
    session = replace(session, seats=seats, tickets=tickets)
    if session.filling == arrival.filled:
        session = replace(session, filling="")
    told = {seat.player: seat.ticket for seat in seats if not seat.left}
    return Step(session, effects=(Tell(told, _state(session)),))


# --- small parts -------------------------------------------------------------------------------------------------------------------------------------


def _moved(session: Session, event: str, **due: float) -> Session:
    """In the state where the table's transition leads, with these deadlines only."""
    return replace(session, status=target(event, session.status), due=due)


def _idle(session: Session, same: str) -> str:
    """Why an event has no effect: it had it before, or it comes too late or too early."""
    if session.over:
        return "ok" if session.status == same else "over"
    return "not_playing"


def _with(session: Session, **due: float) -> Session:
    return replace(session, due={**session.due, **due})


def _without(session: Session, name: str) -> Session:
    return replace(session, due={other: at for other, at in session.due.items() if other != name})


def _keep(session: Session, *names: str) -> dict[str, float]:
    return {name: at for name, at in session.due.items() if name in names}


def _seated(session: Session, seat: Seat) -> Session:
    return replace(session, seats=tuple(seat if other.player == seat.player else other for other in session.seats))


def _state(session: Session) -> dict[str, Any]:
    state: dict[str, Any] = {"status": session.status}
    if session.connection and not session.over:
        state["connection"] = msgspec.json.decode(session.connection)
    if session.result is not None:
        state["result"] = {"ranks": session.result.ranks, "abandoned": list(session.result.abandoned)}
    return state


def _tell(session: Session, then: str = "") -> Tell:
    return Tell({seat.player: seat.ticket for seat in session.seats if not seat.left}, _state(session), then)  # type: ignore[arg-type]
