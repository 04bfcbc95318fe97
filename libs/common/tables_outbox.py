"""The outbox in Table Storage: a range of each partition, so what is not yet told is found without a scan."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from time import monotonic

import msgspec

from libs.common.abreast import of_each
from libs.common.archive import Parked
from libs.common.database import MOST_COUNTED, Backlog
from libs.common.entities import MOST_OPERATIONS, SYSTEM, Change, Entity, Overtaken, Table, tells
from libs.common.leases import Lease

ASKED_AT_ONCE = 8
SHORTEST_SWEEP_SECONDS = 0.5  # between looks at all partitions, for facts of other processes; told ones wake us at once
LONGEST_SWEEP_SECONDS = 5.0
INBOX_KEPT = timedelta(days=30)  # longer than any redelivery
MOST_FORGOTTEN = 1000  # of a partition, at a time


@dataclass(frozen=True, slots=True)
class _Waiting:
    partition: str
    entity: Entity


@dataclass(slots=True)
class TablesOutbox:
    table: Table
    lease: Lease
    _pause: float = SHORTEST_SWEEP_SECONDS
    _swept_at: float = -LONGEST_SWEEP_SECONDS

    @asynccontextmanager
    async def claim(self, most: int) -> AsyncIterator[list[bytes]]:
        """In the order of their time, which within an aggregate is the order of its versions."""
        await self.lease.keep()
        asked, self.table.telling = self.table.telling, set()
        try:
            if sweeping := monotonic() - self._swept_at > self._pause:
                asked = asked | await _listed(self.table)
            waiting = await _waiting(self.table, asked, most)
            if sweeping:
                self._note_sweep(found=bool(waiting))
            claimed = waiting[:most]
            yield [each.entity.body for each in claimed]
            await self._delete(claimed)
        except BaseException:
            self.table.telling |= asked
            raise
        if len(waiting) >= most:  # there may be more
            self.table.telling |= asked

    async def park(self, event: bytes, reason: str) -> None:
        change = Change(SYSTEM)
        change.put(dead(event), msgspec.json.encode(Parked(event=event, reason=reason)))
        await self.table.submit(change)

    async def forget(self) -> None:
        before = datetime.now(UTC) - INBOX_KEPT
        for partition in await _listed(self.table):
            old = await self.table.older(partition, "n|", "n}", than=before, most=MOST_FORGOTTEN)
            await self._delete([_Waiting(partition, entity) for entity in old])

    def _note_sweep(self, *, found: bool) -> None:
        self._swept_at = monotonic()
        self._pause = SHORTEST_SWEEP_SECONDS if found else min(self._pause * 2, LONGEST_SWEEP_SECONDS)

    async def _delete(self, these: Sequence[_Waiting]) -> None:
        for partition, group in groupby(sorted(these, key=_partition), _partition):
            entities = [each.entity for each in group]
            for first in range(0, len(entities), MOST_OPERATIONS):
                change = Change(partition)
                for entity in entities[first : first + MOST_OPERATIONS]:
                    change.delete(entity)
                with suppress(Overtaken):  # who took the lease over was faster; what is left is told once more
                    await self.table.submit(change)


async def backlog(table: Table) -> Backlog:
    """Of each partition a share is counted, so what is said is the least that waits where one has more."""
    partitions = await _listed(table)
    waiting = await _waiting(table, partitions, max(1, MOST_COUNTED // max(1, len(partitions))))
    parked = await table.range(SYSTEM, "dead|", "dead}", MOST_COUNTED)
    return Backlog(len(waiting), len(parked), waiting[0].entity.body if waiting else None)


async def _listed(table: Table) -> set[str]:
    """All partitions that may have told something."""
    listed = await table.range(SYSTEM, tells(""), "tells}")
    return {entity.row.removeprefix(tells("")) for entity in listed}


async def _waiting(table: Table, partitions: Collection[str], most: int) -> list[_Waiting]:
    """At most so many of each partition, the oldest first."""

    async def ask(partition: str) -> list[_Waiting]:
        return [_Waiting(partition, each) for each in await table.range(partition, "x|", "x}", most)]

    found = await of_each(ask, partitions, ASKED_AT_ONCE)
    return sorted((each for some in found for each in some), key=lambda each: each.entity.row)


def dead(event: bytes) -> str:
    """The row of a fact that is parked."""
    return f"dead|{sha256(event).hexdigest()}"


_partition = attrgetter("partition")
