"""What an address names: a queue (or its dead letters) that is kept on disk, and whoever waits there for a message.

Memory changes first and an answer waits for the disk; only a new message is seen by no one before it is stored. A
write that fails is answered with an error: memory is then ahead of the disk, and at worst a message comes once more.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol
from uuid import UUID

import structlog

from localcloud.journal import Full, Journal, Statement
from localcloud.servicebus.errors import Busy, NotImplementedHere
from localcloud.servicebus.message import Message, split
from localcloud.servicebus.performatives import Accepted, Modified, Outcome, Rejected
from localcloud.servicebus.queue import Entry, Queue

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS messages (
    queue      TEXT NOT NULL,
    number     INTEGER NOT NULL,
    enqueued   INTEGER NOT NULL,           -- milliseconds since the epoch
    deliveries INTEGER NOT NULL DEFAULT 0, -- how often it was handed out
    dead       INTEGER NOT NULL DEFAULT 0,
    content    BLOB NOT NULL,
    PRIMARY KEY (queue, number)
);
CREATE TABLE IF NOT EXISTS numbers (queue TEXT PRIMARY KEY, last INTEGER NOT NULL) -- outlives the messages
"""
STORE: Final = "INSERT INTO messages (queue, number, enqueued, content) VALUES (?, ?, ?, ?)"
NUMBER: Final = "INSERT INTO numbers VALUES (?, ?) ON CONFLICT DO UPDATE SET last = excluded.last"
COUNT: Final = "UPDATE messages SET deliveries = ? WHERE queue = ? AND number = ?"
BURY: Final = "UPDATE messages SET dead = 1, content = ? WHERE queue = ? AND number = ?"
REMOVE: Final = "DELETE FROM messages WHERE queue = ? AND number = ?"
LOAD: Final = "SELECT number, enqueued, deliveries, dead, content FROM messages WHERE queue = ? ORDER BY number"
LAST: Final = "SELECT last FROM numbers WHERE queue = ?"

log = structlog.get_logger()


class Consumer(Protocol):
    deletes: bool  # what it gets is not locked but gone

    @property
    def ready(self) -> bool: ...

    def reserve(self) -> None:
        """It will be given a message."""

    def deliver(self, entry: Entry, token: UUID) -> None: ...


class Entity:
    def __init__(
        self, name: str, queue: Queue, journal: Journal, *, clock: Callable[[], int], new_token: Callable[[], UUID]
    ) -> None:
        self.name, self.queue = name, queue
        self._journal, self._clock, self._new_token = journal, clock, new_token
        self._waiting = deque[Consumer]()
        self._timer: asyncio.TimerHandle | None = None
        self.dead_letters: Entity | None = None
        if queue.dead_letters:
            self.dead_letters = Entity(name, queue.dead_letters, journal, clock=clock, new_token=new_token)

    def load(self) -> None:
        """What was locked is active again: the delivery that it was locked for was counted then."""
        died = list[Entry | None]()
        for number, enqueued, deliveries, dead, content in self._journal.rows(LOAD, self.name):
            message = split(content)
            entry = Entry(number, enqueued, message, message.size, deliveries)
            queue = self.queue.dead_letters if dead and self.queue.dead_letters else self.queue
            died.append(queue.restore(entry))
        for (last,) in self._journal.rows(LAST, self.name):
            self.queue.last_number = last
        self._bury(*died)

    def close(self) -> None:
        for entity in filter(None, (self, self.dead_letters)):
            if entity._timer:
                entity._timer.cancel()

    def send(self, messages: Sequence[Message]) -> asyncio.Future[None]:
        """Done when they are on disk. Raises QueueFull."""
        entries = self.queue.accept(messages, self._clock())
        rows = [(STORE, (self.name, e.number, e.enqueued, e.message.encoded({}, 0))) for e in entries]
        done = self._write(*rows, (NUMBER, (self.name, self.queue.last_number)))
        done.add_done_callback(partial(self._stored, entries))
        return done

    def settle(self, token: UUID, outcome: Outcome) -> asyncio.Future[None]:
        """Done when it is on disk. Raises LockLost, or NotImplementedHere for a deferral."""
        match outcome:
            case Accepted():
                return self._write((REMOVE, (self.name, self.queue.remove(token, self._clock()).number)))
            case Rejected(error):
                return self._dead_letter(token, (error and error.info) or {})
            case Modified(undeliverable_here=True):
                raise NotImplementedHere("deferral")
            case Modified():
                return self._bury(self.queue.abandon(token, self._clock()))
            case _:
                return self._release(token)

    def renew(self, token: UUID) -> int:
        """Until when the lock holds, in milliseconds since the epoch. Raises LockLost."""
        return self.queue.renew(token, self._clock())

    def wait(self, consumer: Consumer) -> None:
        """It is given messages for as long as it is ready, in turn with others."""
        if consumer not in self._waiting:
            self._waiting.append(consumer)
        self._dispatch()

    def leave(self, consumer: Consumer) -> None:
        if consumer in self._waiting:
            self._waiting.remove(consumer)

    def _dead_letter(self, token: UUID, info: dict[str, object]) -> asyncio.Future[None]:
        reason, description = info.get("DeadLetterReason"), info.get("DeadLetterErrorDescription")
        entry = self.queue.dead_letter(
            token,
            self._clock(),
            reason=reason if isinstance(reason, str) else None,
            description=description if isinstance(description, str) else None,
        )
        return self._bury(entry)

    def _release(self, token: UUID) -> asyncio.Future[None]:
        entry = self.queue.release(token, self._clock())
        done = self._write((COUNT, (entry.deliveries, self.name, entry.number)))
        self._dispatch()
        return done

    def _bury(self, *dead: Entry | None) -> asyncio.Future[None]:
        """Nothing to write where none died: the count was written when the lock was given, and this waits for that."""
        rows = [(BURY, (e.message.encoded({}, 0), self.name, e.number)) for e in dead if e]
        done = self._write(*rows)
        self._dispatch()
        if rows and self.dead_letters:
            self.dead_letters._dispatch()
        return done

    def _stored(self, entries: list[Entry], done: asyncio.Future[None]) -> None:
        if done.exception():
            self.queue.withdraw(entries)
            return
        for entry in entries:
            self.queue.put(entry)
        self._dispatch()

    def _dispatch(self) -> None:
        counts: list[Statement] = []
        while self.queue.active and (consumer := self._next()):
            consumer.reserve()
            if consumer.deletes:
                self._hand_over(consumer)
                continue
            token = self._new_token()
            entry = self.queue.lock(token, self._clock())
            counts.append((COUNT, (entry.deliveries, self.name, entry.number)))
            consumer.deliver(entry, token)
        if counts:
            self._write(*counts)
            self._arm()

    def _next(self) -> Consumer | None:
        while self._waiting:
            consumer = self._waiting.popleft()
            if consumer.ready:
                self._waiting.append(consumer)
                return consumer
        return None

    def _hand_over(self, consumer: Consumer) -> None:
        """At most once: it is gone from disk before it is sent."""
        entry = self.queue.take()
        done = self._write((REMOVE, (self.name, entry.number)))
        done.add_done_callback(lambda done: None if done.exception() else consumer.deliver(entry, self._new_token()))

    def _arm(self) -> None:
        first = next(iter(self.queue.locked.values()), None)
        if self._timer is None and first and first.locked_until:
            seconds = max(first.locked_until - self._clock(), 1) / 1000
            self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._bury(*self.queue.expire(self._clock()))
        self._arm()

    def _write(self, *statements: Statement) -> asyncio.Future[None]:
        try:
            done = self._journal.write(*statements)
        except Full:
            done = asyncio.get_running_loop().create_future()
            done.set_exception(Busy())
        done.add_done_callback(partial(_report, self.name))
        return done


def _report(queue: str, done: asyncio.Future[None]) -> None:
    if error := done.exception():
        log.error("queue.not_written", queue=queue, reason=str(error))
