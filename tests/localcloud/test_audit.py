"""Each law finds what breaks it, and nothing else."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from msgspec import structs

from localcloud.audit import report, violations
from localcloud.books import NOBODY, Books, Letter, Offer, Order, Payment, Reservation, Stock

MUG, LAMP = UUID(int=1), UUID(int=2)
BOUGHT, REFUSED = UUID(int=11), UUID(int=12)
ADA = UUID(int=21)

STOCKS = [Stock(MUG, received=10, on_hand=8, reserved=0, sold=2), Stock(LAMP, 0, 0, 0, 0)]
PRICED = Offer("M-1", "Mug", 250, "EUR", version=3, tax_rate=1900)
LETTERS = [
    Letter(f"<confirmed-{BOUGHT}@store>", str(BOUGHT), "Your order is confirmed"),
    Letter(f"<rejected-{REFUSED}@store>", str(REFUSED), "Your order could not be accepted"),
    *(Letter(f"<back-in-stock-{each}@store>", "", "Back in stock: Mug") for each in range(2)),
]
BALANCED = Books(
    stocks=STOCKS,
    rebuilt=STOCKS[:1],  # nothing has moved of what was never counted
    offered={MUG: PRICED, LAMP: PRICED},
    listed={MUG: PRICED, LAMP: PRICED},
    reservations={BOUGHT: Reservation("sold", Counter({MUG: 2})), REFUSED: Reservation("refused", Counter())},
    orders={
        BOUGHT: Order(ADA, "confirmed", Counter({MUG: 2}), ["placed", "confirmed"], total=500),
        REFUSED: Order(ADA, "rejected", Counter({LAMP: 1}), ["placed", "rejected"], total=70),
    },
    keys=Counter({BOUGHT: 1, REFUSED: 1}),
    letters=LETTERS,
    payments={BOUGHT: Payment("captured", [("authorised", 500), ("captured", 500)]), REFUSED: Payment("declined", [])},
    waiting={},
    dead={},
)


def listed(*offers: tuple[UUID, Offer]) -> Callable[[Books], Books]:
    return lambda books: replace(books, listed=dict(offers))


def stock(*parts: int) -> Callable[[Books], Books]:
    """So the ledger says, too."""
    return lambda books: replace(books, stocks=[Stock(MUG, *parts), books.stocks[1]], rebuilt=[Stock(MUG, *parts)])


def ledger(*parts: int) -> Callable[[Books], Books]:
    return lambda books: replace(books, rebuilt=[Stock(MUG, *parts)])


def order(status: str, *history: str) -> Callable[[Books], Books]:
    changed = replace(BALANCED.orders[BOUGHT], status=status, history=list(history))
    return lambda books: replace(books, orders=books.orders | {BOUGHT: changed})


def reservation(status: str, pieces: int = 2) -> Callable[[Books], Books]:
    changed = Reservation(status, Counter({MUG: pieces}))
    return lambda books: replace(books, reservations=books.reservations | {BOUGHT: changed})


def paid(order_id: UUID, *movements: tuple[str, int]) -> Callable[[Books], Books]:
    changed = Payment(movements[-1][0] if movements else "declined", list(movements))
    return lambda books: replace(books, payments=books.payments | {order_id: changed})


def back(books: Books) -> Books:
    return order("returned", "placed", "confirmed", "shipped", "delivered", "returned")(books)


def on_hand_again(books: Books) -> Books:
    return reservation("returned")(back(stock(10, 10, 0, 0)(books)))


def refunded(books: Books) -> Books:
    return paid(BOUGHT, ("authorised", 500), ("captured", 500), ("refunded", 500))(books)


def without_order(books: Books) -> Books:
    return replace(books, orders={REFUSED: books.orders[REFUSED]})


BROKEN: dict[str, tuple[Callable[[Books], Books], set[int]]] = {
    "a piece is lost": (stock(10, 7, 0, 2), {1}),
    "stock is negative": (stock(1, -1, 0, 2), {1}),
    "the ledger lacks a movement": (ledger(10, 10, 0, 0), {1}),
    "the ledger is lost": (lambda books: replace(books, rebuilt=[]), {1}),
    "the ledger tells of a product that is none": (
        lambda books: replace(books, rebuilt=[*books.rebuilt, Stock(UUID(int=3), 1, 1, 0, 0)]),
        {1},
    ),
    "an order is not settled": (order("placed", "placed"), {2, 3, 4, 8}),
    "an order is settled twice": (order("confirmed", "placed", "rejected", "confirmed"), {2}),
    "a transition is there twice": (order("confirmed", "placed", "confirmed", "confirmed"), {2}),
    "the history ends otherwise": (order("rejected", "placed", "confirmed"), {2, 3, 8}),
    "stock is still held": (reservation("held"), {3}),
    "stock is sold short": (reservation("sold", pieces=1), {3}),
    "what came back is still sold": (lambda books: refunded(back(books)), {3}),
    "stock is sold for a rejected order": (order("rejected", "placed", "rejected"), {3, 4, 8}),
    "stock is sold twice": (stock(10, 6, 0, 4), {3}),
    "stock is sold that was never counted": (lambda books: replace(books, stocks=[], rebuilt=[]), {3}),
    "a customer was not told": (lambda books: replace(books, letters=[]), {4}),
    "a customer was told twice, under another Message-ID": (
        lambda books: replace(books, letters=[*LETTERS, replace(LETTERS[0], message_id="<another@store>")]),
        {4},
    ),
    "a message waits": (lambda books: replace(books, waiting={"queue orders": 1}), {5}),
    "a message is dead": (lambda books: replace(books, dead={"queue orders": 1}), {5}),
    "an acknowledged order is gone": (without_order, {3, 6, 8}),
    "an order was not paid": (lambda books: replace(books, payments={}), {8}),
    "an order is only authorised": (paid(BOUGHT, ("authorised", 500)), {8}),
    "an order is paid short": (paid(BOUGHT, ("authorised", 500), ("captured", 499)), {8}),
    "an order is charged twice": (paid(BOUGHT, ("captured", 500), ("captured", 500), ("refunded", 500)), {8}),
    "a rejected order was paid": (paid(REFUSED, ("authorised", 70), ("captured", 70)), {8}),
    "a rejected order's payment stays authorised": (paid(REFUSED, ("authorised", 70)), {8}),
    "what came back was not refunded": (on_hand_again, {8}),
    "an order that is not there was paid": (paid(UUID(int=99), ("authorised", 1), ("captured", 1)), {8}),
    "one order has two keys": (lambda books: replace(books, keys=Counter({BOUGHT: 2, REFUSED: 1})), {6}),
    "a product is not on the price list": (listed((MUG, PRICED)), {9}),
    "an old price is on the list": (listed((MUG, structs.replace(PRICED, price=249)), (LAMP, PRICED)), {9}),
    "what was told last was not heard": (listed((MUG, structs.replace(PRICED, version=2)), (LAMP, PRICED)), {9}),
    "what is not offered any more is still on the list": (
        lambda books: replace(books, offered={MUG: PRICED}),
        {9},
    ),
    "an order has no key": (lambda books: replace(books, keys=Counter({BOUGHT: 1})), {6}),
}


def test_books_that_balance_break_no_law() -> None:
    assert violations(BALANCED) == []


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_found(name: str) -> None:
    damage, laws = BROKEN[name]

    found = violations(damage(BALANCED))

    assert {violation.law for violation in found} == laws


def test_what_came_back_is_on_hand_again_and_refunded() -> None:
    assert violations(refunded(on_hand_again(BALANCED))) == []


def test_an_erased_customers_orders_need_neither_letter_nor_key() -> None:
    erased = {order_id: replace(order, customer_id=NOBODY) for order_id, order in BALANCED.orders.items()}

    found = violations(replace(BALANCED, orders=erased, keys=Counter(), letters=[]))

    assert found == []


def test_the_report_names_numbers_and_examples() -> None:
    broken = replace(BALANCED, waiting={f"queue {number}": number for number in range(1, 8)})
    said: list[str] = []

    report(broken, violations(broken), said.append)

    assert "  ✓ 4  " in said[3]
    assert said[4].startswith("  ✗ 5  Outboxes, queues and subscriptions are empty")
    assert said[5:11] == [
        *(f"         queue {number}: {number} waiting" for number in range(1, 6)),
        "         … and 2 more",
    ]
    assert said[-1] == "\n  2 orders, 2 products, 4 letters"
