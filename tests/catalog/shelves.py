"""Stock of three products, for the tests of its rules."""

from datetime import UTC, datetime
from uuid import UUID

from libs.common.messages.catalog import (
    ReservedLine,
)
from services.catalog.stock import (
    Stock,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP, DESK, RUG = (UUID(int=n) for n in (1, 2, 3))
ORDER = UUID(int=100)


def shelves(**counts: int) -> dict[UUID, Stock]:
    """Lamps, desks and rugs."""
    stocks = {}
    for product_id, name in ((LAMP, "Lamp"), (DESK, "Desk"), (RUG, "Rug")):
        stocks[product_id] = Stock(product_id, name)
        stocks[product_id].open(counts.get(name.lower(), 0), NOON)
    return stocks


def lines(**quantities: int) -> list[ReservedLine]:
    ids = {"lamp": LAMP, "desk": DESK, "rug": RUG}
    return [ReservedLine(product_id=ids[name], quantity=quantity) for name, quantity in quantities.items()]


def figures(stock: Stock) -> tuple[int, int, int, int]:
    return stock.on_hand, stock.reserved, stock.sold, stock.received
