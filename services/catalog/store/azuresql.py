"""The catalogue in Azure SQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from libs.common.azuresql import ForeignKeyViolation, Row, Transaction, UniqueViolation
from libs.common.errors import Invalid, NotFound, Stale
from services.catalog.domain import Category, Details, Media, Parents, Product, admit
from services.catalog.store import (
    CategoryAction,
    CategoryInUse,
    Page,
    Position,
    ProductAction,
    SkuTaken,
    Sort,
    Wanted,
)
from services.catalog.store.azuresql_list import listing, position
from services.catalog.store.azuresql_waiting import AzureSqlWaiting

SCHEMA = Path(__file__).with_name("azuresql.sql").read_text()

_media = msgspec.json.Decoder(list[Media])

_PRODUCT = """
SELECT p.id, p.sku, p.name, p.description, p.price, p.currency, p.category_id, p.opening_stock, p.media,
       p.version, p.deleted, s.on_hand
FROM products AS p JOIN stock AS s ON s.product_id = p.id WHERE p.id = ? AND p.deleted = 0
"""

_LOCK_PRODUCT = """
SELECT p.id, p.sku, p.name, p.description, p.price, p.currency, p.category_id, p.opening_stock, p.media,
       p.version, p.deleted, s.on_hand
FROM products AS p WITH (UPDLOCK, ROWLOCK) JOIN stock AS s ON s.product_id = p.id WHERE p.id = ? AND p.deleted = 0
"""


_CATEGORIES = "SELECT id, name, parent_id, version FROM categories ORDER BY name, id"


class AzureSqlStore(AzureSqlWaiting):
    async def add(self, product: Product, at: datetime) -> None:
        def work(tx: Transaction) -> None:
            with _refused(product.details):
                tx.execute(
                    """INSERT INTO products (sku, name, description, price, currency, category_id, media, version,
                                             deleted, id, opening_stock)
                       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
                       INSERT INTO stock (product_id) VALUES (?)""",
                    *_columns(product),
                    product.opening_stock,
                    product.id.bytes,
                )
            tx.tell(product.created(at))

        await self._database.transact(work)

    async def change(self, product_id: UUID, act: ProductAction, *, version: int | None = None) -> Product:
        def work(tx: Transaction) -> Product:
            product = _product(tx.fetchrow(_LOCK_PRODUCT, product_id.bytes))
            if version not in (None, product.version):
                raise Stale
            if fact := act(product):
                with _refused(product.details):
                    tx.execute(
                        """UPDATE products SET sku = ?, name = ?, description = ?, price = ?, currency = ?,
                                  category_id = ?, media = ?, version = ?, deleted = ?
                           WHERE id = ?""",
                        *_columns(product),
                    )
                tx.tell(fact)
            return product

        return await self._database.transact(work)

    async def read(self, product_id: UUID) -> Product:
        return _product(await self._database.fetchrow(_PRODUCT, product_id.bytes))

    async def page(self, wanted: Wanted, sort: Sort, after: Position | None, limit: int) -> Page:
        sql, values = listing(wanted, sort, after, limit)
        rows = await self._database.fetch(sql, *values)
        return Page([_product(row) for row in rows], position(sort, rows[-1]) if len(rows) == limit else None)

    async def add_category(self, category: Category) -> None:
        def work(tx: Transaction) -> None:
            admit(category, _parents(_lock_tree(tx)))
            tx.execute(
                "INSERT INTO categories (name, parent_id, version, id) VALUES (?, ?, ?, ?)",
                *_category_columns(category),
            )

        await self._database.transact(work)

    async def change_category(self, category_id: UUID, act: CategoryAction, version: int) -> Category:
        def work(tx: Transaction) -> Category:
            tree = _lock_tree(tx)
            category = _current(tree, category_id, version)
            act(category, _parents(tree))
            tx.execute(
                "UPDATE categories SET name = ?, parent_id = ?, version = ? WHERE id = ?",
                *_category_columns(category),
            )
            return category

        return await self._database.transact(work)

    async def delete_category(self, category_id: UUID, version: int) -> None:
        def work(tx: Transaction) -> None:
            _current(_lock_tree(tx), category_id, version)
            try:
                tx.execute("DELETE FROM categories WHERE id = ?", category_id.bytes)
            except ForeignKeyViolation as error:
                raise CategoryInUse from error

        await self._database.transact(work)

    async def read_category(self, category_id: UUID) -> Category:
        row = await self._database.fetchrow(
            "SELECT id, name, parent_id, version FROM categories WHERE id = ?", category_id.bytes
        )
        if row is None:
            raise NotFound
        return _category(row)

    async def categories(self) -> list[Category]:
        return [_category(row) for row in await self._database.fetch(_CATEGORIES)]


def _product(row: Row | None) -> Product:
    if row is None:
        raise NotFound
    category_id = UUID(bytes=row.category_id) if row.category_id else None
    return Product(
        id=UUID(bytes=row.id),
        details=Details(row.sku, row.name, row.description, row.price, row.currency, category_id),
        opening_stock=row.opening_stock,
        media=_media.decode(row.media),
        version=row.version,
        deleted=row.deleted,
        in_stock=row.on_hand > 0,
    )


def _columns(product: Product) -> tuple[Any, ...]:
    said = product.details
    category_id = said.category_id and said.category_id.bytes
    media = msgspec.json.encode(product.media).decode()
    values = (said.sku, said.name, said.description, said.price, said.currency, category_id, media)
    return (*values, product.version, product.deleted, product.id.bytes)


@contextmanager
def _refused(details: Details) -> Iterator[None]:
    try:
        yield
    except UniqueViolation as error:
        raise SkuTaken("sku", f"another product has the SKU {details.sku}") from error
    except ForeignKeyViolation as error:
        raise Invalid("category_id", f"there is no category {details.category_id}") from error


def _lock_tree(tx: Transaction) -> dict[UUID, Category]:
    """One change at a time: two that are right alone could be a circle together. Readers are not held up.

    It locks the rows and what is between them, so an empty tree, too; products may be put in a category meanwhile.
    """
    rows = tx.fetch("SELECT id, name, parent_id, version FROM categories WITH (UPDLOCK, HOLDLOCK) ORDER BY id")
    return {category.id: category for category in map(_category, rows)}


def _parents(tree: dict[UUID, Category]) -> Parents:
    return {category.id: category.parent_id for category in tree.values()}


def _current(tree: dict[UUID, Category], category_id: UUID, version: int) -> Category:
    if category_id not in tree:
        raise NotFound
    if tree[category_id].version != version:
        raise Stale
    return tree[category_id]


def _category(row: Row) -> Category:
    return Category(UUID(bytes=row.id), row.name, UUID(bytes=row.parent_id) if row.parent_id else None, row.version)


def _category_columns(category: Category) -> tuple[Any, ...]:
    parent_id = category.parent_id and category.parent_id.bytes
    return (category.name, parent_id, category.version, category.id.bytes)
