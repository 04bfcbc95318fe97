"""Where in Table Storage each row of orders lies, and what else goes with it."""

from collections.abc import Iterable
from dataclasses import asdict

import msgspec

from libs.common.archive import Row
from libs.common.entities import Entity
from libs.common.errors import StoreError
from libs.common.ids import SHARDS, shard_of
from libs.common.tables import Tables
from libs.common.tables_archive import Kept, Place, TablesArchive, id_in, like
from services.orders.domain import Order, Price
from services.orders.store import Entry
from services.orders.store.rows import BuyerRow, HistoryRow, KeyRow, OrderRow, PriceRow
from services.orders.store.tables import NOBODY, PRICES, Key, Known, Listed, key_row, list_row, newest_first, partition

SHARED = [f"{shard:x}" for shard in range(SHARDS)]


class Apart(StoreError):
    """An order's id is not one of its customer's shard, so Table Storage can't keep the two together."""


class KeptOrders(Kept):
    async def row(self, database: Tables, entity: Entity) -> OrderRow:
        return like(OrderRow, msgspec.json.decode(entity.body, type=Order))

    def places(self, row: OrderRow) -> Iterable[Place]:
        """Raises Apart."""
        order = like(Order, row)
        body = msgspec.json.encode(order)
        yield Place(partition(order.id), f"o|{newest_first(order.id)}", body)
        if order.customer_id != NOBODY:
            if shard_of(order.id) != shard_of(order.customer_id):
                raise Apart(f"{Apart.__doc__} It is order {order.id}.")
            yield Place(partition(order.id), list_row(order), body)


class KeptHistory(Kept):
    async def row(self, database: Tables, entity: Entity) -> HistoryRow:
        entry = msgspec.json.decode(entity.body, type=Entry)
        return HistoryRow(order_id=id_in(entity), **asdict(entry))

    def places(self, row: HistoryRow) -> Iterable[Place]:
        body = msgspec.json.encode(like(Entry, row))
        yield Place(partition(row.order_id), f"h|{row.order_id}|{row.version:010}", body)


class KeptKeys(Kept):
    async def row(self, database: Tables, entity: Entity) -> KeyRow:
        key = msgspec.json.decode(entity.body, type=Key)
        return KeyRow(customer_id=id_in(entity), **msgspec.structs.asdict(key))

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
        return BuyerRow(customer_id=id_in(entity), **msgspec.structs.asdict(known))

    def places(self, row: BuyerRow) -> Iterable[Place]:
        yield Place(partition(row.customer_id), f"d|{row.customer_id}", msgspec.json.encode(like(Known, row)))


KEPT: dict[type[Row], Kept] = {
    OrderRow: KeptOrders(SHARED, "o|"),
    HistoryRow: KeptHistory(SHARED, "h|"),
    KeyRow: KeptKeys(SHARED, "i|"),
    PriceRow: KeptPrices([PRICES], "p|"),
    BuyerRow: KeptBuyers(SHARED, "d|"),
}
MARKED: tuple[str, ...] = (*SHARED,)


def archive(database: Tables) -> TablesArchive:
    return TablesArchive.of(database, KEPT, MARKED)
