"""The message ids that a queue has seen lately, so that what is sent twice is kept once."""

from dataclasses import dataclass, field
from typing import Final

from localcloud.journal import Statement
from localcloud.servicebus import ledger
from localcloud.servicebus.errors import Busy

MOST: Final = 1_000_000
TIDY_MS: Final = 10_000  # between two deletions of what is too old, on disk


@dataclass(slots=True)
class Remembrance:
    entity: str
    window_ms: int
    seen: dict[str, int] = field(default_factory=dict)  # by id, when; the oldest first
    _tidied: int = 0

    def is_new(self, message_id: str, at: int) -> bool:
        """It is known from now on. Raises Busy where there is no room for it."""
        while self.seen and next(iter(self.seen.values())) <= at - self.window_ms:
            del self.seen[next(iter(self.seen))]
        if message_id in self.seen:
            return False
        if len(self.seen) >= MOST:
            raise Busy("too many message ids within the window")
        self.seen[message_id] = at
        return True

    def statements(self, message_id: str, at: int) -> list[Statement]:
        remembered = ledger.remembered(self.entity, message_id, at)
        if at - self._tidied < TIDY_MS:
            return [remembered]
        self._tidied = at
        return [remembered, ledger.forgotten(self.entity, at - self.window_ms)]

    def forget(self, message_id: str) -> None:
        self.seen.pop(message_id, None)
