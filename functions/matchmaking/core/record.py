"""A matcher's record of what it saw and did: what the matcher writes (`matcher/recording.py`) and a replay reads (`simulation/replay.py`)."""

from msgspec import UNSET, Raw, Struct, UnsetType

from .ticket import Ticket


class RecordedMatch(Struct, frozen=True, array_like=True):
    """A match that was made: its tickets, and how it was judged then."""

    tickets: tuple[str, ...]
    quality: float
    gap: float
    imbalance: float
    favourite: float


class RecordedRound(Struct, frozen=True, omit_defaults=True):
    """One line: what the core was given since the queue's last line, and what came of it.

    Attributes:
        now: the round's time, seconds since the epoch.
        seed: of the round's choices.
        added, removed: tickets that came since the queue's last line, and ids of those that went, for whatever reason.
        matches: those that this matcher made; a proposal that was not committed is none.
        rules: the pool's rules in their compiled form, if they are new to this log.
    """

    region: str
    mode: str
    now: float
    seed: int
    added: tuple[Ticket, ...] = ()
    removed: tuple[str, ...] = ()
    matches: tuple[RecordedMatch, ...] = ()
    rules: Raw | UnsetType = UNSET
