"""What is still to be delivered, and what never will be: on disk, one row for each event and subscription.

Times are seconds since 1970. The disk is the only queue: whoever delivers asks for the next few rows.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from localcloud.journal import Journal

SCHEMA = """
CREATE TABLE IF NOT EXISTS pending (
    id           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
    subscription TEXT NOT NULL,
    message_id   TEXT NOT NULL,                     -- the same at every attempt
    event        BLOB NOT NULL,                     -- as published
    since        REAL NOT NULL,                     -- its time to live runs from here
    due          REAL NOT NULL,                     -- the next attempt
    retry        INTEGER NOT NULL DEFAULT 0,        -- 1: tried before
    attempts     INTEGER NOT NULL DEFAULT 0,        -- since it was published or redriven
    redrives     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS pending_by_due ON pending (subscription, retry, due);
CREATE TABLE IF NOT EXISTS dead (
    id           INTEGER PRIMARY KEY,
    subscription TEXT NOT NULL,
    message_id   TEXT NOT NULL,
    event        BLOB NOT NULL,
    attempts     INTEGER NOT NULL,
    redrives     INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    outcome      TEXT NOT NULL, -- of the last attempt
    died         REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS dead_by_subscription ON dead (subscription);
"""
ADD = "INSERT INTO pending (subscription, message_id, event, since, due) VALUES (?1, ?2, ?3, ?4, ?4)"
EARLIEST = """
SELECT id, message_id, event, since, due, attempts, redrives FROM pending
WHERE subscription = ? AND retry = ? ORDER BY due LIMIT ?
"""
REMOVE = "DELETE FROM pending WHERE id = ?"
POSTPONE = "UPDATE pending SET retry = 1, since = ?, due = ?, attempts = ?, redrives = ? WHERE id = ?"
BURY = """
INSERT INTO dead (subscription, message_id, event, attempts, redrives, reason, outcome, died)
SELECT subscription, message_id, event, ?, redrives, ?, ?, ? FROM pending WHERE id = ?
"""
REVIVE = """
INSERT INTO pending (subscription, message_id, event, since, due, retry)
SELECT subscription, message_id, event, ?1, ?1, 1 FROM dead WHERE subscription = ?2 ORDER BY id
"""
FORGET = "DELETE FROM dead WHERE subscription = ?"
COUNT_PENDING = "SELECT subscription, count(*) FROM pending GROUP BY subscription"
COUNT_DEAD = "SELECT subscription, count(*) FROM dead GROUP BY subscription"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one subscription."""

    id: int
    message_id: str
    event: bytes
    since: float
    due: float
    attempts: int
    redrives: int


@dataclass(frozen=True, slots=True)
class Pending:
    """Each change is done when it is on disk; changes are made in the order of the calls."""

    journal: Journal

    def add(self, rows: Iterable[tuple[str, str, bytes]], at: float) -> asyncio.Future[None]:
        """Rows of subscription, message id and event."""
        return self.journal.write(*((ADD, (*row, at)) for row in rows))

    async def earliest(self, subscription: str, *, retry: bool, limit: int) -> list[Delivery]:
        return [Delivery(*row) for row in await self.journal.read(EARLIEST, subscription, retry, limit)]

    def remove(self, delivery: Delivery) -> asyncio.Future[None]:
        return self.journal.write((REMOVE, (delivery.id,)))

    def postpone(self, to: Delivery) -> asyncio.Future[None]:
        return self.journal.write((POSTPONE, (to.since, to.due, to.attempts, to.redrives, to.id)))

    def bury(self, delivery: Delivery, reason: str, outcome: str, at: float) -> asyncio.Future[None]:
        copy = (BURY, (delivery.attempts, reason, outcome, at, delivery.id))
        return self.journal.write(copy, (REMOVE, (delivery.id,)))

    def revive(self, subscription: str, at: float) -> asyncio.Future[None]:
        """Puts all that is dead back, to be tried at once and as if for the first time."""
        return self.journal.write((REVIVE, (at, subscription)), (FORGET, (subscription,)))

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """How many are pending and how many are dead, by subscription. Blocks: for the start."""
        return dict(self.journal.rows(COUNT_PENDING)), dict(self.journal.rows(COUNT_DEAD))
