"""Products in Table Storage: with each go an entity for every list it is on, one for its SKU, one for its category.

All are in one partition, so they change together; it bears some 2,000 entities in a second. What is asked for beyond
the order of a list is looked for while walking along it, which ends after MOST_WALKED entities.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Container, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.abreast import of_each
from libs.common.entities import Change, Entity
from libs.common.errors import Invalid, NotFound, Stale, Unavailable
from libs.common.messages import Fact
from services.catalog.bulk import Outcome, over, unknown_categories
from services.catalog.domain import Details, Product
from services.catalog.store import MOST_RANKED, Page, Position, ProductAction, SkuTaken, Sort, Tally, TooWide, Wanted
from services.catalog.store.tables_categories import CATALOG, Categories, parents_of, row_of_category
from services.catalog.store.tables_search import HIGHEST_PRICE, Best, Filter, lineage, prices

MOST_WALKED = 10_000
LONGEST_STEP = 1000
PUT_AT_ONCE = 8
MOST_TRIES = 5
LISTED = (Sort.NEWEST, Sort.NAME, Sort.PRICE, Sort.PRICE_DOWN)  # what is found best is known when it is asked for
NAME_BYTES = 220  # as much of a name as a row's 1 KiB has room for, in hexadecimal
HIGHEST_ID = 2**128 - 1

_product = msgspec.json.Decoder(Product)


class Products(Categories):
    most_walked, most_ranked = MOST_WALKED, MOST_RANKED

    async def add(self, product: Product, at: datetime) -> None:
        async def attempt() -> None:
            change = Change(CATALOG)
            await self._admit(change, product.details, None)
            change.create(row_of(product.id), msgspec.json.encode(product))
            _list_anew(change, {}, lists_of(product))
            change.tell(product.created(at))
            await self._table.submit(change)

        await self._table.retried(f"sku {product.details.sku}", attempt)

    async def change(self, product_id: UUID, act: ProductAction, *, version: int | None = None) -> Product:
        async def attempt() -> Product:
            entity, product = await self._on_sale(product_id)
            if version not in (None, product.version):
                raise Stale
            before, change = replace(product), Change(CATALOG)
            fact = act(product)
            if product != before:
                await self._admit(change, product.details, before.details)
                _rewrite(change, entity, product, before)
            if fact:
                change.tell(fact)
            if change.operations:
                await self._table.submit(change)
            return product

        return await self._table.retried(row_of(product_id), attempt)

    async def list_as(self, entity: Entity, product: Product, *, in_stock: bool) -> None:
        """Raises Overtaken."""
        change = Change(CATALOG)
        _rewrite(change, entity, replace(product, in_stock=in_stock), product)
        await self._table.submit(change)

    async def _admit(self, change: Change, said: Details, before: Details | None) -> None:
        """Raises SkuTaken or Invalid. The categories are written, too, so that nobody deletes one at the same time."""
        anew = before is None or said.sku != before.sku
        if anew and await self._table.read(CATALOG, f"u|{said.sku}"):
            raise SkuTaken("sku", f"another product has the SKU {said.sku}")
        known = before.category_ids if before else ()
        for category_id in dict.fromkeys(each for each in said.category_ids if each not in known):
            category = await self._table.read(CATALOG, row_of_category(category_id))
            if category is None:
                raise unknown_categories([category_id])
            change.replace(category, category.body)

    async def _on_sale(self, product_id: UUID) -> tuple[Entity, Product]:
        """Raises NotFound."""
        entity, product = await self.known(product_id)
        if product.deleted:
            raise NotFound
        return entity, product

    async def known(self, product_id: UUID) -> tuple[Entity, Product]:
        """Deleted ones, too. Raises NotFound."""
        entity = await self._table.read(CATALOG, row_of(product_id))
        if entity is None:
            raise NotFound
        return entity, _product.decode(entity.body)

    async def put_all(
        self, products: Sequence[Product], at: datetime, *, keeping: Container[UUID] = ()
    ) -> list[Outcome | Invalid]:
        async def put(product: Product) -> Outcome | Invalid:
            async with self._table.turn(f"put {product.details.sku}"):
                return await self._put(product, at, keeping)

        return await of_each(put, products, PUT_AT_ONCE)

    async def _put(self, product: Product, at: datetime, keeping: Container[UUID]) -> Outcome | Invalid:
        for _ in range(MOST_TRIES):
            known = await self._table.read(CATALOG, f"u|{product.details.sku}")
            try:
                return await self._put_over(product, at, UUID(bytes=known.body) if known else None, keeping)
            except (SkuTaken, NotFound):  # added or deleted meanwhile
                continue
            except Invalid as refusal:
                return refusal
        raise Unavailable("others write the same product; try again")

    async def _put_over(self, product: Product, at: datetime, known: UUID | None, keeping: Container[UUID]) -> Outcome:
        """Raises SkuTaken, NotFound or Invalid."""
        if known is None:
            await self.add(product, at)
            return Outcome.CREATED
        facts = list[Fact | None]()

        def act(found: Product) -> Fact | None:
            facts.append(found.replace(over(found, product, keeping), at))
            return facts[-1]

        await self.change(known, act)
        return Outcome.UPDATED if facts[-1] else Outcome.UNCHANGED

    async def index_anew(self) -> None:
        """Nothing is indexed."""

    async def page(self, wanted: Wanted, sort: Sort, after: Position | None, limit: int) -> Page:
        """Raises TooWide."""
        fits, products = (await self._filter(wanted)).fits, list[Product]()
        if sort is Sort.RELEVANCE:
            return await self._best(fits, Best(wanted, after, limit, []))
        async for product in self._walk(wanted, sort, after, limit):
            if fits(product):
                products.append(product)
            if len(products) == limit:
                return Page(products, Position(sort, _sorted_by(sort, product), product.id))
        return Page(products, None)

    async def _best(self, fits: Callable[[Product], bool], best: Best) -> Page:
        """The list is walked along until so many are found that no others are ranked."""
        taken = 0
        async for product in self._walk(best.wanted, Sort.NEWEST, None, LONGEST_STEP):
            if fits(product):
                best.take(product)
                taken += 1
            if taken == self.most_ranked:
                break
        return Page(*best.page())

    async def counts(self, wanted: Wanted) -> Tally:
        """Raises TooWide."""
        parents = parents_of((await self._tree())[1])
        fits, total, counts = Filter(wanted, parents).fits, 0, Counter[UUID]()
        async for product in self._walk(wanted, Sort.NEWEST, None, LONGEST_STEP):
            if fits(product):
                total += 1
                counts.update(set(lineage(product, parents)))
        return Tally(total, counts)

    async def _walk(self, wanted: Wanted, sort: Sort, after: Position | None, limit: int) -> AsyncIterator[Product]:
        """In steps that become longer, for whoever has to walk far."""
        first, below = _bounds(wanted, sort)
        if after:
            first = max(first, _beyond(_place(sort, after.value, after.id)))
        step, walked = limit, 0
        while found := await self._table.range(CATALOG, first, below, step):
            for entity in found:
                yield _product.decode(entity.body)
            walked += len(found)
            if len(found) < step:
                return
            if walked >= self.most_walked:
                raise TooWide
            first, step = _beyond(found[-1].row), min(2 * step, LONGEST_STEP)

    async def _filter(self, wanted: Wanted) -> Filter:
        return Filter(wanted, parents_of((await self._tree())[1]) if wanted.category else {})


def row_of(product_id: UUID) -> str:
    return f"p|{product_id}"


def lists_of(product: Product) -> dict[str, bytes]:
    """Every entity that lists it, with the whole of it in each: a page is one query."""
    if product.deleted:
        return {}
    said, body = product.details, msgspec.json.encode(product)
    lists = {_place(sort, _sorted_by(sort, product), product.id): body for sort in LISTED}
    lists[f"u|{said.sku}"] = product.id.bytes
    lists |= {f"m|{category_id}|{product.id}": b"" for category_id in said.category_ids}
    return lists


def _rewrite(change: Change, entity: Entity, product: Product, before: Product) -> None:
    change.replace(entity, msgspec.json.encode(product))
    _list_anew(change, lists_of(before), lists_of(product))


def _list_anew(change: Change, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    for row in before.keys() - after.keys():
        change.remove(row)
    for row, body in after.items():
        if row not in before:
            change.create(row, body)
        elif body != before[row]:
            change.put(row, body)


def _sorted_by(sort: Sort, product: Product) -> str | int:
    match sort:
        case Sort.NEWEST:
            return str(product.id)
        case Sort.NAME:
            return product.details.name.lower()
        case _:
            return product.details.price


def _place(sort: Sort, value: str | int, product_id: UUID) -> str:
    """The row of a product on a list. Rows sort as text, ascending only: what goes down is counted from above."""
    match sort:
        case Sort.NEWEST:
            return f"l-newest|{HIGHEST_ID - product_id.int:032x}"
        case Sort.NAME:
            # "!" comes before every digit, so a name comes before those that begin with it.
            return f"l-name|{str(value).encode()[:NAME_BYTES].hex()}!{product_id.hex}"
        case Sort.PRICE:
            return f"l-price|{value:012}|{product_id.hex}"
        case _:
            return f"l-price-down|{HIGHEST_PRICE - int(value):012}|{HIGHEST_ID - product_id.int:032x}"


def _bounds(wanted: Wanted, sort: Sort) -> tuple[str, str]:
    """The first row, and one that is beyond the last: the lists by price begin and end where they are asked to."""
    least, most = prices(wanted)
    match sort:
        case Sort.NEWEST:
            return "l-newest|", "l-newest}"
        case Sort.NAME:
            return "l-name|", "l-name}"
        case Sort.PRICE:
            return f"l-price|{least:012}", f"l-price|{most:012}~"
        case _:
            return f"l-price-down|{HIGHEST_PRICE - most:012}", f"l-price-down|{HIGHEST_PRICE - least:012}~"


def _beyond(row: str) -> str:
    """No row of a list is the beginning of another: they all end with an id."""
    return f"{row}!"
