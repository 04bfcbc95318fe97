"""The queue aggregate: what waits, what is locked until when, which session is held. No clock and no disk in here."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, nsmallest
from itertools import islice
from typing import Final

from localcloud.servicebus.entry import Entry, State
from localcloud.servicebus.errors import LockLost, MessageNotFound, QueueFull, SessionLockLost
from localcloud.servicebus.lanes import Lane

SLACK: Final = 1_024  # stale places that a heap may hold before it is made anew


@dataclass(slots=True)
class Room:
    """What a queue may hold, its dead letters included."""

    messages: int
    bytes: int

    def take(self, entry: Entry) -> None:
        """Raises QueueFull."""
        if self.messages < 1 or self.bytes < entry.size:
            raise QueueFull
        self.messages, self.bytes = self.messages - 1, self.bytes - entry.size

    def give_back(self, entry: Entry) -> None:
        self.messages, self.bytes = self.messages + 1, self.bytes + entry.size


@dataclass(slots=True)
class Queue:
    lock_ms: int
    room: Room
    most_deliveries: int = 0  # 0: delivered for ever, as dead letters are
    sessions: bool = False
    last_number: int = 0
    reserved: int = 0  # numbers up to this one are not given again, on disk
    entries: dict[int, Entry] = field(default_factory=dict)
    locked: dict[bytes, Entry] = field(default_factory=dict)
    lanes: dict[str | None, Lane] = field(default_factory=dict)
    held: dict[str | None, Lane] = field(default_factory=dict)  # sessions that have a receiver
    active: int = 0
    _alarms: list[tuple[int, int]] = field(default_factory=list)  # a heap of times and numbers; stale ones too
    _alarms_kept: int = 0

    def next_number(self) -> int:
        self.last_number += 1
        return self.last_number

    def lane(self, session: str | None) -> Lane:
        key = session if self.sessions else None
        if (lane := self.lanes.get(key)) is None:
            lane = self.lanes[key] = Lane(key)
        return lane

    def put(self, entry: Entry) -> None:
        """One that nobody holds; by its state it waits to be received, or for its time."""
        self.entries[entry.number] = entry
        if entry.state == State.ACTIVE:
            lane = self.lane(entry.session)
            heappush(lane.active, entry.number)
            lane.count, self.active = lane.count + 1, self.active + 1
        self._ring(entry)

    def first(self, lane: Lane) -> Entry:
        """The active message that is next: to be taken or locked, or to be left where it is. There must be one."""
        while not self._waits(lane.active[0]):
            heappop(lane.active)
        return self.entries[lane.active[0]]

    def take(self, lane: Lane) -> Entry:
        """What `first` has told, delivered and removed at once."""
        entry = self.entries.pop(heappop(lane.active))
        self._left(lane)
        self.room.give_back(entry)
        return entry

    def lock_first(self, lane: Lane, token: bytes, at: int) -> Entry:
        """What `first` has told."""
        entry = self.entries[heappop(lane.active)]
        self._left(lane)
        return self.lock(entry, token, at)

    def lock(self, entry: Entry, token: bytes, at: int) -> Entry:
        """Its lock is that of its session, where it has one."""
        self.locked[token] = entry
        entry.deliveries += 1
        entry.token, entry.locked_until = token, None if self.sessions else at + self.lock_ms
        self._ring(entry)
        return entry

    def renew(self, token: bytes, at: int) -> int:
        """Until when the lock holds now. Raises LockLost or SessionLockLost."""
        entry = self.holding(token, at)
        if entry.locked_until is None:
            raise SessionLockLost("messages of a session are locked with it: renew that")
        entry.locked_until = at + self.lock_ms
        self._ring(entry)
        return entry.locked_until

    def holding(self, token: bytes, at: int) -> Entry:
        """What the token locks. Raises LockLost or SessionLockLost."""
        entry = self.locked.get(token)
        if self.sessions and (entry is None or not self.lane(entry.session).is_held(at)):
            raise SessionLockLost
        if entry is None or (entry.locked_until is not None and entry.locked_until <= at):
            raise LockLost
        return entry

    def unlock(self, entry: Entry) -> None:
        if entry.token:
            del self.locked[entry.token]
        entry.token = entry.locked_until = None

    def is_exhausted(self, entry: Entry) -> bool:
        return 0 < self.most_deliveries <= entry.deliveries

    def leave(self, entry: Entry) -> None:
        """For another place, that shares the room or takes some of its own."""
        waits = entry.token is None and entry.state == State.ACTIVE
        self.unlock(entry)
        del self.entries[entry.number]
        if waits:
            self._left(self.lane(entry.session))

    def remove(self, entry: Entry) -> None:
        self.leave(entry)
        self.room.give_back(entry)

    def parked(self, number: int, state: State) -> Entry:
        """A deferred or a scheduled one that nobody holds. Raises MessageNotFound."""
        entry = self.entries.get(number)
        if entry is None or entry.state != state or entry.token:
            raise MessageNotFound(number)
        return entry

    def peek(self, start: int, most: int, session: str | None = None) -> list[Entry]:
        """In the order of their numbers, locked or not; of one session, or of all."""
        numbers = (n for n, e in self.entries.items() if n >= start and (session is None or e.session == session))
        chosen = islice(numbers, most) if self.most_deliveries else nsmallest(most, numbers)  # the dead came unordered
        return [self.entries[number] for number in chosen]

    # --- sessions -----------------------------------------------------------------------------------------------------

    def hold(self, lane: Lane, at: int) -> int:
        """Until when its receiver has it."""
        self.held[lane.session] = lane
        lane.held_until = at + self.lock_ms
        return lane.held_until

    def let_go(self, lane: Lane) -> list[Entry]:
        """What is locked there; that is to be dealt with."""
        self.held.pop(lane.session, None)
        lane.held_until = None
        return [entry for entry in self.locked.values() if entry.session == lane.session]

    def forget_if_empty(self, lane: Lane) -> None:
        if self.sessions and lane.is_forgettable:
            self.lanes.pop(lane.session, None)

    # --- time ---------------------------------------------------------------------------------------------------------

    @property
    def next_alarm(self) -> int | None:
        first = self._alarms[0][0] if self._alarms else None
        if not self.held:
            return first
        held = [lane.held_until for lane in self.held.values() if lane.held_until is not None]
        return min(held if first is None else [first, *held], default=None)

    def rung(self, at: int, most: int) -> Iterator[Entry]:
        """Whose lock is over, who is due, who has expired: each is dealt with before the next is asked for."""
        while most and self._alarms and self._alarms[0][0] <= at:
            _, number = heappop(self._alarms)
            entry = self.entries.get(number)
            if entry and (alarm := entry.alarm) is not None and alarm <= at:
                most -= 1
                yield entry

    def postpone(self, entry: Entry, until: int) -> None:
        entry.enqueued = until
        self._ring(entry)

    def _ring(self, entry: Entry) -> None:
        if (alarm := entry.alarm) is None:
            return
        heappush(self._alarms, (alarm, entry.number))
        if len(self._alarms) > 2 * self._alarms_kept + SLACK:
            self._alarms = [(when, e.number) for e in self.entries.values() if (when := e.alarm) is not None]
            heapify(self._alarms)
            self._alarms_kept = len(self._alarms)

    # --- places -------------------------------------------------------------------------------------------------------

    def _waits(self, number: int) -> bool:
        entry = self.entries.get(number)
        return entry is not None and entry.token is None and entry.state == State.ACTIVE

    def _left(self, lane: Lane) -> None:
        lane.count, self.active = lane.count - 1, self.active - 1
        if len(lane.active) > 2 * lane.count + SLACK:
            lane.active = [number for number in lane.active if self._waits(number)]
            heapify(lane.active)
