"""Whether what was written down keeps the promises. Pure: records in, findings out; each check is named after the promise that it holds.

    S1  an acknowledged ticket reaches exactly one end, and its player is told of it
    S2  no ticket, and no player, is in two live matches
    S3  a player's events arrive in order and without gaps
    S4  a rollback is never silent: another epoch, and a snapshot
    S5  one operation has its effect once
    S6  a connection that was replaced can no longer act
    S7  nobody hears or does what is somebody else's

(S8, the bound of what one peer can cost, is a matter of resources, which no history shows.) A client's record alone shows S3, S4, S6 and S7; the store's alone S1 and S2;
both together that what was told is what happened. With `rolled_back` the store has lost acknowledged writes on purpose: then an acknowledged ticket may be gone if
its player was told so by a snapshot of a new epoch.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from .history import CLOSED, ENDS, OPENING, SENT, Ends, Entry, Goes, Holds, Renames, Step, Tells, Waits

MATCHED = "match_ready"


class Finding(Struct, frozen=True):
    """A broken promise."""

    promise: str
    what: str


class Account(Struct):
    """What one client's record comes to.

    Attributes:
        operations: operation → the tickets that it was answered with.
        acknowledged: ticket → index of its line.
        ends: ticket → ends that were told: (`m` or `c`, match or reason, epoch).
        numbered: (epoch, seq) → what that event told: type, ticket, match.
        vouched: tickets that a later snapshot shows to be over; with the epochs in which that was.
        teams: match → the players of its teams.
        late: operations that only a replaced connection sent.
        epoch: of the last hello.
    """

    player: str
    operations: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    acknowledged: dict[str, int] = field(default_factory=dict)
    ends: dict[str, set[tuple[str, str, str]]] = field(default_factory=lambda: defaultdict(set))
    numbered: dict[tuple[str, int], tuple[str, str, str]] = field(default_factory=dict)
    vouched: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    teams: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    epoch: str = ""


class Store(Struct):
    """What the store's record comes to.

    Attributes:
        tickets: ticket that ever waited → its players.
        marks: ticket → how it ended.
        operations: player and operation → tickets that were bound by it and waited.
        told: player and number → what was told: type, ticket, match; all of them, if the number was used again.
    """

    tickets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    operations: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    told: dict[tuple[str, int], list[tuple[str, str, str]]] = field(default_factory=lambda: defaultdict(list))
    epochs: list[str] = field(default_factory=list)

    @property
    def matches(self) -> dict[str, list[str]]:
        """Match → its tickets."""
        found: dict[str, list[str]] = defaultdict(list)
        for ticket, mark in self.marks.items():
            if mark.startswith("m:"):
                found[mark[2:]].append(ticket)
        return found


# --- one client's record -----------------------------------------------------------------------------------------------------


def check_client(player: str, entries: Sequence[Entry]) -> list[Finding]:
    """Everything that one client's record shows by itself."""
    return [
        *s3_in_order_without_gaps(player, entries),
        *s4_rollbacks_are_told(player, entries),
        *s6_replaced_connections_are_silent(player, entries),
        *s7_only_ones_own(player, entries),
    ]


def s3_in_order_without_gaps(player: str, entries: Sequence[Entry]) -> Iterator[Finding]:
    """Numbers on a socket follow each other, from the one that its `hello` names."""
    expected: dict[int, int] = {}
    for entry in entries:
        if entry.what == "hello":
            expected[entry.socket] = entry.data["seq"] + 1
        elif entry.seq is not None:
            due = expected.get(entry.socket)
            if due is None:
                yield Finding("S3", f"{player}: event {entry.seq} before any hello on socket {entry.socket}")
            elif entry.seq != due:
                yield Finding("S3", f"{player}: event {entry.seq} on socket {entry.socket}, where {due} was due")
            expected[entry.socket] = entry.seq + 1


def s4_rollbacks_are_told(player: str, entries: Sequence[Entry]) -> Iterator[Finding]:
    """A session is resumed only where the client offered to; otherwise a snapshot follows the hello at once. Between two such beginnings a number means one event."""
    offered: dict[int, tuple[str, int] | None] = {}
    greeted: dict[int, bool] = {}
    known: dict[int, Any] = {}
    for entry in entries:
        if entry.what == OPENING:
            parts = str(entry.data).split(".")
            offered[entry.socket] = (parts[1], int(parts[2])) if len(parts) == 4 else None
        elif entry.what == "hello":
            at = (entry.data["epoch"], entry.data["seq"])
            if entry.data["resumed"] and offered.get(entry.socket) != at:
                yield Finding("S4", f"{player}: resumed at {at}, but offered {offered.get(entry.socket)}")
            greeted[entry.socket] = not entry.data["resumed"]
            if not entry.data["resumed"]:
                known = {}
        elif entry.what not in (SENT, CLOSED):
            if greeted.pop(entry.socket, False) and entry.what != "snapshot":
                yield Finding("S4", f"{player}: a hello that does not resume is followed by {entry.what}, not by a snapshot")
            if entry.seq is not None:
                told = (entry.what, entry.data)
                if known.setdefault(entry.seq, told) != told:
                    yield Finding("S4", f"{player}: event {entry.seq} means two things, and no hello between them said so")


def s6_replaced_connections_are_silent(player: str, entries: Sequence[Entry]) -> Iterator[Finding]:
    """What a client asks for on a socket after a later one said hello is never granted; generations only grow."""
    latest, generations, late = 0, dict[str, int](), set[str]()
    for entry in entries:
        if entry.what == "hello":
            epoch, generation = entry.data["epoch"], entry.data["generation"]
            if entry.socket >= latest:
                if generation <= generations.get(epoch, 0):
                    yield Finding("S6", f"{player}: generation {generation} after {generations[epoch]} in one epoch")
                generations[epoch], latest = generation, entry.socket
        elif entry.what == SENT:
            operation = entry.data["data"].get("op_id", "")
            if entry.socket < latest:
                late.add(operation)
            else:
                late.discard(operation)
        elif entry.what in ("queue_joined", "queue_left") and entry.data.get("op_id") in late - {""}:
            yield Finding("S6", f"{player}: {entry.data['op_id']}, sent on a replaced connection, was granted: {entry.what}")


def s7_only_ones_own(player: str, entries: Sequence[Entry]) -> Iterator[Finding]:
    """Whom a hello greets, and whom a match names."""
    for entry in entries:
        if entry.what == "hello" and entry.data["player_id"] != player:
            yield Finding("S7", f"{player} is greeted as {entry.data['player_id']}")
        if entry.what == "match_found" and not any(player in team["players"] for team in entry.data["teams"]):
            yield Finding("S7", f"{player} is told of match {entry.data['match_id']} of others")


def account(player: str, entries: Sequence[Entry]) -> Account:
    """What a client was told."""
    of, epoch, latest, current = Account(player), "", 0, set[str]()
    for i, entry in enumerate(entries):
        data = entry.data
        if entry.what == "hello":
            epoch, latest = data["epoch"], max(latest, entry.socket)
            of.epoch = epoch
        elif entry.what == SENT:
            operation = data["data"].get("op_id", "")
            (of.late if entry.socket < latest else current).add(operation)
        elif entry.what == "queue_joined":
            of.operations[data["op_id"]].add(data["ticket_id"])
            of.acknowledged.setdefault(data["ticket_id"], i)
        elif entry.what in ENDS:
            _ended(of, entry, epoch)
        elif entry.what == "snapshot":
            _shown(of, data, epoch)
    of.late -= current
    return of


def _ended(of: Account, entry: Entry, epoch: str) -> None:
    kind, data = ENDS[entry.what], entry.data
    detail = data["match_id"] if kind == "m" else data["reason"]
    of.ends[data["ticket_id"]].add((kind, detail, epoch))
    if kind == "m":
        of.teams[detail] = tuple(tuple(team["players"]) for team in data["teams"])
    if entry.seq is not None:
        of.numbered[epoch, entry.seq] = (entry.what, data["ticket_id"], detail if kind == "m" else "")


def _shown(of: Account, snapshot: Mapping[str, Any], epoch: str) -> None:
    waits, match = snapshot.get("ticket"), snapshot.get("match")
    for ticket in of.acknowledged:
        if waits is None or waits["ticket_id"] != ticket:
            of.vouched[ticket].add(epoch)
    if match is not None:
        of.ends[match["ticket_id"]].add(("m", match["match_id"], epoch))


# --- the store's record ------------------------------------------------------------------------------------------------------


def check_store(steps: Iterable[Step], *, rolled_back: bool = False) -> tuple[Store, list[Finding]]:
    """Everything that the store's record shows by itself, and what it comes to."""
    store, findings = Store(), list[Finding]()
    waiting: dict[str, tuple[str, ...]] = {}
    busy: dict[str, str] = {}
    bound: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for step in steps:
        match step:
            case Holds(player, ticket, operation):
                bound[ticket].append((player, operation))
            case Waits(ticket, players):
                findings += _begins(store, waiting, busy, ticket, players)
                for player, operation in bound[ticket]:
                    if operation:
                        store.operations[player, operation].add(ticket)
            case Goes(ticket):
                for player in waiting.pop(ticket, ()):
                    busy.pop(player, None)
            case Ends(ticket, mark):
                if store.marks.get(ticket, mark) != mark and not rolled_back:
                    findings.append(Finding("S1", f"ticket {ticket} ends twice: {store.marks[ticket]}, then {mark}"))
                store.marks[ticket] = mark
            case Tells(player, seq, type_, (ticket, match)):
                findings += _tells(store, player, seq, (type_, ticket, match), rolled_back=rolled_back)
            case Renames(epoch):
                store.epochs.append(epoch)
    findings += [Finding("S1", f"ticket {ticket} of {players} waits for ever") for ticket, players in waiting.items()]
    findings += [Finding("S1", f"ticket {t} is gone without an end") for t in store.tickets if t not in store.marks and t not in waiting]
    findings += _s2_matches(store, rolled_back=rolled_back)
    for (player, operation), tickets in store.operations.items():
        if len(tickets) > 1 and not rolled_back:
            findings.append(Finding("S5", f"{player}: operation {operation} led to {len(tickets)} tickets: {sorted(tickets)}"))
    return store, findings


def _begins(
    store: Store, waiting: dict[str, tuple[str, ...]], busy: dict[str, str], ticket: str, players: tuple[str, ...]
) -> Iterator[Finding]:
    if store.marks.get(ticket):
        yield Finding("S1", f"ticket {ticket} waits after its end {store.marks[ticket]}")
    for player in players:
        if player in busy and busy[player] != ticket:
            yield Finding("S2", f"{player} waits twice: as {busy[player]} and as {ticket}")
        busy[player] = ticket
    store.tickets[ticket] = waiting[ticket] = players


def _tells(store: Store, player: str, seq: int, told: tuple[str, str, str], *, rolled_back: bool) -> Iterator[Finding]:
    before = store.told[player, seq]
    if not rolled_back:
        if before:
            yield Finding("S3", f"{player}: number {seq} is given to two events: {before[-1]} and {told}")
        if seq > 1 and not store.told.get((player, seq - 1)):
            yield Finding("S3", f"{player}: number {seq} follows a gap")
        ticket = told[1]
        if ticket and (owners := store.tickets.get(ticket)) and player not in owners:
            yield Finding("S7", f"{player} is told of ticket {ticket} of {owners}")
    before.append(told)


def _s2_matches(store: Store, *, rolled_back: bool) -> Iterator[Finding]:
    """Every ticket is handed over once, as what its mark says; all of a match are."""
    ends: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for (player, _), all_told in store.told.items():
        for type_, ticket, match in all_told:
            if type_ in (MATCHED, "ticket_ended"):
                ends[player, ticket].append((type_, match))
    if rolled_back:
        return
    for (player, ticket), told in ends.items():
        if len(told) > 1:
            yield Finding("S2", f"{player}: ticket {ticket} is handed over {len(told)} times: {told}")
        mark = store.marks.get(ticket, "")
        if told[0][0] == MATCHED and mark != f"m:{told[0][1]}":
            yield Finding("S2", f"{player}: ticket {ticket} is told to be match {told[0][1]}, but ended as {mark}")
        if told[0][0] != MATCHED and mark.startswith("m:"):
            yield Finding("S2", f"{player}: ticket {ticket} is told to have ended, but was matched: {mark}")
    for ticket, players in store.tickets.items():
        for player in players:
            if ticket in store.marks and (player, ticket) not in ends:
                yield Finding("S1", f"{player} is never told that ticket {ticket} ended as {store.marks[ticket]}")


# --- both ----------------------------------------------------------------------------------------------------------------------


def check_together(accounts: Iterable[Account], store: Store, *, rolled_back: bool = False) -> list[Finding]:
    """Whether what clients were told is what happened."""
    findings, teams = list[Finding](), dict[str, tuple[str, tuple[tuple[str, ...], ...]]]()
    for of in accounts:
        findings += s1_acknowledged_tickets_end(of, store, rolled_back=rolled_back)
        findings += s5_operations_have_one_ticket(of, rolled_back=rolled_back)
        findings += s6_late_operations_have_none(of, store)
        if rolled_back and of.epoch != store.epochs[-1]:
            findings.append(
                Finding(
                    "S4",
                    f"{of.player} was never told that the store was rolled back: it knows the epoch {of.epoch}, not {store.epochs[-1]}",
                )
            )
        if not rolled_back:
            findings += s3_told_is_what_is_stored(of, store)
        for match, found in of.teams.items():
            first = teams.setdefault(match, (of.player, found))
            if first[1] != found:
                findings.append(Finding("S2", f"match {match} has other teams for {of.player} than for {first[0]}"))
    findings += _s2_teams_are_the_tickets(store, {match: found for match, (_, found) in teams.items()}, rolled_back=rolled_back)
    return findings


def s1_acknowledged_tickets_end(of: Account, store: Store, *, rolled_back: bool) -> Iterator[Finding]:
    """Each acknowledged ticket has one end in the store, and its player knows it: by the event, or by a later snapshot."""
    for ticket in of.acknowledged:
        mark, told = store.marks.get(ticket, ""), {(kind, detail) for kind, detail, _ in of.ends.get(ticket, ())}
        known = bool(told) or ticket in of.vouched
        if not known:
            yield Finding("S1", f"{of.player}: the end of the acknowledged ticket {ticket} ({mark or 'none'}) is never told")
        if rolled_back:
            continue
        if not mark or mark == "c:lost":
            yield Finding("S1", f"{of.player}: the acknowledged ticket {ticket} is lost ({mark or 'no end'})")
        elif len(told) > 1:
            yield Finding("S2", f"{of.player}: ticket {ticket} is told to end in several ways: {sorted(told)}")
        elif told and (kind := next(iter(told))) and mark.split(":")[:2] != [*kind]:
            yield Finding("S1", f"{of.player}: ticket {ticket} ended as {mark}, but {kind} is told")


def s3_told_is_what_is_stored(of: Account, store: Store) -> Iterator[Finding]:
    """The event of a number is the one that the outbox has under it."""
    names = {"match_found": MATCHED, "queue_left": "ticket_ended"}
    for (_, seq), (what, ticket, match) in of.numbered.items():
        stored = store.told.get((of.player, seq), [])
        if (names[what], ticket, match) not in stored:
            yield Finding("S3", f"{of.player}: event {seq} is {what} of {ticket} {match}, but the outbox has {stored}")


def s5_operations_have_one_ticket(of: Account, *, rolled_back: bool) -> Iterator[Finding]:
    """However often an operation is repeated, its answer names the same ticket."""
    for operation, tickets in of.operations.items():
        if operation and len(tickets) > 1 and not rolled_back:
            yield Finding("S5", f"{of.player}: operation {operation} was answered with {sorted(tickets)}")


def s6_late_operations_have_none(of: Account, store: Store) -> Iterator[Finding]:
    """What only a replaced connection asked for never happened."""
    for operation in of.late - {""}:
        if tickets := store.operations.get((of.player, operation)):
            yield Finding("S6", f"{of.player}: {operation}, sent on a replaced connection, led to {sorted(tickets)}")


def _s2_teams_are_the_tickets(store: Store, teams: Mapping[str, tuple[tuple[str, ...], ...]], *, rolled_back: bool) -> Iterator[Finding]:
    if rolled_back:
        return
    matches = store.matches
    for match, sides in teams.items():
        named = sorted(player for side in sides for player in side)
        committed = sorted(player for ticket in matches.get(match, ()) for player in store.tickets.get(ticket, ()))
        if named != committed:
            yield Finding("S2", f"match {match} names {named}, but was made of {committed}")
