"""The rules of products and their categories, pure. Those of stock are next door."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from typing import TypedDict
from uuid import UUID

from libs.common.errors import Conflict, Invalid, NotFound, StoreError
from libs.common.messages.catalog import ProductCreated, ProductDeleted, ProductStatus, ProductUpdated

MOST_MEDIA = 20  # of one product
MOST_CATEGORIES = 1000  # they are listed on one page
TAX_RATE = 1900  # basis points: 19 %, where nothing else is said
SIGNATURES = {  # how the files of each type begin: b"RIFF" and, four bytes on, b"WEBP"
    "image/png": {0: b"\x89PNG\r\n\x1a\n"},
    "image/jpeg": {0: b"\xff\xd8\xff"},
    "image/webp": {0: b"RIFF", 8: b"WEBP"},
}

Parents = Mapping[UUID, UUID | None]  # every category's
Value = bool | int | float | str  # of an attribute


class TooManyMedia(Conflict):
    """The product has as many images as it can have; delete one first."""


class TooManyCategories(Conflict):
    """There are as many categories as there can be; delete one first."""


class UnsupportedImage(StoreError):
    """Send an image/png, image/jpeg or image/webp, and say so in Content-Type."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


@dataclass(frozen=True, slots=True)
class Details:
    """What staff say of a product; `price` in minor units, `tax_rate` in basis points."""

    sku: str
    name: str
    description: str
    price: int
    currency: str
    category_id: UUID | None  # the first of its categories: the version before knows one
    more_categories: tuple[UUID, ...] = ()
    attributes: Mapping[str, Value] = field(default_factory=dict)
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
class Media:
    id: UUID
    url: str
    content_type: str


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

    def show(self, media: Media, at: datetime) -> ProductUpdated:
        if len(self.media) >= MOST_MEDIA:
            raise TooManyMedia
        self.media = [*self.media, media]
        return self._updated(at)

    def hide(self, media_id: UUID, at: datetime) -> ProductUpdated:
        kept = [media for media in self.media if media.id != media_id]
        if kept == self.media:
            raise NotFound
        self.media = kept
        return self._updated(at)

    def delete(self, at: datetime) -> ProductDeleted:
        """Its name stays known, for orders that are under way; its SKU and its categories are free again."""
        self.details = replace(self.details, category_id=None, more_categories=())
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


def check_image(content_type: str, content: bytes) -> None:
    """Raises UnsupportedImage, or Invalid where it is something else than it is said to be."""
    if content_type not in SIGNATURES:
        raise UnsupportedImage
    if not all(content.startswith(part, place) for place, part in SIGNATURES[content_type].items()):
        raise Invalid("body", f"this is no {content_type}")


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
