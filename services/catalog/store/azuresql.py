"""The catalogue in Azure SQL."""

from collections.abc import Container, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

from libs.common.azuresql import AzureSql, ForeignKeyViolation, Row, Transaction, UniqueViolation
from libs.common.errors import Invalid, NotFound, Stale, Unavailable
from services.catalog.bulk import Batch, Outcome
from services.catalog.domain import Category, Parents, Product, admit
from services.catalog.store import (
    INDEXED_EVERY_SECONDS,
    MOST_RANKED,
    CategoryAction,
    CategoryInUse,
    Page,
    Position,
    ProductAction,
    Sort,
    Tally,
    Wanted,
)
from services.catalog.store.azuresql_list import counting, counts_of, listing, position
from services.catalog.store.azuresql_products import (
    LOCK_PRODUCT,
    MOST_AT_ONCE,
    PRODUCT,
    add,
    index_some,
    lock_categories,
    lock_same_sku,
    product_of,
    refused,
    write,
)
from services.catalog.store.azuresql_waiting import AzureSqlWaiting

SCHEMA = Path(__file__).with_name("azuresql.sql").read_text()
MOST_TRIES = 5

_CATEGORIES = "SELECT id, name, parent_id, version FROM categories ORDER BY name, id"
_GONE = """
DELETE FROM product_categories
WHERE category_id = ? AND product_id IN (SELECT p.id FROM products AS p WHERE p.deleted = 1)
"""


class AzureSqlStore(AzureSqlWaiting):
    most_ranked = MOST_RANKED

    def __init__(self, database: AzureSql) -> None:
        super().__init__(database)
        self._indexed_at = -INDEXED_EVERY_SECONDS

    async def index_anew(self) -> None:
        while await self._database.transact(index_some) == MOST_AT_ONCE:
            continue
        self._indexed_at = monotonic()

    async def add(self, product: Product, at: datetime) -> None:
        def work(tx: Transaction) -> None:
            with refused(product.details):
                add(tx, [product])
            tx.tell(product.created(at))

        await self._database.transact(work)

    async def change(self, product_id: UUID, act: ProductAction, *, version: int | None = None) -> Product:
        def work(tx: Transaction) -> Product:
            product = product_of(tx.fetchrow(LOCK_PRODUCT, product_id.bytes))
            if version not in (None, product.version):
                raise Stale
            before, fact = replace(product), act(product)
            if product != before:
                with refused(product.details):
                    write(tx, [product])
            if fact:
                tx.tell(fact)
            return product

        return await self._database.transact(work)

    async def read(self, product_id: UUID) -> Product:
        return product_of(await self._database.fetchrow(PRODUCT, product_id.bytes))

    async def page(self, wanted: Wanted, sort: Sort, after: Position | None, limit: int) -> Page:
        await self._be_fresh(wanted)
        sql, values = listing(wanted, sort, after, limit, ranked=self.most_ranked)
        rows = await self._database.fetch(sql, *values)
        return Page([product_of(row) for row in rows], position(sort, rows[-1]) if len(rows) == limit else None)

    async def counts(self, wanted: Wanted) -> Tally:
        await self._be_fresh(wanted)
        sql, values = counting(wanted)
        return counts_of(await self._database.fetch(sql, *values))

    async def _be_fresh(self, wanted: Wanted) -> None:
        """While the version before serves beside, somebody has to index what it writes."""
        if wanted.is_indexed and monotonic() - self._indexed_at > INDEXED_EVERY_SECONDS:
            await self.index_anew()

    async def put_all(
        self, products: Sequence[Product], at: datetime, *, keeping: Container[UUID] = ()
    ) -> list[Outcome | Invalid]:
        def work(tx: Transaction) -> list[Outcome | Invalid]:
            categories = lock_categories(tx, products)
            batch = Batch(lock_same_sku(tx, products), categories, keeping)
            outcomes = batch.put_all(map(replace, products), at)
            if batch.new:
                add(tx, batch.added)
            if batch.changed:
                write(tx, batch.changed.values())
            if batch.facts:
                tx.tell_all(batch.facts)
            return outcomes

        for _ in range(MOST_TRIES):
            with suppress(UniqueViolation):  # somebody has just added one of them
                return await self._database.transact(work)
        raise Unavailable("others write the same products; try again")

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
            tx.execute(_GONE, category_id.bytes)
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
