"""Whatever is asked of products and categories in whatever order, on every engine: the list shows what there is."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.errors import Invalid, NotFound, Stale, StoreError
from libs.common.messages import Fact
from libs.common.messages.catalog import ProductStatus
from services.catalog.domain import Category, Details, Product, Value, admit
from services.catalog.search import attribute, points, sought, terms
from services.catalog.stock import Stock
from services.catalog.store import (
    CategoryAction,
    CategoryInUse,
    Position,
    ProductAction,
    SkuTaken,
    Sort,
    Store,
    Tally,
    Wanted,
    migrate,
    open_store,
)
from tests.engines.models import Bench, Comparison, Told, compare, telling, verb

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]  # a failure is made shorter for up to five minutes

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROUNDS = {"postgres": 6, "tables": 2, "azuresql": 4}

NUMBERS = range(6)  # of what there is or was, from the oldest on and round again
SKUS = "A", "B", "a"
NAMES = "apple", "Apple", "banana", "Äpfel 🎉", "äpfel", r"100% a_b[c]\d"
SAID: tuple["Said", ...] = (
    ("published", {}),
    ("published", {"kind": "Äpfel's"}),
    ("draft", {}),
    ("archived", {"kind": 5}),
)
ASKED = ("published", None), (None, None), (None, ("kind", "5")), ("published", ("kind", "ÄPFEL'S"))
PRICES = 0, 1, 1, 2
SOUGHT = None, None, "APP", "ä", "🎉", "a banana", "b 100", "' OR 1 = 1 --"
CATEGORIES = None, 0, 1, 2  # the last may not be there yet
SEEN = None, 0, 0, -1  # how far the version that a caller has read is from the newest

Said = tuple[ProductStatus, dict[str, Value]]
Asked = tuple[ProductStatus | None, tuple[str, str] | None]
Refused = type[StoreError] | set[type[StoreError]]  # where several things are wrong, any of them may be said


@dataclass(slots=True)
class Model:
    products: dict[UUID, Product] = field(default_factory=dict)
    stocks: dict[UUID, Stock] = field(default_factory=dict)
    categories: dict[UUID, Category] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)

    def on_sale(self) -> list[Product]:
        return [product for product in self.products.values() if not product.deleted]

    def read(self, product_id: UUID) -> Product | type[StoreError]:
        product = self.products[product_id]
        return NotFound if product.deleted else replace(product)

    def write(self, product: Product, fact: Fact | None) -> Refused | None:
        """How it refuses."""
        others = [each.details.sku for each in self.on_sale() if each.id != product.id]
        wrong: set[type[StoreError]] = {SkuTaken} if product.details.sku in others and not product.deleted else set()
        if not set(product.details.category_ids) <= self.categories.keys():
            wrong |= {Invalid}
        if fact and not wrong:
            self.products[product.id] = replace(product)
            self.facts.append(fact)
        return wrong or None

    def change(self, product_id: UUID, act: ProductAction, version: int | None) -> Product | Refused:
        product = self.read(product_id)
        if not isinstance(product, Product):
            return product
        if version not in (None, product.version):
            return Stale
        return self.write(product, act(product)) or product

    def recount(self, product_id: UUID, pieces: int, at: datetime) -> Stock | type[StoreError]:
        if self.products[product_id].deleted:
            return NotFound
        stock = self.stocks.setdefault(product_id, Stock(product_id, ""))
        said = self.products[product_id].details
        stock.name, stock.sku, stock.published = said.name, said.sku, said.status == "published"
        self.facts += stock.recount(pieces, "count", at)
        self.products[product_id].in_stock = pieces > 0
        return stock

    def parents(self) -> dict[UUID, UUID | None]:
        return {category.id: category.parent_id for category in self.categories.values()}

    def add_category(self, category: Category) -> Refused | None:
        try:
            admit(category, self.parents())
        except Invalid:
            return Invalid
        self.categories[category.id] = replace(category)
        return None

    def change_category(self, category_id: UUID, act: CategoryAction, version: int) -> Category | Refused:
        category = self.categories.get(category_id)
        if category is None or category.version != version:
            return NotFound if category is None else Stale
        category = replace(category)
        try:
            act(category, self.parents())
        except Invalid:
            return Invalid
        self.categories[category_id] = category
        return replace(category)

    def delete_category(self, category_id: UUID, version: int) -> Refused | None:
        category = self.categories.get(category_id)
        if category is None or category.version != version:
            return NotFound if category is None else Stale
        within = {*self.parents().values(), *(each for one in self.on_sale() for each in one.details.category_ids)}
        if category_id in within:
            return CategoryInUse
        del self.categories[category_id]
        return None

    def page(self, wanted: Wanted, sort: Sort, after: Position | None) -> list[Product]:
        found = [product for product in self.on_sale() if self.fits(product, wanted)]
        if after:
            found = [
                each
                for each in found
                if rank(sort, value(sort, each, wanted), each.id) > rank(sort, after.value, after.id)
            ]
        return sorted(found, key=lambda product: rank(sort, value(sort, product, wanted), product.id))

    def counts(self, wanted: Wanted) -> Tally:
        found = [product for product in self.on_sale() if self.fits(product, wanted)]
        within = ({above for each in one.details.category_ids for above in self.above(each)} for one in found)
        return Tally(len(found), Counter(each for one in within for each in one))

    def fits(self, product: Product, wanted: Wanted) -> bool:
        said = product.details
        return (
            (wanted.category is None or any(wanted.category in self.above(each) for each in said.category_ids))
            and (wanted.words is None or points(terms(said), wanted.words) > 0)
            and wanted.status in (None, said.status)
            and set(wanted.attributes) <= terms(said).keys()
            and (wanted.min_price is None or wanted.min_price <= said.price)
            and (wanted.max_price is None or said.price <= wanted.max_price)
            and wanted.in_stock in (None, product.in_stock)
        )

    def above(self, category_id: UUID | None) -> list[UUID]:
        """And itself."""
        return [category_id, *self.above(self.categories[category_id].parent_id)] if category_id else []


def value(sort: Sort, product: Product, wanted: Wanted) -> str | int:
    if sort is Sort.NEWEST:
        return str(product.id)
    if sort is Sort.RELEVANCE:
        return points(terms(product.details), wanted.words or ())
    return product.details.name.lower() if sort is Sort.NAME else product.details.price


def rank(sort: Sort, value: str | int, product_id: UUID) -> tuple[str | int, int]:
    match sort:
        case Sort.NEWEST:
            return 0, -product_id.int
        case Sort.PRICE_DOWN | Sort.RELEVANCE:
            return -int(value), -product_id.int
        case _:
            return value, product_id.int


class Catalogue(Comparison):
    """Each example is dearer than the one before, so that whoever asks for no less finds nothing of the others."""

    def __init__(self, bench: Bench, store: Store) -> None:
        super().__init__(bench)
        self.store, self.model, self.at = store, Model(), NOON
        self.least = self.number * 10
        self.named = list[UUID]()  # categories, also those that could not be added
        self.ends = dict[Sort, Position]()

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def product(self, number: int) -> UUID:
        return list(self.model.products)[number % len(self.model.products)]

    def category(self, number: int | None) -> UUID | None:
        return None if number is None else self.named[number] if number < len(self.named) else self.id(99)

    def details(self, sku: str, name: str, price: int, category: int | None, said: Said) -> Details:
        """What is in the second category is in the first, too."""
        return Details(
            f"{self.number}-{sku}",
            name,
            "",
            self.least + price,
            "EUR",
            self.category(category),
            more_categories=tuple(each for each in [self.category(0)] if each and category == 1),
            status=said[0],
            attributes=said[1],
        )

    def agree(self, answered: object, expected: object) -> None:
        assert answered in expected if isinstance(expected, set) else answered == expected

    def begin(self) -> None:
        self.add_category(None)
        self.add_category(0)
        self.add("A", "apple", 1, 1, SAID[0])

    @verb(sku=SKUS, name=NAMES, price=PRICES, category=CATEGORIES, said=SAID)
    def add(self, sku: str, name: str, price: int, category: int | None, said: Said) -> None:
        details, at = self.details(sku, name, price, category, said), self.now()
        product = Product(self.id(len(self.model.products) + 1), details, opening_stock=3)
        self.agree(self.outcome(self.store.add(product, at)), self.model.write(product, product.created(at)))

    @verb(number=NUMBERS, sku=SKUS, name=NAMES, price=PRICES[:3], category=CATEGORIES, said=SAID, seen=SEEN)
    def edit(  # noqa: PLR0917  by keyword
        self, number: int, sku: str, name: str, price: int, category: int | None, said: Said, seen: int | None
    ) -> None:
        details, at = self.details(sku, name, price, category, said), self.now()
        self.change(self.product(number), lambda product: product.replace(details, at), seen)

    @verb(number=NUMBERS, seen=(0, -1, -1))
    def delete(self, number: int, seen: int | None) -> None:
        at = self.now()
        self.change(self.product(number), lambda product: product.delete(at), seen)

    def change(self, product_id: UUID, act: ProductAction, seen: int | None) -> None:
        version = None if seen is None else self.model.products[product_id].version + seen
        answered = self.outcome(self.store.change(product_id, act, version=version))
        self.agree(answered, self.model.change(product_id, act, version))
        assert self.outcome(self.store.read(product_id)) == self.model.read(product_id)

    @verb(number=NUMBERS, pieces=(1, 0))
    def recount(self, number: int, pieces: int) -> None:
        product_id, at = self.product(number), self.now()
        counted = self.store.change_stock(product_id, lambda stock: stock.recount(pieces, "count", at))
        assert self.outcome(counted) == self.model.recount(product_id, pieces, at)

    @verb(parent=CATEGORIES)
    def add_category(self, parent: int | None) -> None:
        category = Category(self.id(100 + len(self.named)), f"No. {-len(self.named)}", self.category(parent))
        self.named.append(category.id)
        self.agree(self.outcome(self.store.add_category(category)), self.model.add_category(category))

    @verb(number=(0, 1, 2), parent=CATEGORIES, seen=(0, 0, -1))
    def move_category(self, number: int, parent: int | None, seen: int) -> None:
        category_id, below = self.category(number) or self.id(99), self.category(parent)
        act: CategoryAction = lambda category, parents: category.replace("Moved", below, parents)  # noqa: E731
        version = self.version(category_id) + seen
        answered = self.outcome(self.store.change_category(category_id, act, version))
        self.agree(answered, self.model.change_category(category_id, act, version))

    @verb(number=(0, 1, 2), seen=(0, 0, -1))
    def delete_category(self, number: int, seen: int) -> None:
        category_id = self.category(number) or self.id(99)
        version = self.version(category_id) + seen
        answered = self.outcome(self.store.delete_category(category_id, version))
        self.agree(answered, self.model.delete_category(category_id, version))

    def version(self, category_id: UUID) -> int:
        known = self.model.categories.get(category_id)
        return known.version if known else 1

    @verb(
        sort=list(Sort),
        q=SOUGHT,
        most=(None, 1),
        category=CATEGORIES,
        in_stock=(None, True, False),
        size=(2, 1, 9),
        asked=ASKED,
    )
    def page(  # noqa: PLR0917  by keyword
        self,
        sort: Sort,
        q: str | None,
        most: int | None,
        category: int | None,
        in_stock: bool | None,
        size: int,
        asked: Asked,
    ) -> None:
        """Goes on where the last page in this order has ended, whatever has happened since."""
        highest = None if most is None else self.least + most
        words, terms_ = None if q is None else sought(q), [attribute(*asked[1])] if asked[1] else []
        sort = Sort.NEWEST if words is None and sort is Sort.RELEVANCE else sort
        after = self.ends.pop(sort, None)
        wanted = Wanted(self.category(category), words, self.least, highest, in_stock, asked[0], terms_)
        expected = self.model.page(wanted, sort, after)[:size]

        page = self.run(self.store.page(wanted, sort, after, size))

        assert page.products == expected
        assert page.end == (
            Position(sort, value(sort, expected[-1], wanted), expected[-1].id) if len(expected) == size else None
        )
        if page.end:
            self.ends[sort] = page.end

    def look(self, told: Told) -> None:
        for product_id in self.model.products:
            assert self.outcome(self.store.read(product_id)) == self.model.read(product_id)
        for sort in (each for each in Sort if each is not Sort.RELEVANCE):
            assert self.pages(sort, 2) == self.model.page(Wanted(status=None), sort, None)
        mine = Wanted(min_price=self.least, status=None)
        assert self.run(self.store.counts(mine)) == self.model.counts(mine)
        ours = [category for category in self.run(self.store.categories()) if category.id in self.named]
        assert ours == sorted(self.model.categories.values(), key=lambda category: (category.name, category.id))
        assert told == telling(self.model.facts)

    def pages(self, sort: Sort, size: int) -> list[Product]:
        """Put together again."""
        wanted = Wanted(min_price=self.least, status=None)
        page = self.run(self.store.page(wanted, sort, None, size))
        products = page.products
        while page.end:
            page = self.run(self.store.page(wanted, sort, page.end, size))
            products += page.products
        return products


async def test_the_list_shows_what_there_is(any_database: Database) -> None:
    await migrate(any_database)
    store = await open_store(any_database)

    await compare(Catalogue, lambda bench: Catalogue(bench, store), any_database, rounds=ROUNDS[any_database.engine])
