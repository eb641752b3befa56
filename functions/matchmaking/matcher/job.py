"""One matcher: serves all queues of a pool in one region until it is idle or its lifetime is over.

It holds no claim on anything. What it proposes is checked by the commit, so a matcher that dies, hangs or runs twice loses nothing and duplicates nothing.
Several matchers on a queue divide its matches by rating so that they rarely propose the same tickets; the cuts move from round to round.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

import msgspec

from matchmaking.core.errors import MatchmakingError
from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules
from matchmaking.core.round import Match, Reason, Round
from matchmaking.core.scaling import activation_length
from matchmaking.protocol.events import QUEUE_UPDATE, QueueStatusData, rfc3339
from matchmaking.protocol.messages import Why
from matchmaking.store import keys, values
from matchmaking.store.errors import StoreUnavailableError
from matchmaking.store.interface import Store
from matchmaking.store.joining import ticket_ended
from matchmaking.store.relay import relay, sweep
from matchmaking.telemetry.logs import happened
from matchmaking.telemetry.traces import NO_TRACES, NoTraces

from .commits import commit_all
from .copies import NeighborCopy, QueueCopy
from .counting import Counting

if TYPE_CHECKING:
    from .recording import Recorder

ROUND_PAUSE = 0.005  # s between rounds, so that tickets that come together are matched together
ROUND_EVERY = 0.5  # s between rounds over a queue in which nothing changed but the tickets' age
HOUSEKEEPING_EVERY = 2.0  # s: heartbeat, new rules, entries that others left behind
EXPLAIN_EVERY = 1.0  # s
EXPLAINED = 500  # waiting tickets of a queue that are told why, oldest first
RETRY_PAUSE = 0.5  # s while the store cannot be reached
GOLDEN = 0.6180339887498949  # its multiples spread most evenly between 0 and 1
_log = logging.getLogger(__name__)
_json = msgspec.json.Encoder()


class UnknownPoolError(MatchmakingError):
    """The store has no such pool, or the pool has no such region."""


class Report(msgspec.Struct):
    """What a job did; logged when it ends."""

    rounds: int = 0
    matches: int = 0
    tickets: int = 0
    conflicts: int = 0
    reason: str = ""


class Job:
    """The matcher of one pool and region.

    Args:
        stop: set to end after the round under way.
        record: where a log goes of what the job sees and decides: a folder, or `s3://bucket/prefix`; empty: nowhere.
        record_always: whether or not the pool asks for it.
        traces: where matches are noted that are traced.
    """

    def __init__(
        self,
        store: Store,
        pool: str,
        region: str,
        stop: asyncio.Event,
        record: str = "",
        traces: NoTraces = NO_TRACES,
        *,
        record_always: bool = True,
    ) -> None:
        self.id = f"m-{secrets.token_hex(6)}"
        self.report = Report()
        self._store, self._pool, self._region, self._stop, self._traces = store, pool, region, stop, traces
        self._rules: PoolRules | None = None
        self._copies: dict[tuple[str, str], QueueCopy] = {}
        self._neighbors: dict[tuple[str, str], NeighborCopy] = {}
        self._random = Random(secrets.randbits(64))
        self._clock_offset = 0.0
        self._beats: dict[tuple[str, str], values.Beat] = {}
        self._round_at: dict[tuple[str, str], float] = {}
        self._explained_at: dict[tuple[str, str], float] = {}
        self._kept_house = float("-inf")
        self._counting = Counting(store, pool, self.id)
        store.observe(self._counting.called)
        self._record, self._record_always = record, record_always
        self._recorder: Recorder | None = None

    async def run(self) -> Report:
        """Match until there is nothing left to do.

        Raises:
            UnknownPoolError: there never was anything that this job could serve.
        """
        started = idle_since = time.monotonic()
        while True:
            try:
                rules = await self._keep_house()
                before = self.report.matches
                await self._rounds(rules)
                await self._counting.hand_in()
                self._traces.hand_in()
                now = time.monotonic()
                if self.report.matches > before or self._may_match(rules):
                    idle_since = now
                self.report.reason = self._end(rules, now - started, now - idle_since)
                if self.report.reason:
                    break
                await self._follow(min(ROUND_EVERY, max(0.05, float(rules.scaling.idle_timeout) / 2)))
            except UnknownPoolError:
                if self._rules is None:
                    raise
                self.report.reason = "removed"  # the pool or the region, while this job served it; the operator ends what waited there
                break
            except StoreUnavailableError as error:
                happened(_log, "store unavailable", level=logging.WARNING, matcher=self.id, error=str(error))
                self.report.reason = self._end(self._rules, time.monotonic() - started, 0.0) if self._rules else ""
                if self._stop.is_set() or self.report.reason:
                    break
                await asyncio.sleep(RETRY_PAUSE)
        await self._sign_off()
        await self._mind_record(wanted=False)
        return self.report

    def _may_match(self, rules: PoolRules) -> bool:
        """Whether so many wait that the autoscaler would start a matcher: this one stays."""
        longest = max((copy.waiting for copy in self._copies.values()), default=0)
        return longest > activation_length(rules, self._region)

    def _end(self, rules: PoolRules, age: float, idle: float) -> str:
        if self._stop.is_set():
            return "stopped"
        if age >= rules.scaling.lifetime:
            return "lifetime"
        return "idle" if idle >= rules.scaling.idle_timeout else ""

    async def _sign_off(self) -> None:
        with contextlib.suppress(StoreUnavailableError):  # it is forgotten by itself
            await self._counting.hand_in(now=True)
            for region, mode in self._copies:
                await self._store.beat(self._pool, region, mode, self.id, leave=True)

    # --- staying up to date ------------------------------------------------------------------------------------------

    async def _keep_house(self) -> PoolRules:
        if self._rules is not None and time.monotonic() - self._kept_house < HOUSEKEEPING_EVERY:
            return self._rules
        self._kept_house = time.monotonic()
        before, self._rules = self._rules, await self._read_rules()
        rules = self._rules
        wanted = {(self._region, mode) for mode in rules.modes}
        for queue in self._copies.keys() - wanted:
            del self._copies[queue]
        for queue in sorted(wanted - self._copies.keys()):
            copy = self._copies[queue] = QueueCopy(self._pool, *queue)
            with self._counting.phase(queue, "read"):
                self._clock_offset = await copy.load(self._store) - time.time()
        if rules is not before:
            await self._mind_record(wanted=self._record_always or rules.recording.enabled)
            await self._meet_neighbors(rules)
        beats = await asyncio.gather(*(self._store.beat(self._pool, *queue, self.id) for queue in self._copies))
        self._beats = dict(zip(self._copies, beats, strict=True))
        await sweep(self._store, self._pool)
        return rules

    async def _mind_record(self, *, wanted: bool) -> None:
        """Begin or end the record, as the rules want it."""
        if self._recorder is not None and not wanted:
            await self._recorder.close()
            self._recorder = None
        elif self._recorder is None and wanted and self._record:
            from .recording import open_recorder  # matchers that record nothing do not load it

            self._recorder = open_recorder(self._record, self._pool, self._region, self.id)

    async def _meet_neighbors(self, rules: PoolRules) -> None:
        """Copy the queues whose tickets may spill into ours, as the rules say now."""
        for neighbor in self._neighbors.values():
            neighbor.withdraw()
        self._neighbors = {}
        for region in rules.regions:
            if self._region in region.neighbors:
                for (_, mode), home in self._copies.items():
                    self._neighbors[region.name, mode] = neighbor = NeighborCopy(home, region.name, float(region.spill_after))
                    await neighbor.load(self._store)

    async def _read_rules(self) -> PoolRules:
        found = (await self._store.pools()).get(self._pool)
        if found is None:
            raise UnknownPoolError(f"there is no pool `{self._pool}`")
        if found[1].region(self._region) is None:
            raise UnknownPoolError(f"pool `{self._pool}` has no region `{self._region}`")
        if found[1] == self._rules:  # not by revision: a pool that is deleted and declared anew begins at the first one again
            return self._rules  # the same object: what rounds remember of the tickets is remembered for it
        return found[1]

    async def _follow(self, longest: float) -> None:
        await asyncio.sleep(ROUND_PAUSE)
        copies = {**self._neighbors, **self._copies}
        after = {queue: copy.number for queue, copy in copies.items()}
        changes, anew = await self._store.follow(self._pool, after, longest), False
        for queue, entries in changes.items():
            with self._counting.phase(queue, "read"):
                if not copies[queue].apply(entries):
                    await copies[queue].load(self._store)
                    anew = anew or queue in self._copies
        if anew and self._rules is not None:
            await self._meet_neighbors(self._rules)

    # --- rounds ------------------------------------------------------------------------------------------------------

    async def _rounds(self, rules: PoolRules) -> None:
        for neighbor in self._neighbors.values():
            neighbor.show(time.time() + self._clock_offset)
        for queue, copy in self._copies.items():
            due = time.monotonic() - self._round_at.get(queue, float("-inf")) >= ROUND_EVERY
            if copy.changed or (due and len(copy.view)):
                self._round_at[queue] = time.monotonic()
                await self._round(queue, copy, rules)

    async def _round(self, queue: tuple[str, str], copy: QueueCopy, rules: PoolRules) -> None:
        now = time.time() + self._clock_offset
        changed, copy.changed = copy.changed, False
        waiting = copy.waiting
        with self._counting.phase(queue, "match"):
            result = find_matches(copy.view, rules, now, self._recorder.seeded() if self._recorder else self._random)
            matches = self._share(queue, result.matches, now)
        seen = list(copy.view) if self._recorder is not None else []
        tally = await commit_all(self._store, self._pool, self.id, matches, rules, now, self._traces)
        self._counting.came_of(queue, tally)
        if self._recorder is not None:
            self._recorder.note(queue, rules, seen, now, tally.made)
        for each in (*self._neighbors.values(), copy):
            each.drop(tally.gone)
        self.report.rounds += 1
        self.report.matches += tally.matches
        self.report.tickets += tally.tickets
        self.report.conflicts += tally.conflicts
        if matches:
            happened(_log, "round", level=logging.DEBUG, matcher=self.id, mode=copy.mode, count=waiting, matches=tally.matches)
        await self._quarantine(copy, result)
        if changed or tally.matches:
            await self._tell(queue, copy, now)
        if time.monotonic() - self._explained_at.get(queue, float("-inf")) >= EXPLAIN_EVERY:
            self._explained_at[queue] = time.monotonic()
            await self._explain(copy, result)

    def _share(self, queue: tuple[str, str], matches: Sequence[Match], now: float) -> Sequence[Match]:
        """This matcher's part of the matches: of n matchers the i-th takes those at i/n of the rating order, counted from a cut that moves."""
        beat = self._beats.get(queue, values.Beat(0, 1))
        if beat.count <= 1:
            return matches
        ordered = sorted(matches, key=lambda match: match.tickets[0].players[0].rating if match.tickets[0].players else 0.0)
        cut = int(now / ROUND_EVERY) * GOLDEN % 1
        size = max(1, len(ordered))
        return [match for i, match in enumerate(ordered) if int((i / size + cut) % 1 * beat.count) == beat.rank]

    async def _quarantine(self, copy: QueueCopy, result: Round) -> None:
        """A ticket that no round can take must not stay: end it, and tell its players."""
        unreadable, copy.unreadable = copy.unreadable, []
        for ticket in (*result.poisoned, *unreadable):
            shown = copy.view.get(ticket)
            if shown is not None and shown.region != copy.region:
                continue  # a neighbour's: its own matcher ends it
            place = values.Place(ticket, copy.pool, copy.region, copy.mode)
            found = copy.view.remove(ticket)
            players = [player.id for player in found.players] if found else []
            entry = ticket_ended(place, players, "quarantined", rfc3339(time.time()))
            cancellation = await self._store.cancel(place, players[0] if players else "", "quarantined", entry)
            if cancellation.detail and cancellation.status == "cancelled":
                await relay(self._store, values.PendingEntry(cancellation.detail, entry))
            reason = result.poisoned.get(ticket, "its record cannot be read")
            happened(_log, "ticket quarantined", level=logging.WARNING, ticket=ticket, pool=copy.pool, reason=reason)

    async def _tell(self, queue: tuple[str, str], copy: QueueCopy, now: float) -> None:
        matchers = self._beats.get(queue, values.Beat(0, 1)).count
        status = QueueStatusData(copy.pool, copy.region, copy.mode, copy.waiting, matchers)
        await self._store.publish(keys.QUEUE_STATUS_CHANNEL, QUEUE_UPDATE, _json.encode(status), rfc3339(now))

    async def _explain(self, copy: QueueCopy, result: Round) -> None:
        reasons: dict[str, bytes] = {}
        for ticket in copy.view:
            if len(reasons) == EXPLAINED:
                break
            reason = result.reasons.get(ticket.id)
            if reason is not None and ticket.region == copy.region:
                reasons[ticket.id] = _json.encode(why(reason))
        await self._store.explain(copy.pool, copy.region, copy.mode, reasons)


def why(reason: Reason) -> Why:
    """A reason as a player is shown it."""
    if reason.rule == "players":
        text = "Waiting for more players."
    elif reason.rule == "suspended":
        text = "This pool makes no matches just now."
    else:
        candidates = reason.blocked.get(reason.rule, 0)
        text = (
            f"The rule `{reason.rule}` does not admit {'the one other candidate' if candidates == 1 else f'{candidates} candidates'} yet."
        )
    if reason.next_change is not None and reason.rule != "players":
        text += f" It widens in {max(1, round(reason.next_change))} s."
    next_change = None if reason.next_change is None else round(reason.next_change, 1)
    return Why(reason.rule, text, next_change, reason.windows, reason.blocked)
