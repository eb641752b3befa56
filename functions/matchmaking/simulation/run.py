"""The virtual clock: admit who has arrived, run a round on every queue, note who left, step on.

The core is the real one, used as a matcher uses it: one `QueueView` per region and mode for the whole run, told only what changed. A ticket
that has waited its region's `spillAfter` is also shown to the neighbours' queues. Nothing here reads a real clock; where nobody
waits, the clock jumps to the next arrival.
"""

from collections import Counter, deque
from collections.abc import Callable
from itertools import islice
from random import Random

import msgspec
import numpy as np

from matchmaking.core.matching import find_matches
from matchmaking.core.pool import PoolRules
from matchmaking.core.queue import QueueView
from matchmaking.core.round import Match, Round

from .population import Population
from .trace import EXPIRED, MATCHED, REFUSED, WAITING, Matches, Trace

SAMPLE_EVERY = 10  # rounds between two samples of what blocks
SAMPLE_TICKETS = 8  # the oldest of a queue, each time

Progress = Callable[[float], None]  # called with the share that is done, 0 to 1
FindMatches = Callable[[QueueView, PoolRules, float, Random], Round]


class World:
    """One run, from the first arrival to the end of the last ticket (or of the time)."""

    def __init__(
        self, rules: PoolRules, population: Population, round_every: float, until: float, seed: int, find: FindMatches = find_matches
    ) -> None:
        self._rules = rules
        self._people = population
        self._step = round_every
        self._until = until
        self._random = Random(seed)
        self._find = find
        self._times: list[float] = population.times.tolist()
        self._outcome = [WAITING] * len(self._times)
        self._wait = [0.0] * len(self._times)
        self._match = [-1] * len(self._times)
        self._queues = {(region.name, mode): QueueView() for region in rules.regions for mode in rules.modes}
        self._neighbors = {region.name: region.neighbors for region in rules.regions}
        self._spilling = {region.name: deque[int]() for region in rules.regions if region.neighbors}
        self._rows: list[tuple[float, int, float, float, float, float, float, bool]] = []
        self._clock: list[tuple[float, int]] = []
        self._blocked: Counter[str] = Counter()
        self._expired_by: Counter[str] = Counter()
        self._arrived = self._expiring = self._waiting = self._rounds = 0

    def run(self, progress: Progress) -> Trace:
        """Step until everybody has left or the time is over."""
        count, tick = len(self._times), 0
        fewest = max(1, self._rules.min_match_tickets)
        while True:
            now = tick * self._step
            self._admit(now)
            self._spill(now)
            sampled = tick % SAMPLE_EVERY == 0
            last = {key: self._round(key, queue, now, sampled=sampled) for key, queue in self._queues.items() if len(queue) >= fewest}
            self._expire(now, last)
            self._clock.append((now, self._waiting))
            if (self._arrived == count and not self._waiting) or now >= self._until:
                break
            tick += 1
            if not self._waiting:
                tick = max(tick, int(-(-self._times[self._arrived] // self._step)))
            if tick % 64 == 0:
                progress(min(0.99, self._arrived / count))
        progress(1.0)
        return self._trace(now)

    def _admit(self, now: float) -> None:
        tickets, count = self._people.tickets, len(self._times)
        head_start = float(self._rules.priority.newcomer_head_start)
        while self._arrived < count and self._times[self._arrived] <= now:
            ticket = tickets[self._arrived]
            if head_start and self._people.newcomer[self._arrived]:
                ticket = msgspec.structs.replace(ticket, head_start=head_start)
            self._queues[ticket.region, ticket.mode].add(ticket)
            if ticket.region in self._spilling:
                self._spilling[ticket.region].append(self._arrived)
            self._arrived += 1
            self._waiting += 1

    def _spill(self, now: float) -> None:
        for region in self._rules.regions:
            line = self._spilling.get(region.name)
            while line and self._times[line[0]] + region.spill_after <= now:
                index = line.popleft()
                if self._outcome[index] == WAITING:
                    ticket = self._people.tickets[index]
                    for neighbor in region.neighbors:
                        self._queues[neighbor, ticket.mode].add(ticket)

    def _round(self, key: tuple[str, str], queue: QueueView, now: float, *, sampled: bool) -> Round:
        self._rounds += 1
        found = self._find(queue, self._rules, now, self._random)
        for ticket_id in found.poisoned:
            self._leave(int(ticket_id[1:]), REFUSED, now)
        for match in found.matches:
            self._note(match, key[0], now)
        if sampled:
            for ticket in islice(queue, SAMPLE_TICKETS):
                reason = found.reasons.get(ticket.id)
                if reason is not None:
                    self._blocked[reason.rule] += 1
        return found

    def _note(self, match: Match, region: str, now: float) -> None:
        row, players, oldest, spilled = len(self._rows), 0, 0.0, False
        for team in match.teams:
            for ticket in team.tickets:
                index = int(ticket.id[1:])
                self._leave(index, MATCHED, now)
                self._match[index] = row
                players += len(ticket.players)
                oldest = max(oldest, self._wait[index])
                spilled = spilled or ticket.region != region
        favourite = max(team.win_chance for team in match.teams)
        self._rows.append((now, players, match.quality, match.gap, match.imbalance, favourite, oldest, spilled))

    def _leave(self, index: int, outcome: int, now: float) -> None:
        ticket = self._people.tickets[index]
        self._outcome[index] = outcome
        self._wait[index] = now - self._times[index]
        self._waiting -= 1
        self._queues[ticket.region, ticket.mode].remove(ticket.id)
        for neighbor in self._neighbors[ticket.region]:
            self._queues[neighbor, ticket.mode].remove(ticket.id)

    def _expire(self, now: float, last: dict[tuple[str, str], Round]) -> None:
        while self._expiring < self._arrived:
            index = self._expiring
            if self._outcome[index] == WAITING:
                if self._times[index] + self._rules.ticket.ttl > now:
                    return
                ticket = self._people.tickets[index]
                round_ = last.get((ticket.region, ticket.mode))
                reason = round_.reasons.get(ticket.id) if round_ else None
                self._expired_by[reason.rule if reason else "players"] += 1
                self._leave(index, EXPIRED, now)
            self._expiring += 1

    def _trace(self, end: float) -> Trace:
        people, arrived = self._people, self._arrived
        if arrived < len(self._times):
            people = people.first(arrived)
        outcome, wait = np.array(self._outcome[:arrived], dtype=np.int8), np.array(self._wait[:arrived])
        wait = np.where(outcome == WAITING, end - people.times, wait)
        columns = [np.array(column) for column in zip(*self._rows, strict=True)] or [np.zeros(0) for _ in range(8)]
        clock = np.array(self._clock)
        return Trace(
            rules=self._rules,
            population=people,
            outcome=outcome,
            wait=wait,
            match=np.array(self._match[:arrived], dtype=np.int64),
            matches=Matches(*columns),
            end=end,
            clock=clock[:, 0],
            waiting=clock[:, 1].astype(np.int64),
            blocked=dict(sorted(self._blocked.items())),
            expired_by=dict(sorted(self._expired_by.items())),
            rounds=self._rounds,
        )
