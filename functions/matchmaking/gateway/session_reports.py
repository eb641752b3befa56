"""What game servers report of a session: that something happened, and results. Their states are told in `server_states.py`."""

import asyncio
import time

from matchmaking.core.outcome import rates_of
from matchmaking.core.rating import Belief
from matchmaking.core.session import Result, Session, ranks_of
from matchmaking.core.session_events import Event, Finished
from matchmaking.protocol.events import rfc3339
from matchmaking.store.interface import Store
from matchmaking.store.session_values import SessionRead
from matchmaking.store.sessions import change

from .errors import RefusedRequestError

REFUSALS = {
    "unknown": (404, "unknown_session", "there is no such session, or it was forgotten after its end"),
    "over": (409, "session_over", "the session has ended"),
    "not_playing": (409, "not_playing", "the session has no server yet: its players have not all accepted, or it is not allocated"),
    "not_yours": (404, "unknown_player", "that player is not in the session"),
    "too_late": (409, "too_late", "it is too late for that: the player has left, or the session is nearly over"),
    "contradiction": (409, "contradiction", "another result was recorded before; it stands"),
    "off": (409, "backfill_off", "this pool's sessions take no further players"),
}


async def happen(store: Store, match: str, event: Event, known: SessionRead | None = None) -> Session:
    """Have something happen to a session, which may just have been read.

    Raises:
        RefusedRequestError: it cannot; the text says why.
    """
    done = await change(store, match, event, known)
    if done.answer in REFUSALS or done.session is None:
        raise RefusedRequestError(*REFUSALS[done.answer])
    return done.session


async def report_result(store: Store, match: str, winner: str | None, ranks: dict[str, int] | None, abandoned: list[str]) -> Session:
    """Record how a match ended; ratings, history and statistics follow.

    Raises:
        RefusedRequestError: the session does not take it, or the result speaks of others.
    """
    read = await store.session_read(match)
    session = read.session
    if session is None:
        raise RefusedRequestError(*REFUSALS["unknown"])
    places = _places(session, winner, ranks)
    strangers = [player for player in abandoned if session.seat(player) is None]
    if strangers:
        raise RefusedRequestError(400, "unknown_player", f"`{strangers[0][:80]}` is not in the session")
    result = Result(places, tuple(sorted(set(abandoned))))
    rates = rates_of(session, result, await _beliefs(store, session), rfc3339(time.time()))
    return await happen(store, match, Finished(result, rates), read)


def _places(session: Session, winner: str | None, ranks: dict[str, int] | None) -> dict[str, int]:
    if ranks is None:
        if winner is not None and winner not in session.teams:
            raise RefusedRequestError(400, "unknown_team", f"the session has no team `{winner[:80]}`; it has {', '.join(session.teams)}")
        return ranks_of(session.teams, winner)
    if set(ranks) != set(session.teams):
        raise RefusedRequestError(400, "unknown_team", f"give a rank to each of {', '.join(session.teams)}, and to nobody else")
    return {team: ranks[team] for team in session.teams}


async def _beliefs(store: Store, session: Session) -> dict[str, Belief]:
    field = f"{session.pool}:{session.mode}"
    players = [seat.player for seat in session.seats]
    profiles = await asyncio.gather(*(store.profile(player) for player in players))
    return {profile.player: Belief(*profile.ratings[field]) for profile in profiles if field in profile.ratings}
