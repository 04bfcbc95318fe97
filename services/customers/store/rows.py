"""What is kept of customers, as rows of a table: the same on every engine."""

from uuid import UUID

from libs.common.archive import MESSAGING, Row
from services.customers.domain import Address


class CustomerRow(Row, frozen=True, kw_only=True):
    table = "customers"
    sorted_by = ("id",)

    id: UUID
    name: str | None
    email: str | None
    language: str | None
    address: Address | None
    status: str
    version: int


ROWS: tuple[type[Row], ...] = (CustomerRow, *MESSAGING)
