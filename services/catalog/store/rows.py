"""What is kept of the catalogue, as rows of tables: the same on every engine."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import field

from libs.common.archive import MESSAGING, Row
from libs.common.messages.catalog import ReservedLine
from services.catalog.domain import TAX_RATE, Media, Product, Value
from services.catalog.reservations import ReservationStatus


class CategoryRow(Row, frozen=True, kw_only=True):
    table = "categories"
    sorted_by = ("id",)

    id: UUID
    name: str
    parent_id: UUID | None
    version: int


class ProductRow(Row, frozen=True, kw_only=True):
    """What it is found by is not moved, but made anew."""

    table = "products"
    sorted_by = ("id",)

    id: UUID
    sku: str
    name: str
    description: str
    price: int
    currency: str
    category_id: UUID | None
    opening_stock: int
    media: list[Media]
    version: int
    deleted: bool
    more_categories: list[UUID] = field(default_factory=list)
    attributes: dict[str, Value] = field(default_factory=dict)
    status: str = "published"
    tax_rate: int = TAX_RATE


class StockRow(Row, frozen=True, kw_only=True):
    """One for each product, also where it was never counted."""

    table = "stock"
    sorted_by = ("product_id",)

    product_id: UUID
    on_hand: int
    reserved: int
    sold: int
    received: int
    version: int
    reorder_level: int | None
    waiting: int
    recorded: int


class ReservationRow(Row, frozen=True, kw_only=True):
    table = "reservations"
    sorted_by = ("order_id",)

    order_id: UUID
    status: str
    returned: bool
    lines: Sequence[ReservedLine]
    version: int


class MovementRow(Row, frozen=True, kw_only=True):
    table = "movements"
    sorted_by = ("product_id", "version")

    product_id: UUID
    version: int
    kind: str
    on_hand: int
    reserved: int
    sold: int
    received: int
    reason: str
    order_id: UUID | None
    at: datetime


class WaitingRow(Row, frozen=True, kw_only=True):
    table = "waiting"
    sorted_by = ("product_id", "customer_id")

    product_id: UUID
    customer_id: UUID
    since: datetime


class ReceiptRow(Row, frozen=True, kw_only=True):
    """What was answered to a delivery."""

    table = "receipts"
    sorted_by = ("product_id", "key")

    product_id: UUID
    key: str
    fingerprint: bytes
    answer: bytes


ROWS: tuple[type[Row], ...] = (
    CategoryRow,
    ProductRow,
    StockRow,
    ReservationRow,
    MovementRow,
    WaitingRow,
    ReceiptRow,
    *MESSAGING,
)


def plain(product: Product) -> dict[str, Any]:
    """Of a product's columns those that are the same in every database that speaks SQL."""
    said = product.details
    return {
        "id": product.id,
        "sku": said.sku,
        "name": said.name,
        "description": said.description,
        "price": said.price,
        "currency": said.currency,
        "category_id": said.category_id,
        "opening_stock": product.opening_stock,
        "version": product.version,
        "status": said.status,
        "tax_rate": said.tax_rate,
    }


def kept_status(status: ReservationStatus) -> tuple[str, bool]:
    """What came back is kept as sold, and a mark: the version before this one knows no more than that it was sold."""
    returned = status is ReservationStatus.RETURNED
    return str(ReservationStatus.SOLD if returned else status), returned


def status_of(kept: str, *, returned: bool) -> ReservationStatus:
    return ReservationStatus.RETURNED if returned else ReservationStatus(kept)
