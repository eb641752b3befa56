"""Sessions over their store: read, decide purely, write if nothing came in between, carry out what follows.

Any process may die between any two of these. What a transition does elsewhere is written together with it, and carried out by whoever comes next: before a
session is changed, its timer is brought forward, so that somebody does come within `LOOK_AGAIN`.
"""

import asyncio
import time
from collections.abc import Sequence

import msgspec

from matchmaking.core.session import OVER, UNREPORTED_SECONDS, Arrival, Session
from matchmaking.core.session_effects import Effect
from matchmaking.core.session_events import Due, Event, Step, StopFilling
from matchmaking.core.session_step import step
from matchmaking.protocol.events import match_ready_decoder, rfc3339

from . import session_values, values
from .errors import StoreError
from .interface import Store
from .own_faults import cut_off
from .session_counts import count_session
from .session_relay import carry_out, carry_out_all

LOOK_AGAIN = 2.0  # s; longer than a change takes under load, shorter than a player's patience
PENDING_PAUSE = 0.2  # s before effects are tried again that had to wait for another process
CONFLICTS = 50  # changes of one session that may come in between
KEEP_OVER = 3600.0  # s that a session is kept after its end
KEEP_MORE = 3600.0  # s beyond its last deadline: it must outlive an outage
LATE_OPENING = 3.0  # s after which players get the whole time to accept anew: the match was found, but nobody told them

_json = msgspec.json.Encoder()


class Change(msgspec.Struct, frozen=True):
    """What came of an event: `core.session_events.Step.answer`, or `unknown`; the session after it."""

    answer: str
    session: Session | None = None


async def change(store: Store, match: str, event: Event, known: session_values.SessionRead | None = None) -> Change:
    """Have something happen to a session. May be repeated.

    Args:
        known: the session, if it was just read.

    Raises:
        StoreUnavailableError: it is not known whether it happened; the same call tells.
    """
    for _ in range(CONFLICTS):
        read, known = known or await store.session_read(match), None
        if read.session is None:
            return Change("unknown")
        done = step(read.session, event, read.now)
        if done.session == read.session and not done.effects:
            return Change(done.answer, done.session)
        if await _changed(store, read, read.session, done):
            return Change(done.answer, done.session)
    raise StoreError(f"match {match} changed {CONFLICTS} times while it was to be changed")


async def _changed(store: Store, read: session_values.SessionRead, before: Session, done: Step) -> bool:
    """Write a step and carry out what follows from it; False if another one came in between."""
    now, after = read.now, done.session
    if not done.effects and not read.pending and after.next_look(now) == before.next_look(now):
        return await _write(store, after, read.revision, (), now) is not None  # nothing follows, and its timer stands where it should
    token = await store.timer_set(after.id, LOOK_AGAIN)
    effects = await _put(store, after, read.revision, done.effects, now)
    if effects is None:
        return False
    if read.pending:  # what others left behind comes first
        settled, _ = await asyncio.gather(carry_out_all(store, after), count_session(store, after))
        await _finish(store, after, token, now, settled=settled)
        return True
    numbers, _ = await asyncio.gather(carry_out(store, after, effects), count_session(store, after))
    finishing = _finish(store, after, token, now, settled=len(numbers) == len(effects))
    await asyncio.gather(*([store.session_settle(after.id, numbers)] if numbers else []), finishing)
    return True


async def attend(store: Store, timer: session_values.Timer) -> Session | None:
    """Do for a session what is due: what its deadlines say, and what others left behind. Returns it, for what is not the store's matter."""
    read = await store.session_read(timer.match)
    session, now = read.session, read.now
    if session is None:
        await store.timer_finish(timer.match, timer.token, None)
        return None
    settled = not read.pending or await carry_out_all(store, session)
    deadline = session.due.get("accept", now + 1)
    unheard = await cut_off(store, session.silent, deadline, now) if deadline <= now else {}
    if unheard is None:
        await _finish(store, session, timer.token, now, settled=False)
        return session
    done = step(session, Due(unheard), now)
    if done.answer != "not_due":
        if await _write(store, done.session, read.revision, done.effects, now) is not None:
            settled = await carry_out_all(store, done.session)
            session = done.session
        else:
            settled = False  # it has changed: look again
    await _finish(store, session, timer.token, now, settled=settled)
    if session.filling and not session.over and not await store.touch(session.pool, [session.filling]):
        await change(store, session.id, StopFilling())
    return session


async def _finish(store: Store, session: Session, token: int, now: float, *, settled: bool) -> None:
    await store.timer_finish(session.id, token, session.next_look(now) if settled else now + PENDING_PAUSE)


async def _write(
    store: Store, session: Session, revision: int, effects: Sequence[Effect], now: float
) -> list[session_values.PendingEffect] | None:
    """As `_put`, and counted."""
    written = await _put(store, session, revision, effects, now)
    if written is not None:
        await count_session(store, session)
    return written


async def _put(
    store: Store, session: Session, revision: int, effects: Sequence[Effect], now: float
) -> list[session_values.PendingEffect] | None:
    """Write a session and the effects that follow: these, with their numbers; None: another one came in between."""
    if session.status in OVER:
        keep = KEEP_OVER
    elif session.due:
        keep = max(session.due.values()) - now + session.policy.duration + KEEP_MORE
    else:
        keep = UNREPORTED_SECONDS
    last = await store.session_write(session, revision, effects, keep, rfc3339(now))
    if last is None:
        return None
    return [session_values.PendingEffect(number, effect) for number, effect in enumerate(effects, last - len(effects) + 1)]


class Opening(msgspec.Struct, frozen=True):
    """A match whose session exists: the entry to deliver, and what is to be done after it was."""

    entry: values.RelayEntry
    holds: bool = False
    match: str = ""
    token: int | None = None


def is_plain(seed: Session | Arrival | None) -> bool:
    """Whether nothing follows from a match's session but that it is written: it holds nobody, and waits for nothing."""
    return isinstance(seed, Session) and not seed.holds


async def open_plain(store: Store, entries: Sequence[tuple[values.RelayEntry, Session]]) -> None:
    """Make such sessions, many at once. May be repeated, by others too."""
    await store.sessions_open([(seed, bytes(entry.seed), entry.timestamp) for entry, seed in entries], UNREPORTED_SECONDS)


async def open_session(store: Store, entry: values.RelayEntry) -> Opening:
    """Make a match's session, or put its players into the running one, before they are told. May be repeated, by others too."""
    seed = session_values.seed_decoder.decode(entry.seed)
    if seed is None:
        return Opening(entry)
    if isinstance(seed, Arrival):
        token = await store.timer_set(seed.match, LOOK_AGAIN)
        await _arrive(store, seed)
        return Opening(entry, True, seed.match, token)
    if is_plain(seed):
        await open_plain(store, [(entry, seed)])
        return Opening(entry)
    token = await store.timer_set(seed.id, LOOK_AGAIN)
    read = await store.session_read(seed.id)
    session = read.session
    if session is None:
        session = _fresh(seed, read.now)
        if await _write(store, session, 0, (), read.now) is None:
            session = (await store.session_read(seed.id)).session or session
    return Opening(_told(entry, seed, session), True, seed.id, token)


async def _arrive(store: Store, arrival: Arrival) -> None:
    """As `change`, but the effects are carried out only once the players have been told of the match."""
    for _ in range(CONFLICTS):
        read = await store.session_read(arrival.match)
        if read.session is None:
            return  # forgotten; whoever meets the players' hold of it will see so
        done = step(read.session, arrival, read.now)
        unchanged = done.session == read.session and not done.effects
        if unchanged or await _write(store, done.session, read.revision, done.effects, read.now) is not None:
            return


async def after_opening(store: Store, opening: Opening) -> None:
    """The players have been told of their match: now their session's own events may come."""
    if opening.token is None:
        return
    read = await store.session_read(opening.match)
    if read.session is None:
        await store.timer_finish(opening.match, opening.token, None)
        return
    settled = not read.pending or await carry_out_all(store, read.session)
    await _finish(store, read.session, opening.token, read.now, settled=settled)


def _fresh(seed: Session, now: float) -> Session:
    late = now - seed.created > LATE_OPENING
    return msgspec.structs.replace(seed, due={name: now + at - seed.created for name, at in seed.due.items()}) if late else seed


def _told(entry: values.RelayEntry, seed: Session, session: Session) -> values.RelayEntry:
    """The entry with the time until which to accept as it really is."""
    at = session.due.get("accept")
    if at is None or at == seed.due.get("accept"):
        return entry
    ready = msgspec.structs.replace(match_ready_decoder.decode(entry.data), accept_by=rfc3339(at))
    return msgspec.structs.replace(entry, data=msgspec.Raw(_json.encode(ready)))


async def holds(store: Store, player: str, match: str) -> bool:
    """Whether a player is really held by a session; if not, the player is freed. A hold is never believed by itself."""
    read = await store.session_read(match)
    session = read.session
    if session is not None and (read.pending or (not session.over and session.holds and player in session.players)):
        return True
    await store.session_release(player, match)
    return False


def timestamp() -> str:
    """Now, for events."""
    return rfc3339(time.time())
