"""What is asked for beyond the order of a list in Table Storage: each product that is walked by is looked at."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from services.catalog.domain import Parents, Product
from services.catalog.search import points, terms
from services.catalog.store import Position, Sort, Wanted

HIGHEST_PRICE = 10**12 - 1


@dataclass(frozen=True, slots=True)
class Filter:
    wanted: Wanted
    parents: Parents  # of the categories, where one is asked for

    def fits(self, product: Product) -> bool:
        wanted, said = self.wanted, product.details
        least, most = prices(wanted)
        return (
            least <= said.price <= most
            and wanted.status in (None, said.status)
            and wanted.in_stock in (None, product.in_stock)
            and (wanted.category is None or wanted.category in set(lineage(product, self.parents)))
            and (not (wanted.words is not None or wanted.attributes) or self._says_so(product))
        )

    def _says_so(self, product: Product) -> bool:
        found = terms(product.details)
        said = all(term in found for term in self.wanted.attributes)
        return said and (self.wanted.words is None or points(found, self.wanted.words) > 0)


def prices(wanted: Wanted) -> tuple[int, int]:
    return wanted.min_price or 0, HIGHEST_PRICE if wanted.max_price is None else wanted.max_price


def lineage(product: Product, parents: Parents) -> Iterator[UUID]:
    """Every category that it is in or below, some of them several times."""
    for category in product.details.category_ids:
        above: UUID | None = category
        while above is not None:
            yield above
            above = parents.get(above)


@dataclass(slots=True)
class Best:
    """The first `limit` of those that come after a position, by points and the newest first."""

    wanted: Wanted
    after: Position | None
    limit: int
    ranked: list[tuple[int, int, Product]]

    def take(self, product: Product) -> None:
        rank = (points(terms(product.details), self.wanted.words or ()), product.id.int)
        if self.after is None or rank < (int(self.after.value), self.after.id.int):
            self.ranked.append((*rank, product))
        if len(self.ranked) >= 2 * self.limit:
            self._cut()

    def page(self) -> tuple[list[Product], Position | None]:
        self._cut()
        products = [product for _, _, product in self.ranked]
        if len(products) < self.limit:
            return products, None
        return products, Position(Sort.RELEVANCE, self.ranked[-1][0], products[-1].id)

    def _cut(self) -> None:
        self.ranked.sort(key=lambda each: each[:2], reverse=True)
        del self.ranked[self.limit :]
