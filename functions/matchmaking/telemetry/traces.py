"""Traces: one of each join, from the client's message to the match, through gateway, Redis and matcher. Off unless `MATCHMAKING_TRACES_URL` is set.

    queue_join                the gateway, from the message to the answer
    ├─ redis reserve, …       its calls
    ├─ wait                   a matcher, from the ticket's enqueueing to its match
    ├─ match                  the same matcher, from the proposal to the relay; links to the traces of the match's other tickets
    │  └─ redis commit, …     its calls for the whole round, whose matches go together; in the trace of one of the tickets
    └─ match_found            the player's gateway, from the commit to the write to the socket

The join's context goes with the ticket's record and the match's event as a W3C `traceparent`; a ticket that is not traced carries nothing. While anybody waits for
an answer times are only noted; spans are made of them afterwards. So off costs a look at one variable, and a matcher loads OpenTelemetry, which would take
longer than its start, only once it has made a match of traced tickets. This module itself loads none of it.
"""

import importlib.util
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from matchmaking.core.errors import MatchmakingError
from matchmaking.core.round import Match

if TYPE_CHECKING:
    from .spans import Spans

PATH = "/v1/traces"  # where collectors take traces by OTLP over HTTP
SEVERAL = 1000  # noted matches that are kept until spans are made of them; beyond, the newest are not traced


class TracesError(MatchmakingError):
    """Traces are asked for but cannot be had; the text says why."""


class Call(msgspec.Struct, frozen=True):
    """A call of Redis; times in ns since the epoch."""

    script: str
    began: int
    ended: int
    failed: bool


class Noted(msgspec.Struct):
    """What is noted of a piece of work while it is done; times in ns since the epoch.

    Attributes:
        parent: the context that goes along with what the work makes; empty if nothing does.
        outcome: how it ended, in a word.
        ticket: which one came of it.
    """

    parent: str = ""
    outcome: str = ""
    ticket: str = ""
    calls: list[Call] = []
    began: int = msgspec.field(default_factory=time.time_ns)
    ended: int = 0


class NotedMatch(msgspec.Struct, frozen=True):
    """A proposed match of traced tickets, and what became of it."""

    id: str
    pool: str
    match: Match
    noted: Noted


class NotedRound:
    """A round's proposals, of which nothing is noted."""

    def proposed(self, match_id: str, match: Match) -> None:
        """A match is to be committed."""

    def came_of(self, match_id: str, outcome: str) -> None:
        """What its commit said."""


class TracedRound(NotedRound):
    """As the parent, but those with traced tickets are noted."""

    def __init__(self) -> None:
        self.matches: dict[str, Match] = {}
        self.outcomes: dict[str, str] = {}

    def proposed(self, match_id: str, match: Match) -> None:
        """See `NotedRound`."""
        if any(ticket.trace for ticket in match.tickets):
            self.matches[match_id] = match

    def came_of(self, match_id: str, outcome: str) -> None:
        """See `NotedRound`."""
        if match_id in self.matches:
            self.outcomes[match_id] = outcome


_noted: ContextVar[Noted | None] = ContextVar("noted", default=None)


def carried() -> str:
    """The `traceparent` of the work under way; empty if it is not traced."""
    noted = _noted.get()
    return noted.parent if noted is not None else ""


def noting() -> list[Call] | None:
    """Where calls of Redis are to be noted, if anywhere."""
    noted = _noted.get()
    return noted.calls if noted is not None else None


def traces_endpoint(url: str) -> str:
    """A collector's whole address; the usual path is added if there is none.

    Raises:
        TracesError: it is no address.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TracesError(f"MATCHMAKING_TRACES_URL is `{url}`, but must be like http://collector:4318{PATH} (OTLP over HTTP)")
    return url.rstrip("/") + PATH if parts.path in ("", "/") else url


def check_available() -> None:
    """See that the libraries are there, without loading them.

    Raises:
        TracesError: they are not.
    """
    for name in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        try:
            found = importlib.util.find_spec(name) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            raise TracesError(
                f"MATCHMAKING_TRACES_URL is set, but there is no {name}: pip install 'game-session-manager[traces]', or unset it"
            )


class NoTraces:
    """Traces are off: nothing is noted."""

    def open(self) -> None:
        """Load the libraries now, rather than with the first span."""

    def join(self, pool: str, region: str | None, mode: str | None) -> AbstractContextManager[Noted]:  # noqa: ARG002
        """Around the work of a join."""
        return _NOTHING

    def round(self, pool: str) -> AbstractContextManager[NotedRound]:  # noqa: ARG002
        """Around the work of a round's proposals, which are committed and relayed together."""
        return _NO_ROUND

    def delivered(self, traceparent: str, match_id: str, since: float) -> None:
        """A match's event was written to a player's socket; `since`: when it was committed, seconds."""

    def hand_in(self) -> None:
        """Make spans of what was noted."""

    def close(self) -> None:
        """Send what there is."""


_NOTHING = nullcontext(Noted())
_NO_ROUND = nullcontext(NotedRound())
NO_TRACES = NoTraces()


class Traces(NoTraces):
    """Traces of one process.

    Args:
        service: the process' kind, for example `gateway`.
        url: the collector's.
        ratio: the share of joins that is traced; who goes on with a trace does so always.
        id_key: if given, ids are shown as their hash under this key, as in logs.

    Raises:
        TracesError: the libraries are not installed, or the URL is none.
    """

    def __init__(self, service: str, url: str, ratio: float = 1.0, id_key: str = "") -> None:
        self._service, self._endpoint, self._ratio, self._id_key = service, traces_endpoint(url), ratio, id_key
        self._opened: Spans | None = None
        self._matches: list[NotedMatch] = []
        check_available()

    @property
    def _spans(self) -> "Spans":
        if self._opened is None:
            from .spans import Spans

            self._opened = Spans(self._service, self._endpoint, self._ratio, self._id_key)
        return self._opened

    def open(self) -> None:
        """See `NoTraces`."""
        _ = self._spans

    @contextmanager
    def _noting(self, noted: Noted) -> Iterator[Noted]:
        token = _noted.set(noted)
        try:
            yield noted
        except BaseException as error:
            noted.outcome = noted.outcome or type(error).__name__
            raise
        finally:
            noted.ended = time.time_ns()
            _noted.reset(token)

    @contextmanager
    def join(self, pool: str, region: str | None, mode: str | None) -> Iterator[Noted]:
        """See `NoTraces`."""
        span, parent = self._spans.begin_join(pool, region or "", mode or "")
        noted = Noted(parent, calls=[])
        if not parent:  # not among those that are traced
            yield noted
            return
        try:
            with self._noting(noted):
                yield noted
        finally:
            self._spans.end_join(span, noted)

    @contextmanager
    def round(self, pool: str) -> Iterator[NotedRound]:
        """See `NoTraces`."""
        noted, proposals = Noted(calls=[]), TracedRound()
        try:
            with self._noting(noted):
                yield proposals
        finally:
            for match_id, match in list(proposals.matches.items())[: SEVERAL - len(self._matches)]:
                outcome = proposals.outcomes.get(match_id) or noted.outcome
                self._matches.append(NotedMatch(match_id, pool, match, msgspec.structs.replace(noted, outcome=outcome)))

    def delivered(self, traceparent: str, match_id: str, since: float) -> None:
        """See `NoTraces`."""
        self._spans.delivered(traceparent, match_id, round(since * 1e9))

    def hand_in(self) -> None:
        """See `NoTraces`."""
        if self._matches:
            noted, self._matches = self._matches, []
            for each in noted:
                self._spans.matched(each)

    def close(self) -> None:
        """See `NoTraces`."""
        if self._opened is not None:
            self._opened.close()


def open_traces(service: str, url: str, ratio: float = 1.0, id_key: str = "") -> NoTraces:
    """A process' traces; those that do nothing if there is no URL.

    Raises:
        TracesError: the libraries are not installed, or the URL is none.
    """
    return Traces(service, url, ratio, id_key) if url else NO_TRACES
