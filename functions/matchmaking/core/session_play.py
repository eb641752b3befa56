"""The steps of a session that has a server: it reports, players come, go and leave, others fill their places, and it ends."""

import hashlib

from msgspec.structs import replace

from .session import PLAYED, Arrival, Result, Session
from .session_changes import idle, kept, moved, renewed, seated, state_of, tell_all, with_due, without_due
from .session_effects import Ask, Effect, GiveBack, Rate, Tell, Withdraw
from .session_events import Fill, Step, StopFilling
from .ticket import BackfillSlots, Player, Ticket


def reported(session: Session, now: float) -> Step:
    """The server speaks; the first time, the session becomes active."""
    if session.over:
        return Step(session, "over")
    if session.status == "ready":
        session = moved(session, "reported", duration=now + session.policy.duration, **kept(session, "grace"))
        return Step(session, effects=(tell_all(session),))
    if session.status != "active":
        return Step(session, "not_playing")
    if session.holds:
        return Step(session)
    session = replace(with_due(session, duration=now + session.policy.duration), holds=True)
    return Step(session, effects=(tell_all(session, "hold"),))


def presence(session: Session, player: str, now: float, *, gone: bool) -> Step:
    """The server says that a player is gone, or back."""
    seat = session.seat(player)
    if seat is None:
        return Step(session, "not_yours")
    if session.status not in PLAYED:
        return Step(session, "over" if session.over else "not_playing")
    if seat.left:
        return Step(session, "ok" if gone else "too_late")
    if gone == bool(seat.away):
        return Step(session)
    session = seated(session, replace(seat, away=now if gone else 0.0))
    return Step(_graced(session))


def _graced(session: Session) -> Session:
    away = [seat.away for seat in session.seats if seat.away and not seat.left]
    return with_due(session, grace=min(away) + session.policy.grace) if away else without_due(session, "grace")


def away_anew(session: Session, now: float) -> Step:
    """Who is away has the whole grace once more: the server may have said that they are back while nobody was there to hear it."""
    for seat in session.seats:
        if seat.away and not seat.left:
            session = seated(session, replace(seat, away=now))
    return Step(_graced(session))


def left(session: Session, now: float) -> Step:
    """Who has been away for longer than the grace has left, and is free; the session goes on without."""
    leavers = [seat for seat in session.seats if seat.away and not seat.left and seat.away + session.policy.grace <= now]
    for seat in leavers:
        session = seated(session, replace(seat, left=True))
    session = _graced(session)
    told = Tell({seat.player: seat.ticket for seat in leavers}, {**state_of(session), "status": "abandoned"}, "free")
    if not session.players:
        ended = end(session, "everybody_left")
        return replace(ended, effects=(told, *ended.effects))
    effects: tuple[Effect, ...] = (told,)
    if session.policy.backfill == "auto":
        filled = _fill(session, now)
        session, effects = filled.session, (told, *filled.effects)
    return Step(session, effects=effects)


def finished(session: Session, result: Result, rates: tuple[Rate, ...]) -> Step:
    """The server posts the result."""
    if session.status == "completed":
        return Step(session, "ok" if session.result == result else "contradiction")
    if session.status not in PLAYED:
        return Step(session, idle(session, ""))
    ended = end(replace(session, result=result), "result")
    own = {
        rate.player: {"outcome": rate.outcome, "rating": {"before": round(rate.before[0], 2), "after": round(rate.after[0], 2)}}
        for rate in rates
    }
    effects = tuple(replace(effect, own=own) if isinstance(effect, Tell) else effect for effect in ended.effects)
    return replace(ended, effects=(*rates, *effects))


def end(session: Session, event: str) -> Step:
    """The session ends, and its players are free."""
    filling = session.filling
    session = replace(moved(session, event), filling="")
    effects: tuple[Effect, ...] = (tell_all(session, "free"),) if session.players else ()
    return Step(session, effects=(Withdraw(filling), *effects) if filling else effects)


def backfill(session: Session, event: Fill | StopFilling | Arrival, now: float) -> Step:
    """Players are wanted, wanted no more, or there."""
    if isinstance(event, Fill):
        return _fill(session, now)
    if isinstance(event, Arrival):
        return _arrived(session, event, now)
    filling = session.filling
    return Step(replace(session, filling=""), effects=(Withdraw(filling),) if filling else ())


def _fill(session: Session, now: float) -> Step:
    if session.status != "active":
        return Step(session, idle(session, ""))
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
        effects = tuple(GiveBack(renewed(session, ticket, now), ticket.id, "cancelled") for ticket in arrival.tickets)
        seats = stayed + tuple(replace(seat, left=True) for seat in arrival.seats)
        return Step(replace(session, seats=seats, tickets=tickets), "over", effects)
    seats = stayed + arrival.seats
    session = replace(session, seats=seats, tickets=tickets)
    if session.filling == arrival.filled:
        session = replace(session, filling="")
    told = {seat.player: seat.ticket for seat in seats if not seat.left}
    return Step(session, effects=(Tell(told, state_of(session)),))
