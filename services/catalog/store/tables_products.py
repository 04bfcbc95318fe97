"""Products in Table Storage: with each go an entity for every list it is on, one for its SKU, one for its category.

All are in one partition, so they change together; it bears some 2,000 entities in a second. What is asked for beyond
the order of a list is looked for while walking along it, which ends after MOST_WALKED entities.
"""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.entities import Change, Entity
from libs.common.errors import Invalid, NotFound, Stale
from services.catalog.domain import Details, Product
from services.catalog.store import Page, Position, ProductAction, SkuTaken, Sort, TooWide, Wanted
from services.catalog.store.tables_categories import CATALOG, Categories, row_of_category

MOST_WALKED = 10_000
LONGEST_STEP = 1000
NAME_BYTES = 220  # as much of a name as a row's 1 KiB has room for, in hexadecimal
HIGHEST_PRICE = 10**12 - 1
HIGHEST_ID = 2**128 - 1

_product = msgspec.json.Decoder(Product)


class Products(Categories):
    most_walked = MOST_WALKED

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
            before, lists = product.details, lists_of(product)
            if fact := act(product):
                change = Change(CATALOG)
                await self._admit(change, product.details, before)
                change.replace(entity, msgspec.json.encode(product))
                _list_anew(change, lists, lists_of(product))
                change.tell(fact)
                await self._table.submit(change)
            return product

        return await self._table.retried(row_of(product_id), attempt)

    async def list_as(self, entity: Entity, product: Product, *, in_stock: bool) -> None:
        """Raises Overtaken."""
        before, product.in_stock = lists_of(product), in_stock
        change = Change(CATALOG)
        change.replace(entity, msgspec.json.encode(product))
        _list_anew(change, before, lists_of(product))
        await self._table.submit(change)

    async def _admit(self, change: Change, said: Details, before: Details | None) -> None:
        """Raises SkuTaken or Invalid. The category is written, too, so that nobody deletes it at the same time."""
        anew = before is None or said.sku != before.sku
        if anew and await self._table.read(CATALOG, f"u|{said.sku}"):
            raise SkuTaken("sku", f"another product has the SKU {said.sku}")
        if said.category_id and (before is None or said.category_id != before.category_id):
            category = await self._table.read(CATALOG, row_of_category(said.category_id))
            if category is None:
                raise Invalid("category_id", f"there is no category {said.category_id}")
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

    async def page(self, wanted: Wanted, sort: Sort, after: Position | None, limit: int) -> Page:
        """Raises TooWide."""
        fits, products = await self._filter(wanted), list[Product]()
        async for product in self._walk(wanted, sort, after, limit):
            if fits(product):
                products.append(product)
            if len(products) == limit:
                return Page(products, Position(sort, _sorted_by(sort, product), product.id))
        return Page(products, None)

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

    async def _filter(self, wanted: Wanted) -> Callable[[Product], bool]:
        categories = await self._with_all_below(wanted.category) if wanted.category else set[UUID]()
        sought = (wanted.q or "").lower()
        least, most = _prices(wanted)

        def fits(product: Product) -> bool:
            said = product.details
            return (
                sought in said.name.lower()
                and least <= said.price <= most
                and (wanted.category is None or said.category_id in categories)
                and wanted.in_stock in (None, product.in_stock)
            )

        return fits


def row_of(product_id: UUID) -> str:
    return f"p|{product_id}"


def lists_of(product: Product) -> dict[str, bytes]:
    """Every entity that lists it, with the whole of it in each: a page is one query."""
    if product.deleted:
        return {}
    said, body = product.details, msgspec.json.encode(product)
    lists = {_place(sort, _sorted_by(sort, product), product.id): body for sort in Sort}
    lists[f"u|{said.sku}"] = product.id.bytes
    if said.category_id:
        lists[f"m|{said.category_id}|{product.id}"] = b""
    return lists


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
        case Sort.PRICE_DOWN:
            return f"l-price-down|{HIGHEST_PRICE - int(value):012}|{HIGHEST_ID - product_id.int:032x}"


def _bounds(wanted: Wanted, sort: Sort) -> tuple[str, str]:
    """The first row, and one that is beyond the last: the lists by price begin and end where they are asked to."""
    least, most = _prices(wanted)
    match sort:
        case Sort.NEWEST:
            return "l-newest|", "l-newest}"
        case Sort.NAME:
            return "l-name|", "l-name}"
        case Sort.PRICE:
            return f"l-price|{least:012}", f"l-price|{most:012}~"
        case Sort.PRICE_DOWN:
            return f"l-price-down|{HIGHEST_PRICE - most:012}", f"l-price-down|{HIGHEST_PRICE - least:012}~"


def _prices(wanted: Wanted) -> tuple[int, int]:
    return wanted.min_price or 0, HIGHEST_PRICE if wanted.max_price is None else wanted.max_price


def _beyond(row: str) -> str:
    """No row of a list is the beginning of another: they all end with an id."""
    return f"{row}!"
