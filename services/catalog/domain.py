"""The rules of products and their categories, pure. Those of stock are next door."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypedDict, get_args
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.messages.catalog import ProductCreated, ProductDeleted, ProductStatus, ProductUpdated, Size

MOST_MEDIA = 20  # of one product
MOST_CATEGORIES = 1000  # they are listed on one page
TAX_RATE = 1900  # basis points: 19 %, where nothing else is said

Parents = Mapping[UUID, UUID | None]  # every category's
Value = bool | int | float | str  # of an attribute


class TooManyMedia(Conflict):
    """The product has as many images and videos as it can have; delete one first."""


class TooManyCategories(Conflict):
    """There are as many categories as there can be; delete one first."""


class Details(Struct, frozen=True):
    """What staff say of a product; `price` in minor units, `tax_rate` in basis points.

    A Struct, for lists make many: a frozen dataclass takes ten times as long to make.
    """

    sku: str
    name: str
    description: str
    price: int
    currency: str
    category_id: UUID | None  # the first of its categories: the version before knows one
    more_categories: tuple[UUID, ...] = ()
    attributes: Mapping[str, Value] = msgspec.field(default_factory=dict)
    status: ProductStatus = "published"
    tax_rate: int = TAX_RATE

    @property
    def category_ids(self) -> tuple[UUID, ...]:
        return (self.category_id, *self.more_categories) if self.category_id else ()

    def is_(self, other: "Details") -> bool:
        """To Python 1 is True; here it is not."""
        return self == other and all(
            type(value) is type(other.attributes[name]) for name, value in self.attributes.items()
        )


@dataclass(frozen=True, slots=True)
class Variant:
    """The same image, smaller."""

    size: Size
    url: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Media:
    """An image or a video; `upload_id` where staff have put it into Blob Storage themselves."""

    id: UUID
    url: str
    content_type: str
    upload_id: UUID | None = None
    variants: tuple[Variant, ...] = ()


class _Facts(TypedDict):
    """What is told of a product."""

    product_id: UUID
    sku: str
    name: str
    price: int
    currency: str
    opening_stock: int
    tax_rate: int
    status: ProductStatus


@dataclass(slots=True)
class Product:
    id: UUID
    details: Details
    opening_stock: int = 0
    media: list[Media] = field(default_factory=list)
    version: int = 1
    deleted: bool = False
    in_stock: bool = False  # as it was when the product was read; stock decides

    def created(self, at: datetime) -> ProductCreated:
        return ProductCreated(version=self.version, at=at, **self._facts())

    def replace(self, details: Details, at: datetime) -> ProductUpdated | None:
        if details.is_(self.details):
            return None  # nothing new is true
        self.details = details
        return self._updated(at)

    def show(self, media: Media, at: datetime) -> ProductUpdated | None:
        """An upload is shown once, however often it is said to be complete."""
        if media.upload_id and self.uploaded(media.upload_id):
            return None
        self.check_room()
        self.media = [*self.media, media]
        return self._updated(at)

    @property
    def variants(self) -> int:
        """How many are shown. They only become more, as long as the version is the same."""
        return sum(len(media.variants) for media in self.media)

    def check_room(self) -> None:
        """Raises TooManyMedia."""
        if len(self.media) >= MOST_MEDIA:
            raise TooManyMedia

    def uploaded(self, upload_id: UUID) -> bool:
        return any(media.upload_id == upload_id for media in self.media)

    def vary(self, media_id: UUID, variant: Variant) -> None:
        """Nothing where the media is gone by now. It is no edit, and no news to others: who has read the product
        before may replace it after."""
        self.media = [_with(each, variant) if each.id == media_id else each for each in self.media]

    def hide(self, media_id: UUID, at: datetime) -> ProductUpdated:
        kept = [media for media in self.media if media.id != media_id]
        if kept == self.media:
            raise NotFound
        self.media = kept
        return self._updated(at)

    def delete(self, at: datetime) -> ProductDeleted:
        """Its name stays known, for orders that are under way; its SKU and its categories are free again."""
        self.details = structs.replace(self.details, category_id=None, more_categories=())
        self.deleted, self.version = True, self.version + 1
        return ProductDeleted(product_id=self.id, version=self.version, at=at)

    def _updated(self, at: datetime) -> ProductUpdated:
        self.version += 1
        return ProductUpdated(version=self.version, at=at, **self._facts())

    def _facts(self) -> _Facts:
        return {
            "product_id": self.id,
            "sku": self.details.sku,
            "name": self.details.name,
            "price": self.details.price,
            "currency": self.details.currency,
            "opening_stock": self.opening_stock,
            "tax_rate": self.details.tax_rate,
            "status": self.details.status,
        }


def _with(media: Media, variant: Variant) -> Media:
    known = {each.size: each for each in (*media.variants, variant)}
    return replace(media, variants=tuple(known[size] for size in get_args(Size) if size in known))


@dataclass(slots=True)
class Category:
    id: UUID
    name: str
    parent_id: UUID | None
    version: int = 1

    def replace(self, name: str, parent_id: UUID | None, parents: Parents) -> None:
        """Raises Invalid where the parent is not there, or is the category itself or below it."""
        _check_parent(parent_id, parents)
        above = parent_id
        while above is not None:
            if above == self.id:
                raise Invalid("parent_id", "a category can't be below itself")
            above = parents[above]
        self.name, self.parent_id, self.version = name, parent_id, self.version + 1


def admit(category: Category, parents: Parents) -> None:
    """Raises Invalid or TooManyCategories."""
    _check_parent(category.parent_id, parents)
    if len(parents) >= MOST_CATEGORIES:
        raise TooManyCategories


def _check_parent(parent_id: UUID | None, parents: Parents) -> None:
    if parent_id is not None and parent_id not in parents:
        raise Invalid("parent_id", f"there is no category {parent_id}")
