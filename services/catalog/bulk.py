"""What becomes of many products that are written at once, pure: each is new, or replaces what has its SKU."""

from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import structs

from libs.common.errors import Invalid
from libs.common.messages import Fact
from services.catalog.domain import Details, Product


class Outcome(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(slots=True)
class Batch:
    """`known` are the products that are there, by SKU; what is new or changed is to be written with the facts."""

    known: dict[str, Product]
    categories: Container[UUID]
    keeping: Container[UUID] = ()  # those of the wanted that say no status
    new: dict[UUID, Product] = field(default_factory=dict)
    changed: dict[UUID, Product] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)

    @property
    def added(self) -> list[Product]:
        """In one order for all who add some: else two could wait for each other."""
        return sorted(self.new.values(), key=lambda product: product.details.sku)

    def put_all(self, wanted: Iterable[Product], at: datetime) -> list[Outcome | Invalid]:
        """In their order: of two with one SKU the second replaces the first."""
        return [self._put(product, at) for product in wanted]

    def _put(self, product: Product, at: datetime) -> Outcome | Invalid:
        said = product.details
        if missing := [each for each in said.category_ids if each not in self.categories]:
            return unknown_categories(missing)
        known = self.known.setdefault(said.sku, product)
        if known is product:
            self.new[product.id] = product
            self.facts.append(product.created(at))
            return Outcome.CREATED
        if (fact := known.replace(over(known, product, self.keeping), at)) is None:
            return Outcome.UNCHANGED
        self.facts.append(fact)
        if known.id not in self.new:
            self.changed[known.id] = known
        return Outcome.UPDATED


def over(known: Product, product: Product, keeping: Container[UUID]) -> Details:
    """What becomes of the one where the other replaces it."""
    said = product.details
    return structs.replace(said, status=known.details.status) if product.id in keeping else said


def unknown_categories(these: Collection[UUID]) -> Invalid:
    said = ", ".join(map(str, these))
    return Invalid("category_ids", f"there is no category {said}" if len(these) == 1 else f"one is no category: {said}")
