"""The connection as a pure function: no event loop, no socket, no Redis."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.protocol import connection as c
from matchmaking.protocol.close_codes import MEANINGS, CloseCode
from matchmaking.protocol.events import MATCH_READY, TICKET_ENDED, StoredEvent, rfc3339
from matchmaking.protocol.messages import (
    Ack,
    AckData,
    ErrorData,
    Heartbeat,
    HeartbeatAckData,
    QueueJoin,
    QueueJoinData,
    QueueJoinedData,
    QueueLeave,
    QueuePlace,
    QueueUpdateData,
    Why,
)

NOW = 1_900_000_000.0
PLACE = QueuePlace("t1", "duel", "local", "ranked")


def fresh(**changes: object) -> c.Connection:
    return msgspec.structs.replace(c.Connection("alice", 3, 10, NOW, 15.0), **changes)


def event(seq: int, type_: str = MATCH_READY) -> StoredEvent:
    return StoredEvent(seq, type_, b"{}", rfc3339(NOW))


def run(connection: c.Connection, *events: c.Event) -> tuple[c.Connection, list[c.Effect]]:
    effects: list[c.Effect] = []
    for each in events:
        connection, more = c.step(connection, each, NOW)
        effects += more
    return connection, effects


def test_a_heartbeat_is_answered_with_the_servers_clock() -> None:
    connection, effects = c.step(fresh(last_heard=0.0), c.Received(Heartbeat()), NOW)
    assert effects == (c.Send(HeartbeatAckData("2030-03-17T17:46:40.000Z")),)
    assert connection.last_heard == NOW


def test_two_missed_heartbeats_close() -> None:
    assert c.step(fresh(), c.Tick(), NOW + 29.9)[1] == ()
    connection, effects = c.step(fresh(), c.Tick(), NOW + 30.1)
    assert effects == (c.Close(CloseCode.HEARTBEAT_TIMEOUT),)
    assert c.step(connection, c.Received(Heartbeat()), NOW)[1] == (), "nothing happens on a closing connection"


def test_the_next_event_is_delivered_a_repeat_dropped_a_gap_read_from_the_outbox() -> None:
    connection, effects = run(fresh(), c.Published(event(11)), c.Published(event(11)), c.Published(event(9)))
    assert effects == [c.Deliver(event(11))]
    assert connection.sent == 11
    connection, effects = run(connection, c.Published(event(14)), c.Published(event(15)))
    assert effects == [c.ReadOutbox(11)], "one read, however many come meanwhile"
    connection, effects = run(connection, c.OutboxRead((event(12), event(13), event(14)), 14, 3))
    assert effects[:3] == [c.Deliver(event(12)), c.Deliver(event(13)), c.Deliver(event(14))]
    assert effects[3:] == [c.ReadOutbox(14)], "15 came by the bus while the read was under way"
    connection, effects = run(connection, c.OutboxRead((event(15),), 15, 3))
    assert effects == [c.Deliver(event(15))]
    assert connection.sent == 15


def test_resync_reads_the_outbox_once() -> None:
    connection, effects = run(fresh(), c.Resync(), c.Resync())
    assert effects == [c.ReadOutbox(10)]
    assert run(connection, c.OutboxRead((), 10, 3))[0].catching_up is False


def test_a_match_that_overtakes_the_answer_to_its_join_waits_for_it() -> None:
    joining, effects = run(fresh(), c.Received(QueueJoin(QueueJoinData("duel", "local", "ranked", "1"))))
    assert effects == [c.JoinQueue(QueueJoinData("duel", "local", "ranked", "1"))]
    joining, effects = run(joining, c.Published(event(11)))
    assert effects == []
    _, effects = run(joining, c.Joined(PLACE, "1", 1, 2, NOW, None))
    assert isinstance(effects[0], c.Send)
    assert isinstance(effects[0].data, QueueJoinedData)
    assert effects[-1] == c.Deliver(event(11)), "it was kept"


def test_what_waits_for_the_answer_to_a_join_goes_out_in_order_and_what_is_missing_is_read() -> None:
    joining, _ = run(fresh(), c.Received(QueueJoin(QueueJoinData("duel", "local", "ranked", "1"))))
    refused = c.Refused(ErrorData("busy", "again"), join=True)
    waiting, _ = run(joining, c.Published(event(11)), c.Published(event(12)))
    connection, effects = run(waiting, refused)
    assert effects[1:] == [c.Deliver(event(11)), c.Deliver(event(12))]
    assert (connection.sent, connection.held) == (12, ())
    connection, effects = run(waiting, c.Published(event(14)), refused)
    assert effects[1:] == [c.Deliver(event(11)), c.Deliver(event(12)), c.ReadOutbox(12)], "13 was lost"
    connection, effects = run(waiting, c.Resync(), c.OutboxRead((event(11), event(12)), 12, 3), refused)
    assert effects == [c.ReadOutbox(10), c.Deliver(event(11)), c.Deliver(event(12)), c.Send(refused.error)], "each once"
    many = [c.Published(event(11 + i)) for i in range(c.HELD + 2)]
    connection, effects = run(joining, *many, refused)
    assert len(effects) == 1 + c.HELD + 1
    assert effects[-1] == c.ReadOutbox(10 + c.HELD), "no more than so many are kept"


def test_joined_tells_place_and_position() -> None:
    joining, _ = run(fresh(), c.Received(QueueJoin(QueueJoinData("duel", "local", "ranked", "1"))))
    connection, effects = run(joining, c.Joined(PLACE, "1", 4, 9, NOW - 2, 10.0))
    joined = QueueJoinedData("t1", "duel", "local", "ranked", "1")
    assert effects == [c.Send(joined), c.Send(QueueUpdateData("t1", "duel", "local", "ranked", 4, 9, 2.0, 8.0))]
    assert connection.waiting is not None
    assert connection.joining == 0


def test_updates_are_sent_when_something_changed_or_now_and_then() -> None:
    connection = fresh(waiting=c.Waiting(PLACE, NOW - 5))
    same = c.Looked("t1", 2, 3, None, None)
    connection, effects = run(connection, same, same)
    assert len(effects) == 1
    assert len(run(connection, c.Looked("t1", 1, 3, None, None))[1]) == 1
    assert len(run(connection, c.Looked("t1", 2, 3, None, Why("skill")))[1]) == 1
    assert len(c.step(connection, same, NOW + c.UPDATE_EVERY)[1]) == 1
    assert run(connection, c.Looked("t0", 1, 1, None, None), c.Looked("t1", 0, 1, None, None))[1] == []


def test_the_tickets_end_ends_the_waiting() -> None:
    for type_ in (MATCH_READY, TICKET_ENDED):
        connection, _ = run(fresh(waiting=c.Waiting(PLACE, NOW)), c.Published(event(11, type_)))
        assert connection.waiting is None


def test_acks_trim_but_never_ahead_of_what_was_sent() -> None:
    assert run(fresh(), c.Received(Ack(AckData(10))))[1] == [c.TrimOutbox(10)]
    (refused,) = run(fresh(), c.Received(Ack(AckData(11))))[1]
    assert isinstance(refused, c.Send)
    assert refused.data.code == "invalid_ack"


def test_bad_messages_are_forgiven_after_a_while() -> None:
    bad = c.Malformed("invalid_json", "no")
    connection, effects = run(fresh(), *[bad] * c.BAD_MESSAGES)
    assert len(effects) == c.BAD_MESSAGES
    assert c.step(connection, bad, NOW + c.BAD_WINDOW + 1)[1] != (c.Close(CloseCode.PROTOCOL_ABUSE),)
    assert c.step(connection, bad, NOW)[1] == (c.Close(CloseCode.PROTOCOL_ABUSE),)


def test_only_a_newer_generation_supersedes() -> None:
    assert run(fresh(), c.Superseded(3))[1] == []
    assert run(fresh(), c.Superseded(4))[1] == [c.Close(CloseCode.REPLACED)]


def test_leaving_is_asked_of_the_store() -> None:
    assert run(fresh(), c.Received(QueueLeave()))[1] == [c.LeaveQueue("")]


def test_every_close_code_says_what_to_do() -> None:
    assert set(MEANINGS) == set(CloseCode)


@given(st.lists(st.sampled_from(range(1, 9)), max_size=30), st.randoms(use_true_random=False))
def test_whatever_the_bus_loses_or_repeats_events_arrive_once_and_in_order(published: list[int], random: object) -> None:
    """The outbox has events 1 to 8; the bus brings any of them, in any order; reads answer at some later moment."""
    connection = fresh(sent=0)
    delivered: list[int] = []
    reads = 0

    def feed(each: c.Event) -> None:
        nonlocal connection, reads
        connection, effects = c.step(connection, each, NOW)
        for effect in effects:
            if isinstance(effect, c.Deliver):
                delivered.append(effect.event.seq)
            elif isinstance(effect, c.ReadOutbox):
                reads += 1

    highest = 0
    for seq in published:
        highest = max(highest, seq)
        feed(c.Published(event(seq)))
        if reads and random.random() < 0.5:  # type: ignore[attr-defined]
            reads -= 1
            feed(c.OutboxRead(tuple(event(n) for n in range(connection.sent + 1, highest + 1)), highest, 3))
    while reads:
        reads -= 1
        feed(c.OutboxRead(tuple(event(n) for n in range(connection.sent + 1, highest + 1)), highest, 3))
    assert delivered == list(range(1, highest + 1))
