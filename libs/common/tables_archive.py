"""All that a service keeps in Table Storage, or in Cosmos DB for Table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from libs.common.abreast import of_each
from libs.common.archive import PAGE, Heard, Page, Parked, Row
from libs.common.entities import MOST_CHANGE_BYTES, MOST_OPERATIONS, MOVED, SYSTEM, Change, Entity, mark, tells
from libs.common.tables import Tables
from libs.common.tables_outbox import dead

T = TypeVar("T")

READ_AT_ONCE = 16
WRITTEN_AT_ONCE = 8  # changes, each of one partition


class Place(NamedTuple):
    """Where an entity lies, and what is in it."""

    partition: str
    row: str
    body: bytes


def like(kind: type[T], other: Any) -> T:
    """What has the same fields, and maybe more."""
    return msgspec.convert(other, kind, from_attributes=True)


def id_in(entity: Entity) -> UUID:
    """Of whose row it is: `o|<id>|…`."""
    return UUID(entity.row.split("|")[1])


class Kept:
    """How the rows of one kind lie in a table: one entity of `prefix` for each, and maybe others beside it."""

    def __init__(self, partitions: Sequence[str], prefix: str) -> None:
        self.partitions, self.prefix = partitions, prefix

    async def row(self, database: Tables, entity: Entity) -> Row:
        raise NotImplementedError

    def places(self, row: Any) -> Iterable[Place]:
        raise NotImplementedError

    async def written(self, database: Tables, rows: Sequence[Any]) -> None:
        """What has to follow once they are there."""


class KeptMarks(Kept):
    """Those of a moved service lie apart from the aggregates that they are about."""

    async def row(self, database: Tables, entity: Entity) -> Heard:
        return Heard(cause=entity.body.decode())

    def places(self, row: Heard) -> Iterable[Place]:
        yield Place(MOVED, mark(row.cause), row.cause.encode())
        yield Place(SYSTEM, tells(MOVED), b"")


class KeptDead(Kept):
    async def row(self, database: Tables, entity: Entity) -> Parked:
        return msgspec.json.decode(entity.body, type=Parked)

    def places(self, row: Parked) -> Iterable[Place]:
        yield Place(SYSTEM, dead(row.event), msgspec.json.encode(row))


@dataclass(frozen=True, slots=True)
class TablesArchive:
    """Read partition by partition: only within one the order is the same on Table Storage and on Cosmos DB."""

    database: Tables
    kept: Mapping[type[Row], Kept]
    most: int = PAGE  # rows of a page

    @classmethod
    def of(cls, database: Tables, kept: Mapping[type[Row], Kept], marked: Sequence[str]) -> "TablesArchive":
        """Of the rows that are a service's own, and of the marks in the partitions where it makes them."""
        return cls(database, {**kept, Heard: KeptMarks([*marked, MOVED], "n|"), Parked: KeptDead([SYSTEM], "dead|")})

    async def count(self, kind: type[Row]) -> int:
        rows, after = 0, ""
        while True:
            entities, after = await self._entities(self.kept[kind], after)
            if not entities:
                return rows
            rows += len(entities)

    async def page(self, kind: type[Row], after: str) -> Page:
        kept = self.kept[kind]
        entities, reached = await self._entities(kept, after)
        return Page(await of_each(lambda entity: kept.row(self.database, entity), entities, READ_AT_ONCE), reached)

    async def _entities(self, kept: Kept, after: str) -> tuple[list[Entity], str]:
        """`after` and what is reached are a partition and a row in it."""
        partition, _, row = after.partition(" ")
        for each in kept.partitions[kept.partitions.index(partition) if after else 0 :]:
            first = f"{row}!" if each == partition else kept.prefix  # no row is the beginning of another
            found = await self.database.table.range(each, first, f"{kept.prefix[:-1]}}}", self.most)
            if found:
                return found, f"{each} {found[-1].row}"
        return [], ""

    async def progress(self) -> dict[str, str]:
        noted = await self.database.table.range(SYSTEM, "copying|", "copying}")
        return {entity.row.removeprefix("copying|"): entity.body.decode() for entity in noted}

    async def note(self, what: str, reached: str) -> None:
        await self._put([Place(SYSTEM, f"copying|{what}", reached.encode())])

    async def write(self, kind: type[Row], page: Page) -> None:
        kept = self.kept[kind]
        await self._put({place[:2]: place for row in page.rows for place in kept.places(row)}.values())
        await kept.written(self.database, page.rows)
        await self.note(kind.table, page.reached)

    async def _put(self, places: Iterable[Place]) -> None:
        """Whatever is there: a page that was written, but not noted, is written again."""
        await of_each(self.database.table.submit, list(_changes(places)), WRITTEN_AT_ONCE)

    async def finish(self) -> None:
        change = Change(SYSTEM)
        for what in await self.progress():
            change.remove(f"copying|{what}")
        await self.database.table.submit(change)


def _changes(places: Iterable[Place]) -> Iterable[Change]:
    """As few as hold them."""
    for partition, group in groupby(sorted(places), lambda place: place.partition):
        change = Change(partition)
        for place in group:
            if len(change.operations) == MOST_OPERATIONS or change.size + 2 * len(place.body) > MOST_CHANGE_BYTES // 2:
                yield change
                change = Change(partition)
            change.put(place.row, place.body)
        yield change
