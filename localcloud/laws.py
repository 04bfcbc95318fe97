"""What always holds when the store is at rest. Each law is a function that tells what breaks it; pure."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from uuid import UUID

from localcloud.books import NOBODY, Books, Offer, Stock

FINAL = {"confirmed", "rejected", "cancelled"}  # of an order
NOTHING_HELD = ("released", "refused")  # of a reservation


def stock_adds_up(books: Books) -> Iterator[str]:
    """Per product, received = on hand + reserved + sold; none is negative; and so says the ledger of movements."""
    rebuilt = {each.product_id: each for each in books.rebuilt}
    for stock in books.stocks:
        if (
            ledger := rebuilt.pop(stock.product_id, replace(stock, received=0, on_hand=0, reserved=0, sold=0))
        ) != stock:
            yield f"product {stock.product_id}: there is {_said(stock)}; its ledger comes to {_said(ledger)}"
        parts = stock.on_hand, stock.reserved, stock.sold
        if sum(parts) != stock.received or min(parts) < 0:
            yield f"product {stock.product_id}: received {stock.received}; on hand, reserved and sold are {parts}"
    for product_id in rebuilt:
        yield f"product {product_id} has moved, and there is no stock of it"


def _said(stock: Stock) -> str:
    return f"received {stock.received}, on hand {stock.on_hand}, reserved {stock.reserved}, sold {stock.sold}"


def orders_settle_once(books: Books) -> Iterator[str]:
    """Every order has one final state, and its history each transition once."""
    for order_id, order in books.orders.items():
        first, last = order.history[:1], order.history[-1:]
        once = len(set(order.history)) == len(order.history) and len(FINAL.intersection(order.history)) == 1
        if order.status == "placed":
            yield f"order {order_id} is not settled"
        elif first != ["placed"] or last != [order.status] or not once:
            yield f"order {order_id} is {order.status}; its history is {', '.join(order.history) or 'empty'}"


def confirmed_orders_have_their_stock(books: Books) -> Iterator[str]:
    """A confirmed order has its stock sold once, until it comes back; a rejected or cancelled one holds none."""
    for order_id, order in books.orders.items():
        reservation = books.reservations.get(order_id)
        status = reservation.status if reservation else "nowhere"
        owed = "returned" if order.returned else "sold"
        if order.confirmed and (status != owed or (reservation and reservation.pieces != order.pieces)):
            yield f"order {order_id} is confirmed; its stock is {status}"
        if order.given_up and status not in (*NOTHING_HELD, "nowhere"):
            yield f"order {order_id} is {order.status}; its stock is {status}"
    for order_id in books.reservations.keys() - books.orders.keys():
        yield f"stock is {books.reservations[order_id].status} for order {order_id}, which does not exist"
    yield from _wrong_totals(books)


def _wrong_totals(books: Books) -> Iterator[str]:
    sold, held = Counter[UUID](), Counter[UUID]()
    for order in books.orders.values():
        sold.update(order.pieces if order.confirmed and not order.returned else ())
    for reservation in books.reservations.values():
        held.update(reservation.pieces if reservation.status == "held" else ())
    counted = {stock.product_id: (stock.sold, stock.reserved) for stock in books.stocks}
    for product_id in {**counted, **sold, **held}:
        owed, there = (sold[product_id], held[product_id]), counted.get(product_id, (0, 0))
        if there != owed:
            parts = f"sold {there[0]}, reserved {there[1]}"
            yield f"product {product_id}: {parts}; its orders come to {owed[0]} and {owed[1]}"


def confirmed_orders_have_a_letter(books: Books) -> Iterator[str]:
    """One confirmation letter for each confirmed order (not for an erased customer's), and for no other; none twice."""
    ids = {letter.message_id for letter in books.letters}
    for order_id, order in books.orders.items():
        written = f"<confirmed-{order_id}@store>" in ids
        if order.confirmed and not written and order.customer_id != NOBODY and not books.letters_dropped:
            yield f"order {order_id} is confirmed, and its customer was not told"
        if written and not order.confirmed:
            yield f"order {order_id} is {order.status}, and its customer was told that it is confirmed"
    told = Counter((letter.order_id, letter.subject) for letter in books.letters if letter.order_id)
    for (about, subject), count in told.items():
        if count > 1:
            yield f"order {about}: its customer was told {count} times: “{subject}”"


def everything_has_arrived(books: Books) -> Iterator[str]:
    """Outboxes, queues and subscriptions are empty; dead letters are poison only."""
    for where, count in books.waiting.items():
        yield f"{where}: {count} waiting"
    for where, count in books.dead.items():
        yield f"{where}: {count} dead"


def keys_make_one_order(books: Books) -> Iterator[str]:
    """One order for each idempotency key (an erased customer's keys are gone); every key's order can be read."""
    for order_id, keys in books.keys.items():
        if order_id not in books.orders:
            yield f"order {order_id} was acknowledged, and does not exist"
        if keys > 1:
            yield f"order {order_id} answers to {keys} keys"
    for order_id, order in books.orders.items():
        if order_id not in books.keys and order.customer_id != NOBODY:
            yield f"order {order_id} has no key"


def payments_match_orders(books: Books) -> Iterator[str]:
    """Captured minus refunded is what the orders confirmed and not returned come to, each charged once, and in sum."""
    for order_id in books.payments.keys() | books.orders.keys():
        order, payment = books.orders.get(order_id), books.payments.get(order_id)
        kept, owed = payment.kept if payment else 0, order.owed if order else 0
        status = order.status if order else "not there"
        if kept != owed:
            yield f"order {order_id} is {status} and owes {owed}; {kept} is captured and not refunded"
        if payment and max(map(payment.count, ("authorised", "captured"))) > 1:
            yield f"order {order_id} is charged more than once: {payment.movements}"
        if payment and payment.status in ("pending", "authorised") and (order is None or order.ended):
            yield f"order {order_id} is {status}; its payment is still {payment.status}"
    kept = sum(payment.kept for payment in books.payments.values())
    owed = sum(order.owed for order in books.orders.values())
    if kept != owed:
        yield f"all orders owe {owed}; {kept} is captured and not refunded"


def prices_are_the_catalogues(books: Books) -> Iterator[str]:
    """Orders' price list, built from what was told, is what the catalogue offers: no other product, no older price."""
    for product_id in books.offered.keys() | books.listed.keys():
        offered, listed = books.offered.get(product_id), books.listed.get(product_id)
        if offered != listed:
            yield f"product {product_id}: the catalogue offers {_priced(offered)}; orders list {_priced(listed)}"


def _priced(offer: Offer | None) -> str:
    if offer is None:
        return "it not"
    return (
        f"{offer.sku} “{offer.name}” at {offer.price} {offer.currency}, tax {offer.tax_rate}, version {offer.version}"
    )


# By their numbers in the list of laws. The seventh, that no log holds a secret, is for tests to keep.
LAWS: dict[int, Callable[[Books], Iterator[str]]] = {
    1: stock_adds_up,
    2: orders_settle_once,
    3: confirmed_orders_have_their_stock,
    4: confirmed_orders_have_a_letter,
    5: everything_has_arrived,
    6: keys_make_one_order,
    8: payments_match_orders,
    9: prices_are_the_catalogues,
}
