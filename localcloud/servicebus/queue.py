"""The queue aggregate: what waits, what is locked until when, what is dead. No clock and no disk in here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush, nsmallest
from itertools import takewhile
from typing import Final
from uuid import UUID

from localcloud.servicebus.encoding import Int, Symbol, Timestamp
from localcloud.servicebus.errors import LockLost, NotAllowed, QueueFull
from localcloud.servicebus.message import Message

EXHAUSTED: Final = "MaxDeliveryCountExceeded"
ACTIVE: Final = Int(0)  # x-opt-message-state
SEQUENCE_NUMBER, ENQUEUED = Symbol("x-opt-sequence-number"), Symbol("x-opt-enqueued-time")
LOCKED_UNTIL, STATE = Symbol("x-opt-locked-until"), Symbol("x-opt-message-state")


@dataclass(slots=True, eq=False)
class Entry:
    """A message in its queue. Times are in milliseconds since the epoch."""

    number: int
    enqueued: int
    message: Message
    size: int  # bytes; the sender's part
    deliveries: int = 0  # how often it was handed out
    locked_until: int | None = None

    def lock_is_over(self, at: int) -> bool:
        return self.locked_until is None or self.locked_until <= at

    def encoded(self) -> bytes:
        """As a receiver gets it. The delivery under way is not yet counted."""
        own = {SEQUENCE_NUMBER: self.number, ENQUEUED: Timestamp(self.enqueued), STATE: ACTIVE}
        if self.locked_until is None:
            return self.message.encoded(own, self.deliveries)
        return self.message.encoded(own | {LOCKED_UNTIL: Timestamp(self.locked_until)}, self.deliveries - 1)


@dataclass(slots=True)
class Room:
    """What a queue may hold, its dead letters included."""

    messages: int
    bytes: int

    def take(self, entries: Sequence[Entry]) -> None:
        """All or none. Raises QueueFull."""
        size = sum(entry.size for entry in entries)
        if len(entries) > self.messages or size > self.bytes:
            raise QueueFull
        self.messages, self.bytes = self.messages - len(entries), self.bytes - size

    def give_back(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.messages, self.bytes = self.messages + 1, self.bytes + entry.size


@dataclass(slots=True)
class Queue:
    lock_ms: int
    room: Room
    most_deliveries: int = 0
    dead_letters: "Queue | None" = None  # without, messages are delivered for ever
    last_number: int = 0
    entries: dict[int, Entry] = field(default_factory=dict)
    locked: dict[UUID, Entry] = field(default_factory=dict)  # the one that expires first is the first
    _active: list[int] = field(default_factory=list)  # a heap: the lowest number goes first

    def accept(self, messages: Iterable[Message], at: int) -> list[Entry]:
        """Gives them numbers and room; nobody sees them before `put`. Raises QueueFull."""
        numbered = enumerate(messages, start=self.last_number + 1)
        entries = [Entry(number, at, message, message.size) for number, message in numbered]
        self.room.take(entries)
        self.last_number += len(entries)
        return entries

    def restore(self, entry: Entry) -> Entry | None:
        """From disk, in order; as `recover`."""
        self.room.messages, self.room.bytes = self.room.messages - 1, self.room.bytes - entry.size
        self.last_number = max(self.last_number, entry.number)
        self.entries[entry.number] = entry
        return self.recover(entry)

    def withdraw(self, entries: Iterable[Entry]) -> None:
        """They were accepted, but could not be stored."""
        self.room.give_back(entries)

    def put(self, entry: Entry) -> None:
        self.entries[entry.number] = entry
        heappush(self._active, entry.number)

    @property
    def active(self) -> int:
        return len(self._active)

    def lock(self, token: UUID, at: int) -> Entry:
        """The first active message. There must be one."""
        entry = self.entries[heappop(self._active)]
        entry.deliveries += 1
        entry.locked_until = at + self.lock_ms
        self.locked[token] = entry
        return entry

    def renew(self, token: UUID, at: int) -> int:
        """Until when the lock holds now. Raises LockLost."""
        entry = self.locked[token] = self._unlock(token, at)
        entry.locked_until = at + self.lock_ms
        return entry.locked_until

    def remove(self, token: UUID, at: int) -> Entry:
        """Complete. Raises LockLost."""
        entry = self._unlock(token, at)
        del self.entries[entry.number]
        self.room.give_back([entry])
        return entry

    def take(self) -> Entry:
        """The first active message, delivered and removed at once. There must be one."""
        entry = self.entries.pop(heappop(self._active))
        self.room.give_back([entry])
        return entry

    def release(self, token: UUID, at: int) -> Entry:
        """Active again, and the delivery does not count. Raises LockLost."""
        entry = self._unlock(token, at)
        entry.deliveries -= 1
        heappush(self._active, entry.number)
        return entry

    def abandon(self, token: UUID, at: int) -> Entry | None:
        """Active again; the entry if it is now dead, that having been its last delivery. Raises LockLost."""
        return self.recover(self._unlock(token, at))

    def expire(self, at: int) -> list[Entry]:
        """Takes back what was locked for too long; those of it that are now dead."""
        late = list(takewhile(lambda lock: lock[1].lock_is_over(at), self.locked.items()))
        for token, _ in late:
            del self.locked[token]
        return [dead for _, entry in late if (dead := self.recover(entry))]

    def recover(self, entry: Entry) -> Entry | None:
        """As `abandon`, for one that nobody holds."""
        entry.locked_until = None
        if self.dead_letters is None or entry.deliveries < self.most_deliveries:
            heappush(self._active, entry.number)
            return None
        description = f"Message could not be consumed after {self.most_deliveries} delivery attempts."
        return self._bury(entry, self.dead_letters, EXHAUSTED, description)

    def dead_letter(self, token: UUID, at: int, *, reason: str | None, description: str | None) -> Entry:
        """Raises LockLost, or NotAllowed among the dead letters themselves."""
        if self.dead_letters is None:
            raise NotAllowed("these are dead letters already")
        return self._bury(self._unlock(token, at), self.dead_letters, reason, description)

    def peek(self, start: int, most: int) -> list[Entry]:
        """In the order of their numbers, locked or not."""
        return [self.entries[number] for number in nsmallest(most, (n for n in self.entries if n >= start))]

    def _unlock(self, token: UUID, at: int) -> Entry:
        entry = self.locked.get(token)
        if entry is None or entry.lock_is_over(at):
            raise LockLost
        del self.locked[token]
        entry.locked_until = None
        return entry

    def _bury(self, entry: Entry, where: "Queue", reason: str | None, description: str | None) -> Entry:
        del self.entries[entry.number]
        entry.message = entry.message.dead_lettered(reason, description)
        where.put(entry)
        return entry
