"""What the catalogue tells, and what it can be asked to do."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta, Struct

from libs.common.messages import Command, Fact

MOST_PIECES = 1_000_000  # of one product
MOST_CALLED = 100  # customers, by one fact

ProductStatus = Literal["draft", "published", "archived"]  # of a product: only what is published is for sale

Size = Literal["small", "medium", "large"]  # of a thumbnail


class ProductCreated(Fact, frozen=True, kw_only=True):
    """There is a product, and what it costs where `status` says that it is for sale; `tax_rate` in basis points."""

    type: ClassVar[str] = "store.catalog.product-created.v1"
    subject: ClassVar[str] = "product_id"

    product_id: UUID
    sku: str
    name: str
    price: int
    currency: str
    opening_stock: int = 0
    tax_rate: int = 0  # basis points; the price includes it
    status: ProductStatus = "published"


class ProductUpdated(Fact, frozen=True, kw_only=True):
    """A product's name, price, status or anything else about it is new.

    It says again with how much stock the product began: whoever hears it before ProductCreated opens the same.
    """

    type: ClassVar[str] = "store.catalog.product-updated.v1"
    subject: ClassVar[str] = "product_id"

    product_id: UUID
    sku: str
    name: str
    price: int
    currency: str
    opening_stock: int
    tax_rate: int = 0
    status: ProductStatus = "published"


class ProductDeleted(Fact, frozen=True, kw_only=True):
    """A product can no longer be bought."""

    type: ClassVar[str] = "store.catalog.product-deleted.v1"
    subject: ClassVar[str] = "product_id"

    product_id: UUID


class StockReserved(Fact, frozen=True, kw_only=True):
    """Everything the order asks for is set aside for it."""

    type: ClassVar[str] = "store.catalog.stock-reserved.v1"
    subject: ClassVar[str] = "order_id"

    order_id: UUID


class StockRefused(Fact, frozen=True, kw_only=True):
    """Nothing was set aside for the order; `reason` is for the customer to read."""

    type: ClassVar[str] = "store.catalog.stock-refused.v1"
    subject: ClassVar[str] = "order_id"

    order_id: UUID
    reason: str


class StockChanged(Fact, frozen=True, kw_only=True):
    """Staff corrected a product's count, or its stock was opened."""

    type: ClassVar[str] = "store.catalog.stock-changed.v1"
    subject: ClassVar[str] = "product_id"

    product_id: UUID
    on_hand: int
    reserved: int
    reason: str = ""


class StockLow(Fact, frozen=True, kw_only=True):
    """No more of a product is left than staff want to have. Told once, and again only after there was more."""

    type: ClassVar[str] = "store.catalog.stock-low.v1"
    subject: ClassVar[str] = "product_id"

    product_id: UUID
    sku: str
    name: str
    on_hand: int
    reorder_level: int


class StockReplenished(Fact, frozen=True, kw_only=True):
    """There is some of a product again, and customers wait for it."""

    type: ClassVar[str] = "store.catalog.stock-replenished.v1"
    subject: ClassVar[str] = "product_id"

    product_id: UUID


class BackInStock(Fact, frozen=True, kw_only=True):
    """There is some of a product again: this customer has waited to hear it. Each who has gets a fact of their own; the
    version before names up to 90 in one.
    """

    type: ClassVar[str] = "store.catalog.back-in-stock.v1"
    subject: ClassVar[str] = "product_id"

    product_id: UUID
    sku: str
    name: str
    customers: Annotated[list[UUID], Meta(max_length=MOST_CALLED)]


class ReservedLine(Struct, frozen=True, kw_only=True):
    product_id: UUID
    quantity: Annotated[int, Meta(ge=1, le=MOST_PIECES)]


class ReserveStock(Command, frozen=True, kw_only=True):
    """Set all of these aside for the order, or none."""

    type: ClassVar[str] = "store.catalog.reserve-stock.v1"
    subject: ClassVar[str] = "order_id"

    order_id: UUID
    lines: Annotated[list[ReservedLine], Meta(min_length=1)]


class OpenStock(Command, frozen=True, kw_only=True):
    """Begin to count a product's stock, unless it is counted already."""

    type: ClassVar[str] = "store.catalog.open-stock.v1"
    subject: ClassVar[str] = "product_id"

    product_id: UUID
    quantity: Annotated[int, Meta(ge=0, le=MOST_PIECES)]


class AddMediaVariant(Command, frozen=True, kw_only=True):
    """Show a product's image in this size, too, as long as the product has the image."""

    type: ClassVar[str] = "store.catalog.add-media-variant.v1"
    subject: ClassVar[str] = "product_id"

    product_id: UUID
    media_id: UUID
    size: Size
    url: Annotated[str, Meta(max_length=2000)]
    width: Annotated[int, Meta(ge=1)]
    height: Annotated[int, Meta(ge=1)]

    def id(self, cause: str) -> UUID:
        """Three of them have one cause."""
        return super().id(f"{cause} {self.size}")
