"""Anything in any order, on a real Redis, with processes that die in between: the table of states is never left, and nobody is in two places."""

import asyncio
import contextlib
from collections import defaultdict
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from matchmaking.core import session_events as on
from matchmaking.core.session import TABLE
from matchmaking.store import keys
from matchmaking.store.connect import open_store
from matchmaking.store.errors import StoreUnavailableError
from matchmaking.store.joining import leave
from matchmaking.store.redis_store import RedisStore
from matchmaking.store.relay import relay, sweep
from matchmaking.store.sessions import change
from support.arena import arena
from support.matches import POOL, commit, connect, join_arena, pass_time, waiting
from support.redis_server import RedisServer, flush
from support.session_events import SERVER_EVENTS

PLAYERS = [f"p{n}" for n in range(5)]
RULES = [
    arena(),
    arena(acceptance={}),
    arena(
        allocation={"type": "webhook"},
        backfill={"mode": "auto", "minRemaining": "1s"},
        teams=[{"name": "side", "quantity": 2, "maxPlayers": 2}],
    ),
    arena(allocation={"type": "webhook"}, acceptance={"required": True, "cooldowns": ["0s"]}),
]
server: RedisServer


def reachable() -> dict[str, set[str]]:
    """Where the table leads in any number of steps."""
    after = defaultdict(set)
    for row in TABLE:
        for source in row.sources:
            after[source].add(row.target)
    for _ in TABLE:
        for known in after.values():
            known |= {further for status in known for further in after.get(status, ())}
    return after


class Sessions(RuleBasedStateMachine):
    """Players, matchers, gateways and servers, in any order."""

    def __init__(self) -> None:
        super().__init__()
        flush(server)
        self.runner = asyncio.Runner()
        self.opening = open_store(server.url)
        self.store: RedisStore = self.run(self.opening.__aenter__())
        self.rules = RULES[0]
        self.count = 0
        self.seen: dict[str, str] = {}
        self.left: list[Any] = []
        self.after = reachable()

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize(rules=st.sampled_from(RULES))
    def pool(self, rules: Any) -> None:
        self.rules = rules

    @rule(player=st.sampled_from(PLAYERS))
    def join(self, player: str) -> None:
        self.run(join_arena(self.store, player))

    @rule(player=st.sampled_from(PLAYERS))
    def leave(self, player: str) -> None:
        async def leaves() -> None:
            await leave(self.store, player, await connect(self.store, player), "", "2030-01-01T00:00:00Z")

        self.run(leaves())

    @rule(dies=st.booleans(), data=st.data())
    def match(self, dies: bool, data: st.DataObject) -> None:
        tickets = self.run(waiting(self.store))
        plain, fills = [t for t in tickets if not t.backfill], [t for t in tickets if t.backfill]
        if fills and plain:
            teams = [[fills[0], data.draw(st.sampled_from(plain))], []]
        elif len(plain) > 1:
            chosen = data.draw(st.permutations(plain))
            teams = [[chosen[0]], [chosen[1]]]
        else:
            return
        self.count += 1
        pending = self.run(commit(self.store, f"m{self.count}", self.rules, teams))
        if pending is None:
            return
        self.left.append(pending)
        self.seen.setdefault(pending.entry.match, "")
        if not dies:
            self.run(relay(self.store, pending))

    @precondition(lambda self: self.left)
    @rule(data=st.data())
    def relay_again(self, data: st.DataObject) -> None:
        self.run(relay(self.store, data.draw(st.sampled_from(self.left))))

    @precondition(lambda self: self.seen)
    @rule(
        kind=st.sampled_from([on.Accept, on.Accept, on.Accept, on.Decline, on.Gone, on.Returned]),
        player=st.sampled_from(PLAYERS),
        data=st.data(),
        calls=st.none() | st.integers(0, 9),
    )
    def player_event(self, kind: Any, player: str, data: st.DataObject, calls: int | None) -> None:
        self.happen(data.draw(st.sampled_from(sorted(self.seen))), kind(player), calls)

    @precondition(lambda self: self.seen)
    @rule(event=st.sampled_from(SERVER_EVENTS), data=st.data(), calls=st.none() | st.integers(0, 9))
    def server_event(self, event: Any, data: st.DataObject, calls: int | None) -> None:
        self.happen(data.draw(st.sampled_from(sorted(self.seen))), event, calls)

    def happen(self, match: str, event: Any, calls: int | None) -> None:
        """With `calls`, its process dies after so many calls of the store."""
        store: Any = self.store
        if calls is not None:
            store = Mortal(self.store, calls)
        with contextlib.suppress(StoreUnavailableError):
            self.run(change(store, match, event))

    @rule()
    def gateways_look(self) -> None:
        self.run(pass_time(self.store))

    @invariant()
    def the_table_is_never_left(self) -> None:
        for match, before in self.seen.items():
            session = self.run(self.store.session_read(match)).session
            if session is not None:
                assert not before or session.status == before or session.status in self.after[before], (before, session.status)
                self.seen[match] = session.status

    @invariant()
    def nobody_is_in_two_places(self) -> None:
        with server.client() as client:
            for player in PLAYERS:
                ticket, session = client.hmget(keys.ticket(player), "ticket", "session")
                assert not (ticket and session), f"{player} waits and plays"
        live = [self.run(self.store.session_read(match)).session for match in self.seen]
        held = [
            player
            for session in live
            if session and not session.over and session.holds and session.policy.acceptance
            for player in session.players
        ]
        assert len(held) == len(set(held)), "in two live matches"

    def teardown(self) -> None:
        try:
            self.run(self.settle())
        finally:
            self.run(self.opening.__aexit__(None, None, None))
            self.runner.close()

    async def settle(self) -> None:
        """Once faults stop, nothing is left undone, and every player knows how it ended."""
        await sweep(self.store, POOL, idle=0)
        async with asyncio.timeout(20):
            for match in self.seen:
                while (await self.store.session_read(match)).pending:
                    await self.store.timer_set(match, 0)
                    await pass_time(self.store)
        queue = {player.id for ticket in await waiting(self.store) for player in ticket.players}
        for player in PLAYERS:
            events = (await self.store.outbox(player, 0)).events
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            outcome = await join_arena(self.store, player)
            held = await self.store.session_of(player)
            assert outcome.status in ("already_queued", "in_session", "joined", "cooldown"), outcome
            if player in queue:
                assert outcome.status == "already_queued"
            if outcome.status == "in_session":
                session = (await self.store.session_read(held or "")).session
                assert session is not None
                assert not session.over


class Mortal:
    """A store for a process that dies after so many calls."""

    def __init__(self, store: RedisStore, calls: int) -> None:
        self._store, self._left = store, calls

    def __getattr__(self, name: str) -> Any:
        self._left -= 1
        return getattr(self._store, name) if self._left >= 0 else _dead


async def _dead(*_: Any, **__: Any) -> None:
    raise StoreUnavailableError("killed")


@pytest.mark.timeout(600)
def test_anything_in_any_order(redis_server: RedisServer) -> None:
    global server  # noqa: PLW0603 - the machine is made by Hypothesis, which knows no fixtures
    server = redis_server
    profile = hypothesis.settings()
    examples = profile.max_examples if profile.max_examples > 100 else 25
    settings = hypothesis.settings(
        max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    hypothesis.stateful.run_state_machine_as_test(Sessions, settings=settings)
