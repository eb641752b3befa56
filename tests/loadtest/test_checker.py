"""The fault programme's checks refuse histories that break a promise, each in its own way, and take those that keep all of them."""

from typing import Any

import pytest

from faults.check import account, check_client, check_store, check_together
from faults.history import Ends, Entry, Goes, Holds, Renames, Step, Tells, Waits
from faults.mutations import MUTATIONS, mutated
from matchmaking.store.scripts import script

TEAMS = [{"name": "side-1", "players": ["ann"]}, {"name": "side-2", "players": ["bob"]}]


def heard(player: str, what: str, seq: int | None = None, socket: int = 1, **data: Any) -> Entry:
    return Entry(0.0, player, socket, what, data, seq)


def hello(player: str, seq: int = 0, epoch: str = "e1", generation: int = 1, resumed: bool = False, socket: int = 1) -> Entry:
    data = {"player_id": player, "epoch": epoch, "seq": seq, "generation": generation, "resumed": resumed}
    return Entry(0.0, player, socket, "hello", data)


def joins(player: str, ticket: str, op: str = "1", socket: int = 1) -> list[Entry]:
    sent = Entry(0.0, player, socket, "sent", {"type": "queue_join", "data": {"op_id": op}})
    return [sent, heard(player, "queue_joined", socket=socket, ticket_id=ticket, op_id=op)]


def found(player: str, ticket: str, seq: int = 1, match: str = "m1", teams: Any = TEAMS, socket: int = 1) -> Entry:
    return heard(player, "match_found", seq, socket, match_id=match, ticket_id=ticket, teams=teams)


def begins(player: str) -> list[Entry]:
    return [Entry(0.0, player, 1, "opening", ""), hello(player), heard(player, "snapshot", ticket=None, match=None)]


def life(player: str, ticket: str) -> list[Entry]:
    return [*begins(player), *joins(player, ticket), found(player, ticket)]


CLIENTS = {"ann": life("ann", "a"), "bob": life("bob", "b")}
STEPS: list[Step] = [
    Renames("e1"),
    *(Holds("ann", "a", "1"), Waits("a", ("ann",)), Holds("bob", "b", "1"), Waits("b", ("bob",))),
    *(Goes("a"), Goes("b"), Ends("a", "m:m1"), Ends("b", "m:m1")),
    *(Tells("ann", 1, "match_ready", ("a", "m1")), Tells("bob", 1, "match_ready", ("b", "m1"))),
]


def broken(clients: dict[str, list[Entry]] = CLIENTS, steps: list[Step] = STEPS, *, rolled_back: bool = False) -> set[str]:
    findings = [finding for player, entries in clients.items() for finding in check_client(player, entries)]
    store, by_itself = check_store(steps, rolled_back=rolled_back)
    accounts = [account(player, entries) for player, entries in clients.items()]
    return {finding.promise for finding in [*findings, *by_itself, *check_together(accounts, store, rolled_back=rolled_back)]}


def test_a_history_that_keeps_every_promise_is_taken() -> None:
    assert broken() == set()


def test_a_ticket_that_was_acknowledged_and_never_ends_is_lost() -> None:
    without_end = [step for step in STEPS if step not in (Goes("a"), Ends("a", "m:m1"))]
    assert "S1" in broken(steps=without_end)


def test_a_ticket_that_vanishes_without_an_end_is_lost() -> None:
    assert "S1" in broken(steps=[step for step in STEPS if step != Ends("a", "m:m1")])


def test_an_end_that_nobody_is_told_of_is_found() -> None:
    assert "S1" in broken({**CLIENTS, "ann": CLIENTS["ann"][:-1]})


def test_a_snapshot_without_the_ticket_tells_its_end() -> None:
    told = [*CLIENTS["ann"][:-1], hello("ann", 1, generation=2), heard("ann", "snapshot", ticket=None, match=None)]
    assert broken({**CLIENTS, "ann": told}) == set()


def test_an_end_other_than_the_one_that_is_told_is_found() -> None:
    left = heard("ann", "queue_left", 1, ticket_id="a", reason="left")
    assert "S1" in broken({**CLIENTS, "ann": [*CLIENTS["ann"][:-1], left]})


def test_a_ticket_in_two_matches_is_found() -> None:
    assert "S2" in broken({**CLIENTS, "ann": [*CLIENTS["ann"], found("ann", "a", 2, "m2")]})
    assert "S2" in broken(steps=[*STEPS, Tells("ann", 2, "match_ready", ("a", "m2"))])


def test_a_player_who_waits_twice_at_once_is_found() -> None:
    twice: list[Step] = [Waits("a", ("ann",)), Waits("c", ("ann",))]
    assert "S2" in broken({}, twice)


def test_teams_that_differ_from_the_tickets_or_between_players_are_found() -> None:
    others = [{"name": "side-1", "players": ["ann"]}, {"name": "side-2", "players": ["eve"]}]
    assert "S2" in broken({**CLIENTS, "ann": [*CLIENTS["ann"][:-1], found("ann", "a", teams=others)]})


@pytest.mark.parametrize("seq", [2, 0])
def test_a_gap_or_a_repeat_on_a_socket_is_found(seq: int) -> None:
    assert "S3" in broken({**CLIENTS, "ann": [*CLIENTS["ann"][:-1], found("ann", "a", seq)]})


def test_a_number_that_the_store_gives_twice_or_skips_is_found() -> None:
    assert "S3" in broken({}, [*STEPS, Tells("ann", 1, "party_update", ("", ""))])
    assert "S3" in broken({}, [*STEPS, Tells("ann", 3, "party_update", ("", ""))])


def test_a_session_that_is_resumed_elsewhere_than_offered_is_found() -> None:
    back = [Entry(0.0, "ann", 2, "opening", "resume.e1.1.token"), hello("ann", 0, generation=2, resumed=True, socket=2)]
    assert "S4" in broken({**CLIENTS, "ann": [*CLIENTS["ann"], *back]})


def test_a_new_beginning_without_a_snapshot_is_found() -> None:
    assert "S4" in broken({**CLIENTS, "ann": [hello("ann"), *joins("ann", "a"), found("ann", "a")]})


def test_a_number_that_means_two_things_is_found() -> None:
    back = [Entry(0.0, "ann", 2, "opening", "resume.e1.0.token"), hello("ann", 0, generation=2, resumed=True, socket=2)]
    other = heard("ann", "queue_left", 1, 2, ticket_id="a", reason="left")
    assert "S4" in broken({**CLIENTS, "ann": [*CLIENTS["ann"], *back, other]})


def test_a_rollback_that_a_client_never_hears_of_is_found() -> None:
    assert "S4" in broken(steps=[*STEPS, Renames("e2")], rolled_back=True)
    told = {
        player: [*life, hello(player, 0, "e2", 2), heard(player, "snapshot", ticket=None, match=None)] for player, life in CLIENTS.items()
    }
    assert broken(told, [*STEPS, Renames("e2")], rolled_back=True) == set()


def test_an_operation_with_two_tickets_is_found() -> None:
    again: list[Step] = [
        *STEPS,
        Holds("ann", "c", "1"),
        Waits("c", ("ann",)),
        Goes("c"),
        Ends("c", "c:left"),
        Tells("ann", 2, "ticket_ended", ("c", "")),
    ]
    assert "S5" in broken({}, again)
    assert "S5" in broken({**CLIENTS, "ann": [*CLIENTS["ann"], *joins("ann", "c")]})


def test_a_replaced_connection_that_still_acts_is_found() -> None:
    newer = [Entry(0.0, "ann", 2, "opening", "resume.e1.1.token"), hello("ann", 1, generation=2, resumed=True, socket=2)]
    assert broken({**CLIENTS, "ann": [*CLIENTS["ann"], *newer, joins("ann", "c", "late")[0]]}) == set()
    assert "S6" in broken({**CLIENTS, "ann": [*CLIENTS["ann"], *newer, *joins("ann", "c", "late")]})
    assert "S6" in broken(
        {**CLIENTS, "ann": [*CLIENTS["ann"], *newer, joins("ann", "c", "late")[0]]},
        [*STEPS, Holds("ann", "c", "late"), Waits("c", ("ann",))],
    )


def test_a_generation_that_does_not_grow_is_found() -> None:
    same = [Entry(0.0, "ann", 2, "opening", "resume.e1.1.token"), hello("ann", 1, generation=1, resumed=True, socket=2)]
    assert "S6" in broken({**CLIENTS, "ann": [*CLIENTS["ann"], *same]})


def test_what_is_somebody_elses_is_found() -> None:
    assert "S7" in broken({**CLIENTS, "ann": [hello("eve"), *CLIENTS["ann"][2:]]})
    assert "S7" in broken({**CLIENTS, "ann": [*CLIENTS["ann"][:-1], found("ann", "a", teams=[{"name": "side-1", "players": ["eve"]}])]})
    assert "S7" in broken({}, [*STEPS, Tells("eve", 1, "match_ready", ("a", "m1"))])


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_each_mutation_still_says_what_it_leaves_out(name: str) -> None:
    original = script(MUTATIONS[name].script)
    changed = mutated(original, name)
    assert changed.text != original.text
    assert changed.sha != original.sha
