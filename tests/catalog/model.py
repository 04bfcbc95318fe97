"""What the catalogue should answer, as simply as it can be said: against it the engines are compared."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from libs.common.errors import Invalid, NotFound, Stale, StoreError
from libs.common.messages import Fact
from libs.common.messages.catalog import ProductStatus
from services.catalog.domain import Category, Product, Value, admit
from services.catalog.search import points, terms
from services.catalog.stock import Stock
from services.catalog.store import (
    CategoryAction,
    CategoryInUse,
    Position,
    ProductAction,
    SkuTaken,
    Sort,
    Tally,
    Wanted,
)

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
