"""Orders to try the rules on, and every verb done to one."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

from libs.common.messages import Fact
from services.orders.domain import Order, Price, Wanted, place
from services.orders.transitions import Verb

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP, DESK, RUG, GIFT = (UUID(int=n) for n in (1, 2, 3, 4))
PRICES = {
    LAMP: Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=1),
    DESK: Price(DESK, "DESK", "Desk", 25000, "EUR", version=3),
    RUG: Price(RUG, "RUG", "Rug", 9900, "USD", version=1),
    GIFT: Price(GIFT, "GIFT", "Gift", 0, "EUR", version=1),
}


def placed(*wanted: Wanted) -> Order:
    return place(uuid4(), uuid4(), wanted or (Wanted(LAMP, 2), Wanted(DESK, 1)), PRICES, NOON)


DO: dict[Verb, Callable[[Order], Fact | None]] = {
    Verb.CONFIRM: lambda order: order.confirm(NOON),
    Verb.REJECT: lambda order: order.reject("sold out", NOON),
    Verb.EXPIRE: lambda order: order.expire(NOON),
    Verb.CANCEL: lambda order: order.cancel("changed my mind", NOON),
    Verb.SHIP: lambda order: order.ship("DHL", "JJD1", NOON),
    Verb.DELIVER: lambda order: order.deliver(NOON),
    Verb.RETURN: lambda order: order.take_back("too small", NOON),
}
