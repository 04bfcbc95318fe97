"""Where in Table Storage each row of the catalogue lies, and what else goes with it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import structs

from libs.common.archive import Row
from libs.common.entities import Entity
from libs.common.tables import Tables
from libs.common.tables_archive import Kept, Place, TablesArchive, id_in, like
from services.catalog.domain import Category, Details, Product
from services.catalog.stock import Movement
from services.catalog.store.rows import (
    CategoryRow,
    MovementRow,
    ProductRow,
    ReceiptRow,
    ReservationRow,
    StockRow,
    WaitingRow,
)
from services.catalog.store.tables import TablesStore
from services.catalog.store.tables_categories import CATALOG, row_of_category
from services.catalog.store.tables_ledger import STOCK, Receipt, read_receipt, row_of_receipt
from services.catalog.store.tables_products import lists_of, row_of
from services.catalog.store.tables_stock import (
    Figures,
    Ledger,
    Record,
    Shelf,
    partition_of,
    partition_of_stock,
    row_of_movement,
)
from services.catalog.store.tables_waiting import (
    customer_in,
    partition_of_customer,
    row_listed,
    row_of_waiting,
)

NIBBLES = [UUID(int=each) for each in range(16)]
RESERVATIONS = [partition_of(each) for each in NIBBLES]


class KeptCategories(Kept):
    async def row(self, database: Tables, entity: Entity) -> CategoryRow:
        return like(CategoryRow, msgspec.json.decode(entity.body, type=Category))

    def places(self, row: CategoryRow) -> Iterable[Place]:
        yield Place(CATALOG, row_of_category(row.id), msgspec.json.encode(like(Category, row)))


class KeptProducts(Kept):
    async def row(self, database: Tables, entity: Entity) -> ProductRow:
        product = msgspec.json.decode(entity.body, type=Product)
        return ProductRow(
            id=product.id,
            opening_stock=product.opening_stock,
            media=product.media,
            version=product.version,
            deleted=product.deleted,
            **structs.asdict(product.details),
        )

    def places(self, row: ProductRow) -> Iterable[Place]:
        """As if it were sold out; its stock comes later."""
        product = Product(
            row.id, like(Details, row), row.opening_stock, row.media, version=row.version, deleted=row.deleted
        )
        yield Place(CATALOG, row_of(row.id), msgspec.json.encode(product))
        for list_row, body in lists_of(product).items():
            yield Place(CATALOG, list_row, body)


class KeptStock(Kept):
    """Read along the products: there is no entity for what was never counted."""

    async def row(self, database: Tables, entity: Entity) -> StockRow:
        """What is committed is written first, so that the movements, which are read later, tell of it."""
        product_id, ledger = id_in(entity), Ledger(database.table)
        written = await database.table.retried(str(product_id), lambda: ledger.write_what_is_committed(product_id))
        return like(StockRow, written)

    def places(self, row: StockRow) -> Iterable[Place]:
        body = msgspec.json.encode(Shelf(like(Figures, row)))
        yield Place(partition_of_stock(row.product_id), f"s|{row.product_id}", body)

    async def written(self, database: Tables, rows: Sequence[StockRow]) -> None:
        store = TablesStore(database)
        for row in rows:
            await store.show(row.product_id)


class KeptReservations(Kept):
    async def row(self, database: Tables, entity: Entity) -> ReservationRow:
        record = msgspec.json.decode(entity.body, type=Record)
        order_id = id_in(entity)
        return ReservationRow(
            order_id=order_id,
            status=record.status,
            returned=record.returned,
            lines=record.lines,
            version=record.version,
        )

    def places(self, row: ReservationRow) -> Iterable[Place]:
        yield Place(partition_of(row.order_id), f"r|{row.order_id}", msgspec.json.encode(like(Record, row)))


class KeptMovements(Kept):
    async def row(self, database: Tables, entity: Entity) -> MovementRow:
        return like(MovementRow, msgspec.json.decode(entity.body, type=Movement))

    def places(self, row: MovementRow) -> Iterable[Place]:
        body = msgspec.json.encode(like(Movement, row))
        yield Place(partition_of_stock(row.product_id), row_of_movement(row.product_id, row.version), body)


class KeptWaiting(Kept):
    async def row(self, database: Tables, entity: Entity) -> WaitingRow:
        since = msgspec.json.decode(entity.body, type=datetime)
        return WaitingRow(product_id=id_in(entity), customer_id=customer_in(entity), since=since)

    def places(self, row: WaitingRow) -> Iterable[Place]:
        listed = row_listed(row.customer_id, row.product_id)
        yield Place(partition_of_customer(row.customer_id), listed, b"")
        waits = row_of_waiting(row.product_id, row.customer_id)
        yield Place(partition_of_stock(row.product_id), waits, msgspec.json.encode(row.since))


class KeptReceipts(Kept):
    async def row(self, database: Tables, entity: Entity) -> ReceiptRow:
        return ReceiptRow(product_id=id_in(entity), **structs.asdict(read_receipt.decode(entity.body)))

    def places(self, row: ReceiptRow) -> Iterable[Place]:
        place = row_of_receipt(row.product_id, row.key)
        yield Place(partition_of_stock(row.product_id), place, msgspec.json.encode(like(Receipt, row)))


KEPT: dict[type[Row], Kept] = {
    CategoryRow: KeptCategories([CATALOG], "k|"),
    ProductRow: KeptProducts([CATALOG], "p|"),
    StockRow: KeptStock([CATALOG], "p|"),
    ReservationRow: KeptReservations(RESERVATIONS, "r|"),
    MovementRow: KeptMovements(STOCK, "m|"),
    WaitingRow: KeptWaiting(STOCK, "w|"),
    ReceiptRow: KeptReceipts(STOCK, "i|"),
}
MARKED: tuple[str, ...] = (*RESERVATIONS, *STOCK)


def archive(database: Tables) -> TablesArchive:
    return TablesArchive.of(database, KEPT, MARKED)
