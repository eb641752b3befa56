"""A session, advanced by one event: a pure function of the session, the event and the time.

Here are the steps until there is a server; those after it are in `session_play.py`.
"""

from msgspec.structs import replace

from . import session_play as play
from .session import ALLOCATE_SECONDS, PLAYED, Arrival, Session
from .session_changes import idle, moved, renewed, seated, tell_all, with_due
from .session_effects import Dismiss, Effect, GiveBack, Withdraw
from .session_events import (
    Accept,
    Allocated,
    Attempt,
    CalledOff,
    Cancel,
    Decline,
    Due,
    Event,
    Fill,
    Finished,
    Gone,
    Reported,
    Returned,
    Step,
    StopFilling,
    Unallocated,
)

OWN_FAULT = 5.0  # s; a deadline that is noticed so late passed during an outage of ours, and nobody is to blame
SIGNS = 2.0  # s; gateways give signs of life far more often
ATTEMPTS = 4  # to find a server
ATTEMPT_SECONDS = (
    6.0  # one attempt; a little longer than an allocator may take, so that a second process does not ask while the first still does
)
BACKOFF = (0.5, 1.0, 2.0)  # s before the second, third and fourth attempt


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
            return _due(session, event, now)
        case Attempt() | Allocated() | Unallocated():
            return _allocation(session, event, now)
        case Reported():
            return play.reported(session, now)
        case Gone(player) | Returned(player):
            return play.presence(session, player, now, gone=isinstance(event, Gone))
        case Finished(result, rates):
            return play.finished(session, result, rates)
        case CalledOff():
            return play.end(session, "called_off") if session.status in PLAYED else Step(session, idle(session, "abandoned"))
        case Cancel():
            return (
                Step(session, idle(session, "cancelled")) if session.over else _cancelled(session, "cancel", "cancelled", now, blame=None)
            )
        case Fill() | StopFilling() | Arrival():
            return play.backfill(session, event, now)


def _accept(session: Session, player: str, now: float) -> Step:
    seat = session.seat(player)
    if seat is None:
        return Step(session, "not_yours")
    if seat.accepted and session.status != "cancelled":
        return Step(session)
    if session.status != "proposed" or now > session.due["accept"]:
        return Step(session, "too_late")
    session = seated(session, replace(seat, accepted=True))
    if not all(other.accepted for other in session.seats):
        return Step(session)
    session = moved(session, "all_accepted", allocate=now + ALLOCATE_SECONDS, attempt=now)
    if session.policy.allocation != "none":
        return Step(session, effects=(tell_all(session),))
    # Nobody will tell us of the match's end, so nobody is held until a server does speak.
    session = replace(moved(session, "no_server_needed"), holds=False)
    return Step(session, effects=(tell_all(session, "free"),))


def _decline(session: Session, player: str, now: float) -> Step:
    seat = session.seat(player)
    if seat is None:
        return Step(session, "not_yours")
    if session.status != "proposed" or now > session.due["accept"]:
        return Step(session, "ok" if session.reason == f"declined by {player}" else "too_late")
    done = _cancelled(session, "declined", "declined", now, blame=frozenset({player}))
    return replace(done, session=replace(done.session, reason=f"declined by {player}"))


def _due(session: Session, event: Due, now: float) -> Step:
    due = {name: at for name, at in session.due.items() if at <= now}
    late = {name for name, at in due.items() if now - at > OWN_FAULT}
    if "accept" in due:
        blame = frozenset() if late else session.silent - event.cut_off.keys()
        # Who was gone before the match was found keeps nobody waiting a second time, but does not pay either.
        absent = frozenset(player for player, lived in event.cut_off.items() if lived < session.created - SIGNS)
        return _cancelled(session, "accept_timeout", "timeout", now, blame=blame, absent=absent)
    if "allocate" in due:
        return _cancelled(session, "allocation_failed", "allocation_failed", now, blame=frozenset())
    if "ready" in due:
        if late:  # the server may have spoken while nobody was there to hear it
            return Step(with_due(session, ready=now + session.policy.ready))
        return _cancelled(session, "ready_timeout", "allocation_failed", now, blame=frozenset())
    if "duration" in due:
        return play.end(session, "duration")
    if "grace" in due:
        return play.away_anew(session, now) if late else play.left(session, now)
    return Step(session, "not_due")


def _cancelled(
    session: Session, event: str, reason: str, now: float, blame: "frozenset[str] | None", absent: frozenset[str] = frozenset()
) -> Step:
    """End it. Tickets without a player who is to blame (None: all are), or absent, go back into the queue."""
    ended = replace(moved(session, event), reason=reason, filling="")
    effects: list[Effect] = [Withdraw(session.filling)] if session.filling else []
    for ticket in session.tickets:
        members = [seat for seat in session.seats if seat.ticket == ticket.id]
        if blame is not None and not any(seat.player in blame | absent or seat.left for seat in members):
            effects.append(GiveBack(renewed(session, ticket, now), ticket.id, reason))
        else:
            effects += [
                Dismiss(seat.player, ticket.id, reason, session.policy.cooldowns if blame and seat.player in blame else ())
                for seat in members
                if not seat.left
            ]
    return Step(ended, effects=tuple(effects))


def _allocation(session: Session, event: Attempt | Allocated | Unallocated, now: float) -> Step:
    if session.status not in ("accepted", "allocating"):
        return Step(session, "over" if session.over else "not_due")
    if isinstance(event, Allocated) and session.status != "allocating":
        return Step(session, "not_due")
    if isinstance(event, Attempt):
        if now < session.due["attempt"]:
            return Step(session, "not_due")
        return Step(
            moved(
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
        return Step(with_due(session, attempt=now + pause))
    session = moved(replace(session, connection=event.connection), "allocated", ready=now + session.policy.ready)
    return Step(session, effects=(tell_all(session),))
