"""The provider's books on disk: what each payment is, every change it has had, the call-backs that are still to come.

A change and its call-back are one commit, and nothing is answered before it is on disk.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from localcloud.journal import Journal, Statement
from localcloud.payments.book import Entry, Payment, Scenario, Status, scenario_of

LOCKS = 64  # orders share them
PENDING_SECONDS = 1.0
COPIES = 3  # of a call-back that comes repeatedly
MOST_DUE = 32

SCHEMA = """
CREATE TABLE IF NOT EXISTS payments (
    order_id    TEXT PRIMARY KEY,
    status      TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    currency    TEXT NOT NULL,
    reason      TEXT NOT NULL,
    traceparent TEXT NOT NULL, -- of whoever asked first
    settles_at  REAL,          -- seconds since 1970; NULL: not by itself
    settles_as  TEXT
);
CREATE TABLE IF NOT EXISTS movements (
    number   INTEGER PRIMARY KEY, -- rises by one with every change
    order_id TEXT NOT NULL,
    status   TEXT NOT NULL,
    amount   INTEGER NOT NULL,
    at       TEXT NOT NULL        -- RFC 3339
);
CREATE INDEX IF NOT EXISTS movements_by_order ON movements (order_id);
CREATE INDEX IF NOT EXISTS payments_by_time ON payments (settles_at) WHERE settles_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS callbacks (
    id          TEXT PRIMARY KEY,
    body        BLOB NOT NULL,
    traceparent TEXT NOT NULL,
    copies      INTEGER NOT NULL, -- sent at once
    due         REAL NOT NULL,    -- seconds since 1970
    attempts    INTEGER NOT NULL DEFAULT 0,
    dead        INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS callbacks_by_time ON callbacks (due) WHERE NOT dead;
"""
FIND = "SELECT status, amount, currency, reason, traceparent FROM payments WHERE order_id = ?"
KEEP = """
INSERT INTO payments (order_id, status, amount, currency, reason, traceparent, settles_at, settles_as)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, amount = excluded.amount, currency = excluded.currency,
    reason = excluded.reason, settles_at = NULL, settles_as = NULL
"""
MOVE = "INSERT INTO movements (order_id, status, amount, at) VALUES (?, ?, ?, ?)"
CALL_BACK = "INSERT INTO callbacks (id, body, traceparent, copies, due) VALUES (?, ?, ?, ?, ?)"
DUE = """
SELECT id, body, traceparent, copies, attempts FROM callbacks WHERE NOT dead AND due <= ? ORDER BY due LIMIT ?
"""
SETTLING = "SELECT order_id, settles_as FROM payments WHERE settles_at <= ? ORDER BY settles_at LIMIT ?"
NEXT = """
SELECT min(at) FROM (SELECT min(due) AS at FROM callbacks WHERE NOT dead UNION ALL SELECT min(settles_at) FROM payments)
"""
# SQLite from 3.40 on: a `group_concat` that orders by itself came later.
NEWEST = """
SELECT p.order_id, p.status, p.amount, p.currency, p.reason,
       (SELECT json_group_array(m.status || ' ' || m.at)
        FROM (SELECT status, at FROM movements WHERE order_id = p.order_id ORDER BY number) m)
FROM payments p WHERE ?1 IN ('', p.order_id)
ORDER BY (SELECT max(number) FROM movements WHERE order_id = p.order_id) DESC LIMIT ?2
"""


class Callback(Struct, frozen=True):
    id: str
    body: bytes
    traceparent: str
    copies: int
    attempts: int


class Shown(Struct, frozen=True):
    order_id: UUID
    status: str
    amount: int
    currency: str
    reason: str
    movements: list[str]


Act = Callable[[Entry], Payment]


@dataclass(frozen=True, slots=True)
class Till:
    journal: Journal
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # something may be due
    _locks: list[asyncio.Lock] = field(default_factory=lambda: [asyncio.Lock() for _ in range(LOCKS)])

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator["Till"]:
        async with Journal.open(path, SCHEMA) as journal:
            yield cls(journal)

    async def change(self, order_id: UUID, act: Act, traceparent: str = "") -> tuple[Payment, bool]:
        """The payment, on disk, and whether that is new. Raises Refused, and what `Journal.write` raises."""
        async with self._locks[order_id.int % LOCKS]:
            known, began = await self._read(order_id)
            payment = act(Entry(order_id, known))
            if payment != known:
                await self.journal.write(*_written(known, payment, began or traceparent, datetime.now(UTC)))
                self.changed.set()
        return payment, payment != known

    async def find(self, order_id: UUID) -> Payment | None:
        return (await self._read(order_id))[0]

    async def newest(self, limit: int, order_id: str = "") -> list[Shown]:
        rows = await self.journal.read(NEWEST, order_id, limit)
        return [
            Shown(UUID(order), status, amount, currency, reason, msgspec.json.decode(changes))
            for order, status, amount, currency, reason, changes in rows
        ]

    # --- what comes by itself -----------------------------------------------------------------------------------------

    async def settle_due(self, at: float) -> None:
        for order_id, status in await self.journal.read(SETTLING, at, MOST_DUE):
            await self.change(UUID(order_id), partial(Entry.come_late, status=Status(status)))

    async def due(self, at: float) -> list[Callback]:
        return [Callback(*row) for row in await self.journal.read(DUE, at, MOST_DUE)]

    async def next_due(self) -> float | None:
        """In seconds since 1970."""
        at: float | None = (await self.journal.read(NEXT))[0][0]
        return at

    async def called_back(self, callback_id: str) -> None:
        await self.journal.write(("DELETE FROM callbacks WHERE id = ?", (callback_id,)))

    async def postpone(self, callback_id: str, due: float) -> None:
        again = "UPDATE callbacks SET due = ?, attempts = attempts + 1 WHERE id = ?"
        await self.journal.write((again, (due, callback_id)))

    async def bury(self, callback_id: str) -> None:
        await self.journal.write(("UPDATE callbacks SET dead = 1 WHERE id = ?", (callback_id,)))

    async def _read(self, order_id: UUID) -> tuple[Payment | None, str]:
        rows = await self.journal.read(FIND, str(order_id))
        if not rows:
            return None, ""
        status, amount, currency, reason, traceparent = rows[0]
        return Payment(order_id, Status(status), amount, currency, reason), traceparent


def _written(known: Payment | None, now: Payment, traceparent: str, at: datetime) -> list[Statement]:
    scenario = scenario_of(now.amount)
    by_itself = {Scenario.LATE_YES: Status.AUTHORISED, Scenario.LATE_NO: Status.DECLINED}.get(scenario)
    pending = by_itself if now.status is Status.PENDING else None
    settles_at = at.timestamp() + PENDING_SECONDS if pending else None
    row = (str(now.order_id), now.status, now.amount, now.currency, now.reason, traceparent, settles_at, pending)
    statements: list[Statement] = [
        (KEEP, row),
        (MOVE, (str(now.order_id), now.status, now.amount, at.isoformat())),
    ]
    was_pending = known is not None and known.status is Status.PENDING and now.status is not Status.VOIDED
    unblocked = scenario is Scenario.BLOCKED and now.status is Status.CAPTURED
    if was_pending or unblocked or scenario is Scenario.REPEATED:
        callback_id, copies = str(uuid4()), COPIES if scenario is Scenario.REPEATED else 1
        body = msgspec.json.encode({"id": callback_id, "at": at} | msgspec.structs.asdict(now))
        statements.append((CALL_BACK, (callback_id, body, traceparent, copies, at.timestamp())))
    return statements
