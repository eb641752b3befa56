"""Every order in which the scripts of players and matchers can follow each other, and every death in between, on the twin in memory.

The real `join` runs as coroutines that stop at each call of the store, which is one script. A state is the store and what each process has
been answered so far; from each state any process may take its next step, or (as often as a test allows) die. States that were met before are not looked at again. A
rule left out of the twin must break the promises.
"""

import copy
import os
import pickle
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import msgspec
import pytest

from matchmaking.core.ticket import Player, Ticket
from matchmaking.protocol.events import MATCH_READY
from matchmaking.store import values
from matchmaking.store.in_memory import joining as twin_joining
from matchmaking.store.joining import Join, join
from matchmaking.store.memory import MemoryStore
from support.matches import commit_one

QUEUE = ("duel", "local", "ranked")
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
NOW = "2030-01-01T00:00:00.000Z"
Process = Callable[[Any], Coroutine[Any, Any, Any]]


def clock() -> float:
    return 2_000_000_000.0


class _Call:
    def __init__(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.asked = (name, arguments, options)

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self.asked)


class Asking:
    """A store whose every call stops the process until the explorer answers it."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **options: _Call(name, arguments, options)


def joins(player: str, op_id: str) -> Process:
    wish = Join((player,), 1, op_id, *QUEUE)
    return lambda store: join(store, wish, lambda place, _: Ticket(place.ticket, *QUEUE[1:], (Player(player),), 0.0))


def matches(name: str) -> Process:
    """Reads the queue, commits the oldest pair of two players, and dies: others hand it over."""

    async def run(store: Any) -> None:
        page = await store.page(*QUEUE, None, 10)
        tickets = {w.ticket: msgspec.msgpack.decode(w.record, type=Ticket) for w in page.waiters}
        pair = [values.CommitTicket(w.ticket, *QUEUE[1:], w.enqueued_ms) for w in page.waiters][:2]
        if len({tickets[each.id].players[0].id for each in pair}) == 2:
            players = {tickets[each.id].players[0].id: each.id for each in pair}
            entry = values.RelayEntry("duel", players, MATCH_READY, msgspec.Raw(b'{"match_id":"%s"}' % name.encode()), NOW, name)
            await commit_one(store, "duel", pair, entry)

    return run


def ask(process: Process, answers: tuple[Any, ...]) -> Any:
    """What a process asks next, after these answers; None if it is done."""
    work = process(Asking())
    try:
        asked = work.send(None)
        for answer in answers:
            asked = work.send(answer)
    except StopIteration:
        return None
    work.close()
    return asked


def carry_out(store: MemoryStore, asked: Any) -> Any:
    name, arguments, options = asked
    try:
        getattr(store, name)(*arguments, **options).send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the twin never waits")


def broken(store: MemoryStore) -> str:
    """Whether a player has two live tickets or two matches, or a ticket is nowhere."""
    pool = store._pool("duel")
    live: dict[str, set[str]] = {}
    for ticket in store._queue(*QUEUE).waiting:
        live.setdefault(msgspec.msgpack.decode(pool.tickets[ticket], type=Ticket).players[0].id, set()).add(ticket)
    ends: dict[str, set[str]] = {}
    for entry, _ in pool.outbox.values():
        for player, ticket in entry.players.items():
            if entry.match:
                live.setdefault(player, set()).add(ticket)
                ends.setdefault(ticket, set()).add(entry.match)
    if twice := {player: tickets for player, tickets in live.items() if len(tickets) > 1}:
        return f"two live tickets: {twice}"
    return f"two matches: {ends}" if any(len(found) > 1 for found in ends.values()) else ""


def explore(twin: type[MemoryStore], processes: list[Process], deaths: int) -> tuple[int, str]:
    """How many states there are, and what was found broken first."""
    first = twin(clock)
    for player in ("ann", "bob", "eve"):
        first._player(player).generation = 1
    todo: list[Any] = [(first, tuple(() for _ in processes), frozenset(), ())]
    met: set[bytes] = set()
    deaths_met: set[Any] = set()
    while todo:
        store, answered, dead, path = todo.pop()
        for i, process in enumerate(processes):
            if i in dead or (asked := ask(process, answered[i])) is None:
                continue
            if (
                len(dead) < deaths
                and (died := pickle.dumps((i, answered, [store._queues, store._pools, store._players]))) not in deaths_met
            ):
                deaths_met.add(died)
                todo.append((store, answered, dead | {i}, (*path, f"{i} dies")))
            after = copy.deepcopy(store)
            twin_joining.secrets.token_hex = lambda _, i=i, of=answered: f"{i:02x}{len(of[i]):02x}"  # type: ignore[attr-defined]
            answer = carry_out(after, asked)
            state = (*answered[:i], (*answered[i], answer), *answered[i + 1 :])
            key = pickle.dumps((sorted(dead), state, [after._queues, after._pools, after._players]))
            if key in met:
                continue
            met.add(key)
            if what := broken(after):
                return len(met), f"{what} after {(*path, (i, asked[0]))}"
            todo.append((after, state, dead, (*path, (i, asked[0]))))
    return len(met), ""


class NoMark(MemoryStore):
    """Who looks for a ticket that never came leaves no mark."""

    async def look(self, place: values.Place, player: str) -> values.Fate:
        fate = await super().look(place, player)
        if fate.detail == "lost":
            self._pool(place.pool).ended.pop(place.ticket, None)
        return fate


@pytest.fixture(autouse=True)
def _without_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin_joining, "secrets", types.SimpleNamespace(token_hex=None))


@pytest.mark.skipif(not DEEP, reason="with make test-deep")
def test_every_order_of_two_joins_of_one_player_of_which_any_may_die_keeps_the_promises() -> None:
    states, what = explore(MemoryStore, [joins("ann", "1"), joins("ann", "2")], 2)
    assert what == ""
    assert states > 10


def test_every_order_of_three_players_and_two_matchers_keeps_the_promises() -> None:
    states, what = explore(MemoryStore, [*(joins(name, "1") for name in ("ann", "bob", "eve")), matches("m1"), matches("m2")], 0)
    assert what == ""
    assert states > 500


def test_a_reservation_that_is_cleared_without_a_mark_lets_a_player_wait_twice() -> None:
    assert "two live tickets" in explore(NoMark, [joins("ann", "1"), joins("ann", "2")], 0)[1]
