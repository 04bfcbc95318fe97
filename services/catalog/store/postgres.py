"""The catalogue in PostgreSQL."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import ForeignKeyViolationError, Record, UniqueViolationError

from libs.common.errors import Invalid, NotFound, Stale
from libs.common.postgres import Transaction
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
from services.catalog.store.postgres_waiting import PostgresWaiting

SCHEMA = Path(__file__).with_name("postgres.sql").read_text()

_media = msgspec.json.Decoder(list[Media])

_COLUMNS = """
p.id, p.sku, p.name, p.description, p.price, p.currency, p.category_id, p.opening_stock, p.media, p.version, p.deleted,
s.on_hand > 0 AS in_stock
"""
_PRODUCT = f"SELECT {_COLUMNS} FROM products p JOIN stock s ON s.product_id = p.id"  # noqa: S608  constant texts
_CATEGORIES = "SELECT id, name, parent_id, version FROM categories"

_SORTS = {
    Sort.NEWEST: ("p.id", "<", "DESC"),
    Sort.NAME: ("lower(p.name)", ">", "ASC"),
    Sort.PRICE: ("p.price", ">", "ASC"),
    Sort.PRICE_DOWN: ("p.price", "<", "DESC"),
}

# Added to the list's WHERE where it is asked for; {} is the parameter.
_FILTERS = {
    "category": """p.category_id IN (
        WITH RECURSIVE below AS (
            SELECT {}::uuid AS id UNION SELECT c.id FROM categories c JOIN below b ON c.parent_id = b.id
        ) SELECT id FROM below)""",
    "q": "p.name ILIKE {}",
    "min_price": "p.price >= {}",
    "max_price": "p.price <= {}",
    "in_stock": "(s.on_hand > 0) = {}",
}


class PostgresStore(PostgresWaiting):
    async def add(self, product: Product, at: datetime) -> None:
        async with self._database.transaction() as tx:
            with _refused(product.details):
                await tx.execute(
                    """WITH added AS (
                           INSERT INTO products (id, sku, name, description, price, currency, category_id, media,
                                                 version, deleted, opening_stock)
                           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id
                       )
                       INSERT INTO stock (product_id) SELECT id FROM added""",
                    *_columns(product),
                    product.opening_stock,
                )
            await tx.tell(product.created(at))

    async def change(self, product_id: UUID, act: ProductAction, *, version: int | None = None) -> Product:
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(f"{_PRODUCT} WHERE p.id = $1 AND NOT p.deleted FOR UPDATE OF p", product_id)
            product = _product(row)
            if version not in (None, product.version):
                raise Stale
            if fact := act(product):
                with _refused(product.details):
                    await tx.execute(
                        """UPDATE products SET sku = $2, name = $3, description = $4, price = $5, currency = $6,
                                  category_id = $7, media = $8, version = $9, deleted = $10 WHERE id = $1""",
                        *_columns(product),
                    )
                await tx.tell(fact)
        return product

    async def read(self, product_id: UUID) -> Product:
        return _product(await self._database.fetchrow(f"{_PRODUCT} WHERE p.id = $1 AND NOT p.deleted", product_id))

    async def page(self, wanted: Wanted, sort: Sort, after: Position | None, limit: int) -> Page:
        conditions, values = _where(wanted)
        key, beyond, direction = _SORTS[sort]
        if after:
            conditions.append(f"({key}, p.id) {beyond} (${len(values) + 1}, ${len(values) + 2})")
            values += [after.value, after.id]
        rows = await self._database.fetch(
            f"""SELECT {_COLUMNS}, {key} AS sorted_by
                FROM products p JOIN stock s ON s.product_id = p.id
                WHERE {" AND ".join(conditions)}
                ORDER BY {key} {direction}, p.id {direction} LIMIT {limit:d}""",  # noqa: S608  constant texts
            *values,
        )
        return Page([_product(row) for row in rows], _position(sort, rows[-1]) if len(rows) == limit else None)

    async def add_category(self, category: Category) -> None:
        async with self._database.transaction() as tx:
            admit(category, await _lock_tree(tx))
            await tx.execute(
                "INSERT INTO categories (id, name, parent_id, version) VALUES ($1, $2, $3, $4)",
                category.id,
                category.name,
                category.parent_id,
                category.version,
            )

    async def change_category(self, category_id: UUID, act: CategoryAction, version: int) -> Category:
        async with self._database.transaction() as tx:
            parents = await _lock_tree(tx)
            category = await _category(tx, category_id, version)
            act(category, parents)
            await tx.execute(
                "UPDATE categories SET name = $2, parent_id = $3, version = $4 WHERE id = $1",
                category.id,
                category.name,
                category.parent_id,
                category.version,
            )
        return category

    async def delete_category(self, category_id: UUID, version: int) -> None:
        async with self._database.transaction() as tx:
            await _lock_tree(tx)
            await _category(tx, category_id, version)
            try:
                await tx.execute("DELETE FROM categories WHERE id = $1", category_id)
            except ForeignKeyViolationError as error:
                raise CategoryInUse from error

    async def read_category(self, category_id: UUID) -> Category:
        return _found(await self._database.fetchrow(f"{_CATEGORIES} WHERE id = $1", category_id))

    async def categories(self) -> list[Category]:
        return [Category(**row) for row in await self._database.fetch(f"{_CATEGORIES} ORDER BY name, id")]


def _product(row: Record | None) -> Product:
    if row is None:
        raise NotFound
    said = Details(row["sku"], row["name"], row["description"], row["price"], row["currency"], row["category_id"])
    return Product(
        id=row["id"],
        details=said,
        opening_stock=row["opening_stock"],
        media=_media.decode(row["media"]),
        version=row["version"],
        deleted=row["deleted"],
        in_stock=row["in_stock"],
    )


def _columns(product: Product) -> tuple[Any, ...]:
    said = product.details
    media = msgspec.json.encode(product.media).decode()
    values = (product.id, said.sku, said.name, said.description, said.price, said.currency, said.category_id)
    return (*values, media, product.version, product.deleted)


@contextmanager
def _refused(details: Details) -> Iterator[None]:
    try:
        yield
    except UniqueViolationError as error:
        raise SkuTaken("sku", f"another product has the SKU {details.sku}") from error
    except ForeignKeyViolationError as error:
        raise Invalid("category_id", f"there is no category {details.category_id}") from error


def _where(wanted: Wanted) -> tuple[list[str], list[Any]]:
    conditions, values = ["NOT p.deleted"], list[Any]()
    for name, condition in _FILTERS.items():
        value = getattr(wanted, name)
        if value is not None:
            values.append(f"%{_escaped(value)}%" if name == "q" else value)
            conditions.append(condition.format(f"${len(values)}"))
    return conditions, values


def _escaped(text: str) -> str:
    """A pattern for LIKE that matches just this."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def _position(sort: Sort, row: Record) -> Position:
    value = row["sorted_by"]
    return Position(sort, str(value) if sort is Sort.NEWEST else value, row["id"])


async def _lock_tree(tx: Transaction) -> Parents:
    """One change at a time: two that are right alone could be a circle together. Readers are not held up."""
    await tx.execute("LOCK TABLE categories IN SHARE ROW EXCLUSIVE MODE")
    return {row["id"]: row["parent_id"] for row in await tx.fetch("SELECT id, parent_id FROM categories")}


async def _category(tx: Transaction, category_id: UUID, version: int) -> Category:
    category = _found(await tx.fetchrow(f"{_CATEGORIES} WHERE id = $1", category_id))
    if category.version != version:
        raise Stale
    return category


def _found(row: Record | None) -> Category:
    if row is None:
        raise NotFound
    return Category(**row)
