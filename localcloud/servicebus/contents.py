"""What messages say: in memory as far as there is room, on disk anyway. So a long queue costs little memory."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from localcloud.journal import Journal, when_done
from localcloud.servicebus.entry import Entry
from localcloud.servicebus.ledger import CONTENT
from localcloud.servicebus.message import Message, split

PAGE: Final = 32  # messages that are read at once: those that come next, too
OVERHEAD: Final = 400  # bytes of a message in memory, beside its content


@dataclass(slots=True)
class Memory:
    """What all queues share."""

    free: int  # bytes

    def offer(self, entry: Entry, message: Message) -> None:
        if entry.message is None and self.free >= entry.size + OVERHEAD:
            self.free -= entry.size + OVERHEAD
            entry.message = message

    def give_back(self, entry: Entry) -> None:
        if entry.message is not None:
            self.free += entry.size + OVERHEAD
            entry.message = None


@dataclass(slots=True)
class Contents:
    """Of the messages of one entity, its dead letters included."""

    entity: str
    journal: Journal
    memory: Memory
    _unwritten: dict[int, Message] = field(default_factory=dict)  # by number: on disk it is another one, or none

    def of(self, entry: Entry, neighbours: Mapping[int, Entry]) -> Message:
        known = entry.message or self._unwritten.get(entry.number)
        return known or self._read(entry, neighbours)

    def change(self, entry: Entry, message: Message, done: asyncio.Future[None]) -> None:
        """It is on disk when that is done."""
        self.memory.give_back(entry)
        self._unwritten[entry.number] = message
        when_done(done, partial(self._written, entry.number, message))

    def forget(self, entry: Entry) -> None:
        self.memory.give_back(entry)

    def _written(self, number: int, message: Message, error: BaseException | None) -> None:
        if error is None and self._unwritten.get(number) is message:
            del self._unwritten[number]

    def _read(self, entry: Entry, neighbours: Mapping[int, Entry]) -> Message:
        most = PAGE if self.memory.free > PAGE * entry.size else 1
        rows: list[tuple[int, Any]] = self.journal.rows(CONTENT, self.entity, entry.number, most)
        message = split(rows[0][1])
        for number, content in rows[1:]:
            other = neighbours.get(number)
            if other and other.message is None and number not in self._unwritten:
                self.memory.offer(other, split(content))
        return message
