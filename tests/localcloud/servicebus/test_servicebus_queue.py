"""The rules of a queue, at noon of any day."""

import pytest

from localcloud.servicebus.entry import Entry, State
from localcloud.servicebus.errors import LockLost, MessageNotFound, QueueFull, SessionLockLost
from localcloud.servicebus.queue import SLACK, Queue, Room

NOON = 1_780_315_200_000
LOCK_MS = 30_000
A, B, C = b"A", b"B", b"C"


def queue(waiting: int = 0, *, deliveries: int = 2, sessions: bool = False) -> Queue:
    made = Queue(LOCK_MS, Room(10_000, 1_000_000), most_deliveries=deliveries, sessions=sessions)
    for _ in range(waiting):
        put(made)
    return made


def put(into: Queue, *, expires: int | None = None, session: str | None = None, state: State = State.ACTIVE) -> Entry:
    entry = Entry(into.next_number(), NOON, 10, state=state, expires=expires, session=session)
    into.room.take(entry)
    into.put(entry)
    return entry


def lock(of: Queue, token: bytes, at: int = NOON, session: str | None = None) -> Entry:
    of.first(of.lane(session))
    return of.lock_first(of.lane(session), token, at)


def numbers(of: Queue) -> list[int]:
    return [entry.number for entry in of.peek(0, 100)]


def rung(of: Queue, at: int) -> list[int]:
    return [entry.number for entry in of.rung(at, 100)]


def test_messages_are_numbered_in_order_and_leave_in_order() -> None:
    full = queue(3)

    assert [lock(full, token).number for token in (A, B, C)] == [1, 2, 3]
    assert (full.active, len(full.locked)) == (0, 3)


def test_what_is_given_back_is_first_again() -> None:
    full = queue(2)
    entry = lock(full, A)

    full.unlock(entry)
    full.put(entry)

    again = lock(full, B)
    assert (again.number, again.deliveries, full.active) == (1, 2, 1)


def test_what_was_delivered_too_often_is_exhausted_and_dead_letters_never_are() -> None:
    full, dead = queue(1, deliveries=1), queue(1, deliveries=0)

    assert full.is_exhausted(lock(full, A))
    assert not dead.is_exhausted(lock(dead, A))


def test_a_lock_ends_when_its_time_is_over_and_not_before() -> None:
    full = queue(2)
    lock(full, A)
    lock(full, B, NOON + 1)

    assert rung(full, NOON + LOCK_MS - 1) == []
    assert rung(full, NOON + LOCK_MS) == [1]
    assert full.next_alarm == NOON + 1 + LOCK_MS


def test_a_renewed_lock_starts_anew_and_rings_no_more_at_its_old_time() -> None:
    full = queue(1)
    lock(full, A)

    assert full.renew(A, NOON + 5) == NOON + 5 + LOCK_MS

    assert rung(full, NOON + LOCK_MS) == []
    assert rung(full, NOON + LOCK_MS + 5) == [1]


def test_nothing_is_done_with_a_lock_that_is_over() -> None:
    full = queue(1)
    lock(full, A)

    for act in (full.holding, full.renew):
        with pytest.raises(LockLost):
            act(A, NOON + LOCK_MS)
        with pytest.raises(LockLost):
            act(B, NOON)


def test_what_expires_rings_at_its_time_but_not_while_it_is_locked() -> None:
    full = queue()
    put(full, expires=NOON + 10)
    put(full, expires=NOON + 20)
    lock(full, A)

    assert rung(full, NOON + 20) == [2]
    assert rung(full, NOON + LOCK_MS) == [1]


def test_what_is_scheduled_rings_when_it_is_due_and_is_not_delivered_before() -> None:
    full = queue()
    entry = put(full, state=State.SCHEDULED)

    assert full.active == 0
    assert rung(full, NOON) == [entry.number]


def test_a_parked_message_is_found_by_its_number_while_nobody_holds_it() -> None:
    full = queue()
    entry = put(full, state=State.DEFERRED)

    assert full.parked(1, State.DEFERRED) is entry
    full.lock(entry, A, NOON)

    for number, state in ((1, State.DEFERRED), (1, State.SCHEDULED), (2, State.DEFERRED)):
        with pytest.raises(MessageNotFound):
            full.parked(number, state)


@pytest.mark.parametrize("room", [Room(2, 1_000), Room(1_000, 25)], ids=["messages", "bytes"])
def test_room_is_taken_and_given_back_when_they_leave(room: Room) -> None:
    full = Queue(LOCK_MS, room, most_deliveries=1)
    first, second, third = (Entry(number, NOON, 10) for number in (1, 2, 3))
    room.take(first)
    room.take(second)
    full.put(first)
    with pytest.raises(QueueFull):
        room.take(third)

    full.remove(first)

    room.take(third)
    assert 0 in (room.messages, room.bytes - 5)


def test_what_leaves_from_the_middle_is_not_delivered() -> None:
    full = queue(3)

    full.remove(full.entries[2])

    assert [lock(full, token).number for token in (A, B)] == [1, 3]
    assert full.active == 0


def test_the_places_of_what_has_left_are_given_up() -> None:
    full = queue(1)

    for _ in range(3 * SLACK):
        full.remove(put(full, expires=NOON + 1))

    assert len(full.lane(None).active) <= SLACK + 3
    assert len(full._alarms) <= SLACK + 3


def test_peeking_starts_anywhere_and_shows_what_is_locked() -> None:
    full = queue(4)
    lock(full, A)

    assert [entry.number for entry in full.peek(0, 2)] == [1, 2]
    assert [entry.number for entry in full.peek(3, 9)] == [3, 4]


def test_dead_letters_are_peeked_in_the_order_of_their_numbers() -> None:
    dead = queue(deliveries=0)

    for number in (5, 2, 9):
        dead.put(Entry(number, NOON, 10))

    assert numbers(dead) == [2, 5, 9]


def test_sessions_are_lanes_and_their_messages_are_locked_with_them() -> None:
    full = queue(sessions=True)
    put(full, session="a")
    put(full, session="b")
    lane = full.lane("b")
    full.hold(lane, NOON)

    entry = lock(full, A, session="b")

    assert (entry.number, entry.locked_until, full.holding(A, NOON)) == (2, None, entry)
    with pytest.raises(SessionLockLost):
        full.holding(A, NOON + LOCK_MS)
    assert full.next_alarm == NOON + LOCK_MS
    assert full.let_go(lane) == [entry]


def test_a_session_without_anything_is_forgotten() -> None:
    full = queue(sessions=True)
    lane = full.lane("a")
    full.hold(lane, NOON)
    full.forget_if_empty(lane)
    assert "a" in full.lanes

    full.let_go(lane)
    full.forget_if_empty(lane)

    assert full.lanes == {}
