"""What is kept of orders, as rows of tables: the same on every engine."""

from datetime import datetime
from uuid import UUID

from libs.common.archive import MESSAGING, Row
from libs.common.messages.orders import OrderedLine


class OrderRow(Row, frozen=True, kw_only=True):
    table = "orders"
    sorted_by = ("id",)

    id: UUID
    customer_id: UUID
    status: str
    currency: str
    total: int
    lines: list[OrderedLine]
    reason: str
    version: int
    placed_at: datetime
    payment: str
    fulfilment: str
    carrier: str
    tracking: str
    payment_refusal: str


class HistoryRow(Row, frozen=True, kw_only=True):
    table = "history"
    sorted_by = ("order_id", "version")

    order_id: UUID
    version: int
    status: str
    at: datetime
    reason: str


class TimelineRow(Row, frozen=True, kw_only=True):
    table = "timeline"
    sorted_by = ("order_id", "mark")

    order_id: UUID
    mark: str
    kind: str
    name: str
    attempt: int
    version: int
    at: datetime
    reason: str


class KeyRow(Row, frozen=True, kw_only=True):
    table = "idempotency"
    sorted_by = ("customer_id", "key")

    customer_id: UUID
    key: str
    fingerprint: bytes
    order_id: UUID
    answer: bytes
    at: datetime


class PriceRow(Row, frozen=True, kw_only=True):
    table = "price_list"
    sorted_by = ("product_id",)

    product_id: UUID
    sku: str
    name: str
    price: int
    currency: str
    version: int
    listed: bool
    tax_rate: int


class BuyerRow(Row, frozen=True, kw_only=True):
    table = "directory"
    sorted_by = ("customer_id",)

    customer_id: UUID
    status: str
    version: int


ROWS: tuple[type[Row], ...] = (OrderRow, HistoryRow, TimelineRow, KeyRow, PriceRow, BuyerRow, *MESSAGING)
