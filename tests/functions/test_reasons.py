"""Whatever the store itself gives as a reason, it can say in German."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from functions.process_order import flaw_of
from functions.reasons import in_german
from libs.common.messages.catalog import ReservedLine, StockRefused
from libs.common.messages.orders import OrderedLine
from services.catalog.reservations import Reservation
from services.catalog.stock import Stock
from tests.functions.surroundings import LAMP, placed

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def refusals() -> Iterator[str]:
    """As the catalogue gives them."""
    gone = Stock(LAMP, name="Lamp; blue", received=5, on_hand=5, deleted=True)
    few = Stock(LAMP, name="Lamp", received=1, on_hand=1)
    for shelves in ({}, {LAMP: gone}, {LAMP: few}):
        reservation = Reservation(UUID(int=1))
        (refused,) = reservation.hold([ReservedLine(product_id=LAMP, quantity=3)], shelves, NOON)
        assert isinstance(refused, StockRefused)
        yield refused.reason


def flaws() -> Iterator[str]:
    """As process_order finds them."""

    def line(quantity: int = 1, price: int = 1) -> OrderedLine:
        return OrderedLine(product_id=LAMP, sku="L", name="Lamp", price=price, quantity=quantity)

    yield flaw_of(placed([], 0))
    yield flaw_of(placed([line(quantity=0)], 0))
    yield flaw_of(placed([line(price=-1)], -1))
    yield flaw_of(placed([line()], 2))
    yield flaw_of(placed([line(price=2**40)], 2**40))


@pytest.mark.parametrize("reason", [*refusals(), *flaws()])
def test_every_reason_of_ours_has_german_words(reason: str) -> None:
    german = in_german(reason)

    assert german
    assert german != reason


def test_several_reasons_are_translated_one_by_one() -> None:
    assert in_german("Lamp is sold out: 2 wanted, 1 left; Desk is no longer sold") == (
        "Lamp ist ausverkauft: 2 bestellt, 1 vorhanden; Desk wird nicht mehr verkauft"
    )


@pytest.mark.parametrize("reason", ["", "changed my mind", "Lamp is sold out; changed my mind", "x\ny"])
def test_other_words_are_left_to_those_who_said_them(reason: str) -> None:
    assert in_german(reason) is None


def test_what_looks_like_a_reference_in_a_name_is_a_name() -> None:
    assert in_german(r"\1 is no longer sold") == r"\1 wird nicht mehr verkauft"
