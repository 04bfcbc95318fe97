"""Whatever is asked of products and categories in whatever order, on every engine: the list shows what there is."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.database import Database
from services.catalog.domain import Category, Details, Product
from services.catalog.search import attribute, sought
from services.catalog.store import (
    CategoryAction,
    Position,
    ProductAction,
    Sort,
    Store,
    Wanted,
    migrate,
    open_store,
)
from tests.catalog.model import Asked, Model, Said, value
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
