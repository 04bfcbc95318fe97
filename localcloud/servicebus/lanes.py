"""A lane: what is delivered in order. A queue is one; where it requires sessions, each session is one."""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from localcloud.servicebus.errors import Refused


class Consumer(Protocol):
    deletes: bool  # what it gets is not locked but gone
    lane: "Lane"

    @property
    def ready(self) -> bool: ...

    def reserve(self) -> None:
        """It will be given a message."""

    def deliver(self, encoded: bytes, token: bytes) -> None: ...

    def dismiss(self, why: Refused) -> None:
        """It gets no more: its entity or its session is gone."""


@dataclass(slots=True, eq=False)
class Lane:
    session: str | None
    active: list[int] = field(default_factory=list)  # a heap: the lowest number goes first; stale ones too
    count: int = 0  # of those that are not stale
    held_until: int | None = None  # a session's lock, in milliseconds since the epoch
    state: bytes | None = None  # what a session's receivers keep there
    updated: int = 0  # when the state was
    waiting: deque[Consumer] = field(default_factory=deque)

    def is_held(self, at: int) -> bool:
        return self.held_until is not None and at < self.held_until

    @property
    def is_forgettable(self) -> bool:
        return not (self.count or self.held_until or self.waiting or self.state is not None)

    def next_consumer(self) -> Consumer | None:
        """In turn."""
        while self.waiting:
            consumer = self.waiting.popleft()
            if consumer.ready:
                self.waiting.append(consumer)
                return consumer
        return None
