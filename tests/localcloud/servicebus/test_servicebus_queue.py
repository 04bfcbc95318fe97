"""The rules of a queue, at noon of any day."""

from uuid import UUID

import pytest

from localcloud.servicebus.errors import LockLost, NotAllowed, QueueFull
from localcloud.servicebus.message import Message, split
from localcloud.servicebus.queue import EXHAUSTED, Entry, Queue, Room

NOON = 1_780_315_200_000
LOCK_MS = 30_000
A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)


def message(body: bytes = b"body") -> Message:
    return split(b"\x00\x53\x75\xa0" + bytes([len(body)]) + body)


def queue(waiting: int = 0, *, deliveries: int = 2, room: Room | None = None) -> Queue:
    room = room or Room(10, 1_000)
    made = Queue(LOCK_MS, room, most_deliveries=deliveries, dead_letters=Queue(LOCK_MS, room))
    for entry in made.accept([message() for _ in range(waiting)], NOON):
        made.put(entry)
    return made


def numbers(of: Queue | None) -> list[int]:
    return [entry.number for entry in of.peek(0, 100)] if of else []


def test_messages_are_numbered_in_order_and_leave_in_order() -> None:
    full = queue(3)

    assert [full.lock(token, NOON).number for token in (A, B, C)] == [1, 2, 3]
    assert (full.active, len(full.locked)) == (0, 3)


def test_an_accepted_message_is_seen_by_nobody_before_it_is_put() -> None:
    empty = queue()

    empty.accept([message()], NOON)

    assert (empty.active, numbers(empty)) == (0, [])


def test_a_released_message_is_first_again_and_its_delivery_does_not_count() -> None:
    full = queue(2)
    full.lock(A, NOON)

    full.release(A, NOON)

    again = full.lock(B, NOON)
    assert (again.number, again.deliveries) == (1, 1)


def test_the_last_delivery_abandoned_is_a_dead_letter() -> None:
    full = queue(1)
    full.lock(A, NOON)
    assert full.abandon(A, NOON) is None
    full.lock(B, NOON)

    dead = full.abandon(B, NOON)

    assert dead and EXHAUSTED.encode() in dead.message.bare
    assert (numbers(full), numbers(full.dead_letters)) == ([], [1])


def test_a_lock_ends_when_its_time_is_over_and_not_before() -> None:
    full = queue(2)
    full.lock(A, NOON)
    full.lock(B, NOON + 1)

    assert full.expire(NOON + LOCK_MS - 1) == []
    assert len(full.locked) == 2
    full.expire(NOON + LOCK_MS)

    assert list(full.locked) == [B]
    assert full.active == 1


def test_expiry_raises_the_count_and_buries_what_was_delivered_too_often() -> None:
    full = queue(1)
    full.lock(A, NOON)
    assert full.expire(NOON + LOCK_MS) == []
    assert full.lock(B, NOON + LOCK_MS).deliveries == 2

    (dead,) = full.expire(NOON + 2 * LOCK_MS)

    assert (dead.number, numbers(full), numbers(full.dead_letters)) == (1, [], [1])


def test_a_renewed_lock_starts_anew_and_no_longer_expires_first() -> None:
    full = queue(2)
    full.lock(A, NOON)
    full.lock(B, NOON)

    assert full.renew(A, NOON + 5) == NOON + 5 + LOCK_MS
    full.expire(NOON + LOCK_MS)

    assert list(full.locked) == [A]


def test_nothing_is_done_with_a_lock_that_is_over() -> None:
    full = queue(1)
    full.lock(A, NOON)
    late = NOON + LOCK_MS

    for act in (full.renew, full.remove, full.release, full.abandon):
        with pytest.raises(LockLost):
            act(A, late)
        with pytest.raises(LockLost):
            act(B, NOON)
    with pytest.raises(LockLost):
        full.dead_letter(A, late, reason=None, description=None)


def test_dead_letters_wait_for_ever_and_have_none_of_their_own() -> None:
    full = queue(1)
    full.lock(A, NOON)
    full.dead_letter(A, NOON, reason="r", description=None)
    dead_letters = full.dead_letters
    assert dead_letters

    for _ in range(5):
        dead_letters.lock(B, NOON)
        dead_letters.abandon(B, NOON)

    dead_letters.lock(C, NOON)
    with pytest.raises(NotAllowed):
        dead_letters.dead_letter(C, NOON, reason=None, description=None)
    assert numbers(dead_letters) == [1]
    assert list(dead_letters.locked) == [C]


def test_room_is_taken_by_all_or_none_and_given_back_when_they_leave() -> None:
    full = queue(2, room=Room(3, 1_000))
    with pytest.raises(QueueFull):
        full.accept([message(), message()], NOON)
    full.lock(A, NOON)
    full.dead_letter(A, NOON, reason="it is longer now", description="and stays within its room")
    full.accept([message()], NOON)
    with pytest.raises(QueueFull):
        full.accept([message()], NOON)

    full.take()

    assert [entry.number for entry in full.accept([message()], NOON)] == [4]


def test_room_is_counted_in_bytes_too() -> None:
    with pytest.raises(QueueFull):
        queue(2, room=Room(10, 15))


def test_what_could_not_be_stored_gives_its_room_back() -> None:
    full = queue(room=Room(1, 1_000))

    full.withdraw(full.accept([message()], NOON))

    assert full.accept([message()], NOON)


def test_what_is_restored_keeps_its_number_and_is_dead_if_it_was_delivered_too_often() -> None:
    full = queue()

    full.restore(Entry(7, NOON, message(), 9, deliveries=1))
    dead = full.restore(Entry(8, NOON, message(), 9, deliveries=2))

    assert dead and (numbers(full), numbers(full.dead_letters)) == ([7], [8])
    assert full.accept([message()], NOON)[0].number == 9


def test_peeking_starts_anywhere_and_shows_what_is_locked() -> None:
    full = queue(4)
    full.lock(A, NOON)

    assert [entry.number for entry in full.peek(0, 2)] == [1, 2]
    assert [entry.number for entry in full.peek(3, 9)] == [3, 4]
