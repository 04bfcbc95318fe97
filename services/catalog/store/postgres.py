"""The catalogue in PostgreSQL."""

from collections.abc import Container, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from uuid import UUID

from asyncpg import ForeignKeyViolationError, Record, UniqueViolationError

from libs.common.errors import Invalid, NotFound, Stale, Unavailable
from libs.common.postgres import Postgres, Transaction
from libs.common.together import Together
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
from services.catalog.store.postgres_list import FEW, counting, counts_of, listing, position
from services.catalog.store.postgres_products import (
    MOST_AT_ONCE,
    PRODUCT,
    READ,
    add,
    index_some,
    product_of,
    refused,
    write,
)
from services.catalog.store.postgres_waiting import PostgresWaiting

SCHEMA = Path(__file__).with_name("postgres.sql").read_text()
MOST_TRIES = 5
MOST_READ = 64  # at once

_CATEGORIES = "SELECT id, name, parent_id, version FROM categories"
_SAME_SKU = f"{PRODUCT} WHERE p.sku = ANY($1::text[]) AND NOT p.deleted ORDER BY p.id FOR UPDATE OF p"
_SAME_CATEGORIES = "SELECT id FROM categories WHERE id = ANY($1::uuid[]) ORDER BY id FOR KEY SHARE"
_GONE = """
DELETE FROM product_categories l USING products p WHERE p.id = l.product_id AND p.deleted AND l.category_id = $1
"""


class PostgresStore(PostgresWaiting):
    most_ranked, few = MOST_RANKED, FEW

    def __init__(self, database: Postgres) -> None:
        super().__init__(database)
        self._indexed_at = -INDEXED_EVERY_SECONDS
        self._reading = Together(self._read_all, MOST_READ)

    async def index_anew(self) -> None:
        while await self._index_some() == MOST_AT_ONCE:
            continue
        self._indexed_at = monotonic()

    async def _index_some(self) -> int:
        async with self._database.transaction() as tx:
            return await index_some(tx)

    async def add(self, product: Product, at: datetime) -> None:
        async with self._database.transaction() as tx:
            with refused(product.details):
                await add(tx, [product])
            await tx.tell(product.created(at))

    async def change(self, product_id: UUID, act: ProductAction, *, version: int | None = None) -> Product:
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(f"{PRODUCT} WHERE p.id = $1 AND NOT p.deleted FOR UPDATE OF p", product_id)
            product = product_of(row)
            if version not in (None, product.version):
                raise Stale
            before, fact = replace(product), act(product)
            if product != before:
                with refused(product.details):
                    await write(tx, [product])
            if fact:
                await tx.tell(fact)
        return product

    async def read(self, product_id: UUID) -> Product:
        return product_of(await self._reading.answer(product_id))

    async def _read_all(self, product_ids: Sequence[UUID]) -> list[Record | None]:
        found = {row["id"]: row for row in await self._database.fetch(READ, product_ids)}
        return [found.get(product_id) for product_id in product_ids]

    async def page(self, wanted: Wanted, sort: Sort, after: Position | None, limit: int) -> Page:
        await self._be_fresh(wanted)
        sql, values = listing(wanted, sort, after, limit, ranked=self.most_ranked, few=self.few)
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
        for _ in range(MOST_TRIES):
            with suppress(UniqueViolationError):  # somebody has just added one of them
                return await self._put_all(products, at, keeping)
        raise Unavailable("others write the same products; try again")

    async def _put_all(
        self, products: Sequence[Product], at: datetime, keeping: Container[UUID]
    ) -> list[Outcome | Invalid]:
        async with self._database.transaction() as tx:
            asked = {category for product in products for category in product.details.category_ids}
            categories = {row["id"] for row in await tx.fetch(_SAME_CATEGORIES, list(asked))} if asked else set()
            rows = await tx.fetch(_SAME_SKU, [product.details.sku for product in products])
            batch = Batch({row["sku"]: product_of(row) for row in rows}, categories, keeping)
            outcomes = batch.put_all(map(replace, products), at)
            if batch.new:
                await add(tx, batch.added)
            if batch.changed:
                await write(tx, batch.changed.values())
            if batch.facts:
                await tx.tell_all(batch.facts)
        return outcomes

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
            await tx.execute(_GONE, category_id)
            try:
                await tx.execute("DELETE FROM categories WHERE id = $1", category_id)
            except ForeignKeyViolationError as error:
                raise CategoryInUse from error

    async def read_category(self, category_id: UUID) -> Category:
        return _found(await self._database.fetchrow(f"{_CATEGORIES} WHERE id = $1", category_id))

    async def categories(self) -> list[Category]:
        return [Category(**row) for row in await self._database.fetch(f"{_CATEGORIES} ORDER BY name, id")]


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
