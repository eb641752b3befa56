"""What game servers report: states, players who come and go, results."""

import asyncio
import time
from typing import Any

import msgspec

from matchmaking.core.outcome import rates_of
from matchmaking.core.patch import deeper_than, merged
from matchmaking.core.rating import Belief
from matchmaking.core.session import Result, Session, ranks_of
from matchmaking.core.session_step import Event, Finished, Reported
from matchmaking.protocol.events import rfc3339
from matchmaking.store.interface import Store
from matchmaking.store.session_values import StateWritten
from matchmaking.store.sessions import change

from .errors import RefusedRequestError

LARGEST_STATE = 16 * 1024  # bytes of JSON
DEEPEST_STATE = 16
MERGES = 20  # of one session at once, before the last one is asked to come again
_json = msgspec.json.Encoder()

REFUSALS = {
    "unknown": (404, "unknown_session", "there is no such session, or it was forgotten after its end"),
    "over": (409, "session_over", "the session has ended"),
    "not_playing": (409, "not_playing", "the session has no server yet: its players have not all accepted, or it is not allocated"),
    "not_yours": (404, "unknown_player", "that player is not in the session"),
    "too_late": (409, "too_late", "it is too late for that: the player has left, or the session is nearly over"),
    "contradiction": (409, "contradiction", "another result was recorded before; it stands"),
    "off": (409, "backfill_off", "this pool's sessions take no further players"),
}


async def happen(store: Store, match: str, event: Event) -> Session:
    """Have something happen to a session.

    Raises:
        RefusedRequestError: it cannot; the text says why.
    """
    done = await change(store, match, event)
    if done.answer in REFUSALS or done.session is None:
        raise RefusedRequestError(*REFUSALS[done.answer])
    return done.session


def check_state(state: Any) -> bytes:
    """A state as JSON.

    Raises:
        RefusedRequestError: it is too large or too deep.
    """
    if deeper_than(state, DEEPEST_STATE):
        raise RefusedRequestError(400, "state_too_deep", f"objects and arrays may be nested {DEEPEST_STATE} deep")
    data = _json.encode(state)
    if len(data) > LARGEST_STATE:
        raise RefusedRequestError(
            413, "state_too_large", f"a session's state has at most {LARGEST_STATE} bytes of JSON, this one {len(data)}"
        )
    return data


async def report_state(store: Store, match: str, state: dict[str, Any], *, replace: bool, version: int | None) -> int:
    """Keep a server's state and have its players told; the new version. The first report makes the session active.

    Raises:
        RefusedRequestError: the session does not take it, or its version is another one.
    """
    check_state(state)
    for _ in range(MERGES):
        known = version
        whole: Any = state
        if not replace:
            read = await store.session_read(match)
            whole = merged(msgspec.json.decode(read.data) if read.data else {}, state)
            known = read.version if version is None else version
        written = await store.session_state(match, check_state(whole), known, rfc3339(time.time()))
        if written.status in ("written", "repeated"):
            return written.version
        if written.status == "unknown":
            raise RefusedRequestError(*REFUSALS["unknown"])
        if written.status == "not_active":
            await happen(store, match, Reported())
        elif version is not None:
            raise _conflict(written)
    raise RefusedRequestError(503, "busy", "several reports of this session come at once; report again")


def _conflict(written: StateWritten) -> RefusedRequestError:
    return RefusedRequestError(409, "version_conflict", f"the state's version is {written.version}; read it, and report again")


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
    return await happen(store, match, Finished(result, rates_of(session, result, await _beliefs(store, session), rfc3339(time.time()))))


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
