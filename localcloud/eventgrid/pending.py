"""What is still to be delivered, and what never will be and is on its way to storage: on disk, one row for each.

Times are seconds since 1970. The disk is the only queue: whoever delivers asks for the next few rows.
"""

import asyncio
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from localcloud.journal import Full, Journal

UNKEPT: Final = (sqlite3.Error, Full)  # the disk is full, or another program holds the file

SCHEMA = """
CREATE TABLE IF NOT EXISTS pending (
    id           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
    subscription TEXT NOT NULL,
    message_id   TEXT NOT NULL,                     -- the same at every attempt
    event        BLOB NOT NULL,                     -- as published
    since        REAL NOT NULL,                     -- its time to live runs from here
    due          REAL NOT NULL,                     -- the next attempt
    retry        INTEGER NOT NULL DEFAULT 0,        -- 1: tried before
    attempts     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS pending_by_due ON pending (subscription, retry, due);
CREATE TABLE IF NOT EXISTS failures (               -- of each that is pending the last attempt, which failed
    id           INTEGER PRIMARY KEY,
    outcome      TEXT NOT NULL,
    status       INTEGER,
    at           REAL NOT NULL
);
CREATE TRIGGER IF NOT EXISTS forget AFTER DELETE ON pending BEGIN DELETE FROM failures WHERE id = OLD.id; END;
CREATE TABLE IF NOT EXISTS burials (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    blob         TEXT NOT NULL,                     -- the name it gets, the same at every attempt
    content      BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS validated (
    subscription TEXT PRIMARY KEY,
    endpoint     TEXT NOT NULL                      -- that has said it wants the events
);
"""
ADD = "INSERT INTO pending (subscription, message_id, event, since, due) VALUES (?1, ?2, ?3, ?4, ?4)"
EARLIEST = """
SELECT id, message_id, event, since, due, attempts FROM pending
WHERE subscription = ? AND retry = ? ORDER BY due LIMIT ?
"""
# As many as come to so many bytes, and one at least.
TOGETHER = """
SELECT id, message_id, event, since, due, attempts FROM (
    SELECT *, sum(length(event)) OVER (ORDER BY due, id) AS bytes FROM (
        SELECT * FROM pending WHERE subscription = ? AND retry = ? ORDER BY due, id LIMIT ?
    )
) WHERE bytes <= ? OR bytes = length(event) ORDER BY due, id
"""
REMOVE = "DELETE FROM pending WHERE id = ?"
POSTPONE = "UPDATE pending SET retry = 1, due = ?, attempts = ? WHERE id = ?"
FAILED = "INSERT OR REPLACE INTO failures (id, outcome, status, at) VALUES (?, ?, ?, ?)"
FAILURE = "SELECT outcome, status, at FROM failures WHERE id = ?"
VALIDATE = "INSERT OR REPLACE INTO validated (subscription, endpoint) VALUES (?, ?)"
VALIDATED = "SELECT subscription, endpoint FROM validated"
BURY = "INSERT INTO burials (subscription, blob, content) VALUES (?, ?, ?)"
UNBURIED = "SELECT id, subscription, blob, content FROM burials ORDER BY id LIMIT ?"
BURIED = "DELETE FROM burials WHERE id = ?"
COUNT_PENDING = "SELECT subscription, count(*) FROM pending GROUP BY subscription"
COUNT_UNBURIED = "SELECT subscription, count(*) FROM burials GROUP BY subscription"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one subscription."""

    id: int
    message_id: str
    event: bytes
    since: float
    due: float
    attempts: int


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed."""

    outcome: str
    status: int | None  # of HTTP, where there was an answer
    at: float


@dataclass(frozen=True, slots=True)
class Burial:
    """A dead letter, and the blob that it becomes."""

    id: int
    subscription: str
    blob: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """Each change is done when it is on disk; changes are made in the order of the calls. Any raises UNKEPT."""

    journal: Journal

    def add(self, rows: Iterable[tuple[str, str, bytes]], at: float) -> asyncio.Future[None]:
        """Rows of subscription, message id and event."""
        return self.journal.write(*((ADD, (*row, at)) for row in rows))

    async def earliest(self, subscription: str, *, retry: bool, limit: int) -> list[Delivery]:
        return [Delivery(*row) for row in await self.journal.read(EARLIEST, subscription, retry, limit)]

    async def together(self, subscription: str, *, retry: bool, limit: int, size: int) -> list[Delivery]:
        """The earliest that fit into one request of so many bytes; the first in any case."""
        return [Delivery(*row) for row in await self.journal.read(TOGETHER, subscription, retry, limit, size)]

    def remove(self, *deliveries: Delivery) -> asyncio.Future[None]:
        return self.journal.write(*((REMOVE, (each.id,)) for each in deliveries))

    def postpone(self, to: Delivery, after: Failure | None = None) -> asyncio.Future[None]:
        postponed = POSTPONE, (to.due, to.attempts, to.id)
        if after is None:
            return self.journal.write(postponed)
        return self.journal.write(postponed, (FAILED, (to.id, after.outcome, after.status, after.at)))

    async def last_failure(self, of: Delivery) -> Failure | None:
        return next((Failure(*row) for row in await self.journal.read(FAILURE, of.id)), None)

    def bury(self, delivery: Delivery, subscription: str, blob: str, content: bytes) -> asyncio.Future[None]:
        """It is no longer tried; what it becomes waits for storage."""
        return self.journal.write((BURY, (subscription, blob, content)), (REMOVE, (delivery.id,)))

    async def unburied(self, limit: int) -> list[Burial]:
        return [Burial(*row) for row in await self.journal.read(UNBURIED, limit)]

    def buried(self, burial: Burial) -> asyncio.Future[None]:
        return self.journal.write((BURIED, (burial.id,)))

    def validate(self, subscription: str, endpoint: str) -> asyncio.Future[None]:
        """It need not be asked again."""
        return self.journal.write((VALIDATE, (subscription, endpoint)))

    def validated(self) -> dict[str, str]:
        """The endpoints by subscription. Blocks: for the start."""
        return dict(self.journal.rows(VALIDATED))

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """How many are pending and how many unburied, by subscription. Blocks: for the start."""
        return dict(self.journal.rows(COUNT_PENDING)), dict(self.journal.rows(COUNT_UNBURIED))
