"""What the HTTP API of sessions is sent and answers: the bodies' types, and how they are read. The app refuses bodies over `LARGEST_BODY` bytes."""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct
from quart import request
from werkzeug.exceptions import RequestEntityTooLarge

from .errors import InvalidRequestError
from .server_states import LARGEST_STATE, too_large

ENVELOPE = 1024  # bytes of a report around its state
PlayerId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]


class StateReport(Struct, frozen=True, forbid_unknown_fields=True):
    """A session's state, or changes of it.

    Attributes:
        state: any JSON object, at most 16 KiB and 16 levels deep.
        replace: instead of merging it into the state that there is (RFC 7396: null removes).
        version: only if the state's version is still this one.
    """

    state: dict[str, Any]
    replace: bool = False
    version: Annotated[int, Meta(ge=0)] | None = None


class ResultReport(Struct, frozen=True, forbid_unknown_fields=True):
    """How a match ended: a winner, or everybody's place (1 is best, equal places are a draw), or a draw.

    Attributes:
        abandoned: players who had given up.
        called_off: there is no result; nobody is rated.
    """

    winner: Annotated[str, Meta(max_length=100)] | None = None
    ranks: Annotated[dict[Annotated[str, Meta(max_length=100)], Annotated[int, Meta(ge=1, le=1000)]], Meta(max_length=100)] | None = None
    draw: bool = False
    abandoned: Annotated[list[PlayerId], Meta(max_length=1000)] = []
    called_off: bool = False


class BackfillRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the session takes further players."""

    wanted: bool = True


class SessionPlayer(Struct, frozen=True):
    """One player's part in a session."""

    player: str
    team: str
    accepted: bool
    away: bool
    left: bool


class SessionInfo(Struct, frozen=True):
    """A session as it stands; `state` is what `game_state_update` carries."""

    session_id: str
    pool: str
    region: str
    mode: str
    status: str
    state: dict[str, Any]
    players: list[SessionPlayer]
    reason: str = ""
    filling: bool = False


class StateAccepted(Struct, frozen=True):
    """The state's new version."""

    session_id: str
    version: int


_state = msgspec.json.Decoder(StateReport)
_result = msgspec.json.Decoder(ResultReport)
_backfill = msgspec.json.Decoder(BackfillRequest)


async def result_report() -> ResultReport:
    """The body with a result.

    Raises:
        InvalidRequestError: it is not what it should be.
    """
    report: ResultReport = _decoded(_result, await request.get_data())
    if (report.winner is not None) + (report.ranks is not None) + report.draw + report.called_off != 1:
        raise InvalidRequestError("give exactly one of `winner`, `ranks`, `draw`, `called_off`")
    return report


async def backfill_request() -> BackfillRequest:
    """The body with a wish for players.

    Raises:
        InvalidRequestError: it is not what it should be.
    """
    wish: BackfillRequest = _decoded(_backfill, await request.get_data())
    return wish


async def state_report() -> StateReport:
    """The body with a state, which has a limit of its own.

    Raises:
        InvalidRequestError: it is not what it should be.
        RefusedRequestError: it is too large.
    """
    try:
        data = await request.get_data()
    except RequestEntityTooLarge as error:
        raise too_large() from error
    if len(data) > LARGEST_STATE + ENVELOPE:
        raise too_large()
    report: StateReport = _decoded(_state, data)
    return report


def _decoded(decoder: "msgspec.json.Decoder[Any]", data: bytes | str) -> Any:
    """A body; an empty one counts as `{}`."""
    try:
        return decoder.decode(data or b"{}")
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidRequestError(str(error)[:300]) from error
