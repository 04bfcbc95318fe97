"""Where in Table Storage each row of orders lies, and what else goes with it."""

from collections.abc import Iterable
from dataclasses import asdict

import msgspec
from msgspec import structs

from libs.common.archive import Row
from libs.common.entities import Entity
from libs.common.errors import StoreError
from libs.common.ids import SHARDS, shard_of
from libs.common.tables import Tables
from libs.common.tables_archive import Kept, Place, TablesArchive, id_in, like
from services.orders.domain import Order, Price
from services.orders.store.entries import NOBODY, Note, joined, split
from services.orders.store.rows import BuyerRow, HistoryRow, KeyRow, OrderRow, PriceRow, TimelineRow
from services.orders.store.tables_entities import (
    PRICES,
    Key,
    Known,
    Listed,
    Past,
    key_row,
    list_row,
    note_row,
    order_row,
    partition,
    read_note,
    read_order,
    read_past,
    waiting_row,
)
from services.orders.transitions import Status

SHARED = [f"{shard:x}" for shard in range(SHARDS)]


class Apart(StoreError):
    """An order's id is not one of its customer's shard, so Table Storage can't keep the two together."""


class KeptOrders(Kept):
    async def row(self, database: Tables, entity: Entity) -> OrderRow:
        order = read_order.decode(entity.body)
        status, fulfilment = split(order.status)
        known = {name: getattr(order, name) for name in OrderRow.columns() if name not in ("status", "fulfilment")}
        return OrderRow(**known, status=status, fulfilment=fulfilment)

    def places(self, row: OrderRow) -> Iterable[Place]:
        """Raises Apart."""
        order = like(Order, structs.replace(row, status=joined(row.status, row.fulfilment)))
        body = msgspec.json.encode(order)
        yield Place(partition(order.id), order_row(order.id), body)
        if order.status is Status.PLACED:
            yield Place(partition(order.id), waiting_row(order.id), b"")
        if order.customer_id != NOBODY:
            if shard_of(order.id) != shard_of(order.customer_id):
                raise Apart(f"{Apart.__doc__} It is order {order.id}.")
            yield Place(partition(order.id), list_row(order), body)


class KeptHistory(Kept):
    async def row(self, database: Tables, entity: Entity) -> HistoryRow:
        past = read_past.decode(entity.body)
        return HistoryRow(order_id=id_in(entity), **structs.asdict(past))

    def places(self, row: HistoryRow) -> Iterable[Place]:
        body = msgspec.json.encode(like(Past, row))
        yield Place(partition(row.order_id), f"h|{row.order_id}|{row.version:010}", body)


class KeptTimelines(Kept):
    async def row(self, database: Tables, entity: Entity) -> TimelineRow:
        return TimelineRow(order_id=id_in(entity), **asdict(read_note.decode(entity.body)))

    def places(self, row: TimelineRow) -> Iterable[Place]:
        body = msgspec.json.encode(like(Note, row))
        yield Place(partition(row.order_id), note_row(row.order_id, row.mark), body)


class KeptKeys(Kept):
    async def row(self, database: Tables, entity: Entity) -> KeyRow:
        key = msgspec.json.decode(entity.body, type=Key)
        return KeyRow(customer_id=id_in(entity), **structs.asdict(key))

    def places(self, row: KeyRow) -> Iterable[Place]:
        yield Place(partition(row.customer_id), key_row(row.customer_id, row.key), msgspec.json.encode(like(Key, row)))


class KeptPrices(Kept):
    async def row(self, database: Tables, entity: Entity) -> PriceRow:
        known = msgspec.json.decode(entity.body, type=Listed)
        return PriceRow(listed=known.listed, **asdict(known.price))

    def places(self, row: PriceRow) -> Iterable[Place]:
        yield Place(PRICES, f"p|{row.product_id}", msgspec.json.encode(Listed(like(Price, row), row.listed)))


class KeptBuyers(Kept):
    async def row(self, database: Tables, entity: Entity) -> BuyerRow:
        known = msgspec.json.decode(entity.body, type=Known)
        return BuyerRow(customer_id=id_in(entity), **structs.asdict(known))

    def places(self, row: BuyerRow) -> Iterable[Place]:
        yield Place(partition(row.customer_id), f"d|{row.customer_id}", msgspec.json.encode(like(Known, row)))


KEPT: dict[type[Row], Kept] = {
    OrderRow: KeptOrders(SHARED, "o|"),
    HistoryRow: KeptHistory(SHARED, "h|"),
    TimelineRow: KeptTimelines(SHARED, "t|"),
    KeyRow: KeptKeys(SHARED, "i|"),
    PriceRow: KeptPrices([PRICES], "p|"),
    BuyerRow: KeptBuyers(SHARED, "d|"),
}
MARKED: tuple[str, ...] = (*SHARED,)


def archive(database: Tables) -> TablesArchive:
    return TablesArchive.of(database, KEPT, MARKED)
