"""Stock and reservations in Table Storage: they lie in many partitions, and a reservation is all or nothing.

What an order changes is decided on what was read. Then

1. each stock entity that changes gets an intent, if it still is as it was read;
2. the reservation is written, with the new figures, the inbox mark and the fact: this is the commit;
3. each stock entity gets its new figures, and with them in its partition what moved; and the intent is gone.

Who meets an intent asks the reservation. Where that tells of the same attempt, the new figures hold, and whoever comes
first writes them. Where it does not, the attempt may still be under way. If it is for longer than PATIENCE_SECONDS, the
reservation is written once more as it is, so that the attempt can't be committed any more; then the intent is removed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.common.abreast import of_each
from libs.common.entities import Change, Entity, Overtaken, Table
from libs.common.errors import Unavailable
from libs.common.messages import Fact
from libs.common.messages.catalog import ReservedLine
from services.catalog.reservations import ReservationStatus
from services.catalog.stock import Movement, Stock

PATIENCE_SECONDS = 3.0
PUT_AT_ONCE = 16
HIGHEST_VERSION = 10**12 - 1


class Intent(Struct, frozen=True):
    order_id: UUID
    attempt: str


class Figures(Struct, frozen=True):
    product_id: UUID
    on_hand: int = 0
    reserved: int = 0
    sold: int = 0
    received: int = 0
    version: int = 0
    reorder_level: int | None = None
    waiting: int = 0
    recorded: int = 0  # the version up to which the ledger tells all; 0 from an instance that knows none


class Shelf(Struct, frozen=True):
    figures: Figures
    intent: Intent | None = None


class Record(Struct, frozen=True):
    """A reservation, and what its last change has made of the stock, and how.

    What came back is kept as sold, and a mark: the version before this one knows no more than that it was sold.
    """

    status: ReservationStatus = ReservationStatus.NEW
    lines: Sequence[ReservedLine] = ()
    version: int = 0
    attempt: str = ""
    redo: Sequence[Figures] = ()
    moved: Sequence[Movement] = ()
    returned: bool = False

    def of(self, product_id: UUID) -> Sequence[Movement]:
        return [each for each in self.moved if each.product_id == product_id]


class Settled(NamedTuple):
    """What there is of a product, with nobody's intent on it; no entity where it was never counted."""

    entity: Entity | None
    figures: Figures


class Reserved(NamedTuple):
    """An order's reservation; no entity where there is none yet."""

    order_id: UUID
    entity: Entity | None
    record: Record


NOTHING = Record()
_shelf = msgspec.json.Decoder(Shelf)
_record = msgspec.json.Decoder(Record)


@dataclass(slots=True)
class Ledger:
    table: Table
    patience: float = PATIENCE_SECONDS
    _met: dict[UUID, tuple[str, float]] = field(default_factory=dict)  # others' intents: the ETag, and since when

    async def figures(self, product_id: UUID) -> Figures:
        """As they stand: what is committed counts, whether or not it is written."""
        seen = ""
        while True:
            entity, shelf = await self._shelf(product_id)
            if entity is None or shelf.intent is None or entity.etag == seen:
                return shelf.figures
            owner = await self.reserved(shelf.intent.order_id)
            if redone := _redone(shelf, owner.record):
                return redone
            seen = entity.etag

    async def settled(self, product_id: UUID, order_id: UUID | None = None) -> Settled:
        """`order_id` is who wants to change it. Raises Overtaken where somebody else still may."""
        entity, shelf = await self._shelf(product_id)
        if entity is None or shelf.intent is None:
            self._met.pop(product_id, None)
            return Settled(entity, shelf.figures)
        owner = await self.reserved(shelf.intent.order_id)
        if figures := _redone(shelf, owner.record):
            return await self._put_back(entity, figures, owner.record.of(product_id))
        if owner.order_id != order_id:
            self._be_patient(entity, product_id)
        await self.write_reserved(owner, owner.record)  # fences the attempt off
        return await self._put_back(entity, shelf.figures)

    async def write_what_is_committed(self, product_id: UUID) -> Figures:
        """So that the ledger tells it, too. Raises Overtaken."""
        entity, shelf = await self._shelf(product_id)
        if entity and shelf.intent:
            owner = await self.reserved(shelf.intent.order_id)
            if figures := _redone(shelf, owner.record):
                return (await self._put_back(entity, figures, owner.record.of(product_id))).figures
        return shelf.figures

    async def change_stock(
        self, known: Settled, becomes: Stock | None, change: Change, facts: Iterable[Fact] = ()
    ) -> None:
        """Within one partition, with whatever else is in the change. Raises Overtaken."""
        if becomes:
            _put(change, known.entity, figures_of(becomes, known.figures))
            _note_moved(change, becomes.movements)
        for fact in facts:
            change.tell(fact)
        if change.operations:
            await self.table.submit(change)

    async def change_reserved(
        self, known: Reserved, becomes: Record, shelves: Mapping[UUID, Settled], cause: str, facts: Iterable[Fact]
    ) -> None:
        """Across partitions: the three steps above. Raises Overtaken."""
        change = Change(partition_of(known.order_id))
        change.note(cause)
        for fact in facts:
            change.tell(fact)
        if becomes == known.record:
            await self.table.submit(change)
            return
        intent = Intent(known.order_id, becomes.attempt)
        held = await self.intend(intent, [shelves[figures.product_id] for figures in becomes.redo])
        try:
            await self.write_reserved(known, becomes, change)
        except Overtaken:
            await self.finish(held)
            raise
        written = (Settled(each.entity, figures) for each, figures in zip(held, becomes.redo, strict=True))
        await self.finish(written, becomes)

    async def reserved(self, order_id: UUID) -> Reserved:
        entity = await self.table.read(partition_of(order_id), f"r|{order_id}")
        return Reserved(order_id, entity, _record.decode(entity.body) if entity else Record())

    def _be_patient(self, entity: Entity, product_id: UUID) -> None:
        """Raises Overtaken until an intent has been seen for so long that its owner must be dead."""
        etag, since = self._met.get(product_id, ("", 0.0))
        if etag != entity.etag:
            since = monotonic()
            self._met[product_id] = (entity.etag, since)
        if monotonic() - since < self.patience:
            raise Overtaken

    async def intend(self, intent: Intent, shelves: Sequence[Settled]) -> list[Settled]:
        """On all of them or on none: raises Overtaken."""

        results = await of_each(lambda shelf: self._try_put_back(shelf, intent=intent), shelves, PUT_AT_ONCE)
        held = [result for result in results if isinstance(result, Settled)]
        if failures := [result for result in results if not isinstance(result, Settled)]:
            await self.finish(held)
            raise failures[0]
        return held

    async def finish(self, held: Iterable[Settled], becomes: Record = NOTHING) -> None:
        """In place of the intents. Where somebody was faster, the same figures were written."""

        async def put(shelf: Settled) -> Settled | Overtaken | Unavailable:
            return await self._try_put_back(shelf, becomes.of(shelf.figures.product_id))

        for result in await of_each(put, list(held), PUT_AT_ONCE):
            if isinstance(result, Unavailable):
                raise result

    async def _try_put_back(
        self, shelf: Settled, moved: Iterable[Movement] = (), *, intent: Intent | None = None
    ) -> Settled | Overtaken | Unavailable:
        """What becomes of one holds up no other."""
        try:
            return await self._put_back(*shelf, moved, intent=intent)
        except (Overtaken, Unavailable) as failure:
            return failure

    async def _put_back(
        self,
        entity: Entity | None,
        figures: Figures,
        moved: Iterable[Movement] = (),
        *,
        intent: Intent | None = None,
    ) -> Settled:
        """Raises Overtaken where it is no longer as it was read."""
        change = Change(partition_of_stock(figures.product_id))
        row = _put(change, entity, figures, intent)
        _note_moved(change, moved)
        etag, *_ = await self.table.submit(change)
        return Settled(Entity(row, b"", etag), figures)

    async def write_reserved(self, known: Reserved, becomes: Record, change: Change | None = None) -> None:
        """With `change`, if there is more to it. Raises Overtaken."""
        change = change or Change(partition_of(known.order_id))
        body = msgspec.json.encode(becomes)
        if known.entity:
            change.replace(known.entity, body)
        else:
            change.create(f"r|{known.order_id}", body)
        await self.table.submit(change)

    async def _shelf(self, product_id: UUID) -> tuple[Entity | None, Shelf]:
        entity = await self.table.read(partition_of_stock(product_id), f"s|{product_id}")
        return entity, _shelf.decode(entity.body) if entity else Shelf(Figures(product_id))


def partition_of(order_id: UUID) -> str:
    return f"reservations-{order_id.int & 0xF:x}"


def partition_of_stock(product_id: UUID) -> str:
    return f"stock-{product_id.int & 0xF:x}"


def row_of_movement(product_id: UUID, version: int) -> str:
    """The newest comes first."""
    return f"m|{product_id}|{HIGHEST_VERSION - version:012}"


def figures_of(stock: Stock, before: Figures) -> Figures:
    """What has moved is recorded with it; what moved past the ledger before is still not."""
    return Figures(
        product_id=stock.product_id,
        on_hand=stock.on_hand,
        reserved=stock.reserved,
        sold=stock.sold,
        received=stock.received,
        version=stock.version,
        reorder_level=stock.reorder_level,
        waiting=stock.waiting,
        recorded=stock.version if before.recorded == before.version else before.recorded,
    )


def _note_moved(change: Change, moved: Iterable[Movement]) -> None:
    for each in moved:
        change.put(row_of_movement(each.product_id, each.version), msgspec.json.encode(each))


def _put(change: Change, entity: Entity | None, figures: Figures, intent: Intent | None = None) -> str:
    row, body = f"s|{figures.product_id}", msgspec.json.encode(Shelf(figures, intent))
    if entity:
        change.replace(entity, body)
    else:
        change.create(row, body)
    return row


def _redone(shelf: Shelf, record: Record) -> Figures | None:
    """What the shelf's intent has made of it; None where that is not committed."""
    if shelf.intent is None or record.attempt != shelf.intent.attempt:
        return None
    return next(each for each in record.redo if each.product_id == shelf.figures.product_id)
