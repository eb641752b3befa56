"""What a store can do for sessions, players' profiles and timers. One method for each script, and a few reads."""

from collections.abc import Sequence
from typing import Literal, Protocol

from matchmaking.core.session import Session
from matchmaking.core.session_effects import Effect, Rate

from . import session_values as values

HISTORY = 100  # matches kept for one player
RECENT = 50  # opponents kept; the largest `lastMatches` that a pool may ask for
FORGIVE_MS = 6 * 3600_000  # one step of the ladder of cooldowns is forgiven for each so many ms without another offence


class SessionStore(Protocol):
    """Every method may raise `StoreUnavailableError`."""

    async def session_read(self, match: str) -> values.SessionRead:
        """A session as it stands."""

    async def session_write(self, session: Session, revision: int, effects: Sequence[Effect], keep: float, timestamp: str) -> int | None:
        """Write a session and the effects of its transition; the last effect's number (they are numbered without gaps), None if it changed since `revision`."""

    async def sessions_open(self, seeds: Sequence[tuple[Session, bytes, str]], keep: float) -> None:
        """Write new sessions (with their JSON, and when they were made) that nothing follows from; those that exist already stay as they are."""

    async def session_effects(self, match: str) -> list[values.PendingEffect]:
        """Effects not yet carried out, in order."""

    async def session_settle(self, match: str, numbers: Sequence[int]) -> None:
        """These effects were carried out."""

    async def session_data(self, match: str) -> values.ServerState:
        """What a session's server reported last."""

    async def session_state(self, match: str, data: bytes, version: int | None, timestamp: str, mark: str = "") -> values.StateWritten:
        """Keep a server's state (JSON) if version and mark are still these (None, empty: whatever they are), and publish it to the session's players."""

    async def session_deliver(
        self,
        player: str,
        event: str,
        match: str,
        ticket: str,
        type_: str,
        data: bytes,
        timestamp: str,
        then: Literal["", "free", "hold", "requeue"] = "",
        requeue: values.Requeue | None = None,
    ) -> int:
        """Hand a session's event to a player: its number, 0 if that happened before, -1 if the match itself has not been delivered yet."""

    async def session_of(self, player: str) -> str | None:
        """The match that a player is held by."""

    async def ticket_state(self, player: str) -> values.TicketState:
        """The player's ticket and session, and what happened to the tickets before."""

    async def session_release(self, player: str, match: str) -> bool:
        """Free a player from a session that does not hold the player any more."""

    async def timer_set(self, match: str, seconds: float) -> int:
        """Have somebody look at a match within so many seconds; the token for `timer_finish`."""

    async def timer_take(self, shard: str, ahead: float, limit: int) -> list[values.Timer]:
        """Take up what is due; if we die, others do so after `ahead` seconds."""

    async def timer_finish(self, match: str, token: int, due: float | None) -> bool:
        """Nothing is to be done for a match until `due`, seconds since the epoch (None: ever); False if somebody else has been at it."""

    async def penalise(self, player: str, event: str, pool: str, ladder: Sequence[float]) -> float:
        """One step up the ladder of cooldowns (seconds); how long the player may not queue."""

    async def rate(self, player: str, event: str, field: str, rate: Rate) -> bool:
        """Apply a match's outcome to a player; False if that happened before."""

    async def profile(self, player: str) -> values.Profile:
        """A player's numbers."""

    async def put_profile(self, profile: values.Profile) -> None:
        """Replace a player's numbers."""

    async def players(self) -> list[str]:
        """Every player with a profile. Slow: for exports."""

    async def counters(self, pool: str, region: str, mode: str) -> dict[str, int]:
        """A queue's counts, those of its matches' distribution among them."""

    async def history(self, player: str) -> list[bytes]:
        """The player's latest matches (JSON), newest first."""
