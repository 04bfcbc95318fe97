"""The letters about orders: what a customer reads when one is confirmed, refused, called off, shipped or returned.

That it was delivered is told by whoever rings; a letter about it would be one too many.
"""

from collections import Counter
from email.message import EmailMessage

from functions import letterhead
from functions.api import Customer
from functions.languages import Language, Told, language_of
from functions.letterhead import Content, Row, Table
from libs.common.messages.orders import OrderCancelled, OrderConfirmed, OrderRejected, OrderReturned, OrderShipped

NAMES: dict[type[Told], str] = {
    OrderConfirmed: "confirmed",
    OrderRejected: "rejected",
    OrderCancelled: "cancelled",
    OrderShipped: "shipped",
    OrderReturned: "returned",
}


def name_of(fact: Told) -> str:
    return NAMES[type(fact)]


def write(fact: Told, customer: Customer, *, sender: str, traceparent: str) -> EmailMessage:
    """The same fact makes a letter of the same Message-ID, so that whoever keeps letters can tell a repeat.

    Raises Malformed where the customer's name or address can't stand in a header.
    """
    message_id = f"{name_of(fact)}-{fact.order_id}"
    letter = letterhead.envelope(message_id, customer, fact.at, sender=sender, traceparent=traceparent)
    letter["X-Order-Id"] = str(fact.order_id)  # so that one that comes twice is found, under any Message-ID
    letterhead.fill(letter, _content(fact, customer.name, language_of(customer.language)))
    return letter


def _content(fact: Told, name: str, language: Language) -> Content:
    total = language.amount(fact.total, fact.currency)
    return Content(
        language=language.code,
        title=language.subject[type(fact)],
        paragraphs=[
            language.greeting.format(name=name),
            language.news[type(fact)].format(order=fact.order_id, total=total),
        ],
        details=_details(fact, language),
        table=_table(fact, language, total),
        closing=language.closing,
    )


def _details(fact: Told, language: Language) -> list[tuple[str, str]]:
    match fact:
        case OrderShipped():
            said = [(language.carrier, fact.carrier), (language.tracking, fact.tracking)]
        case OrderRejected() | OrderCancelled() | OrderReturned():
            known = language.known(fact.reason)
            said = [(language.reason, known) if known else (language.reason_as_said, fact.reason)]
        case _:
            said = []
    return [(name, value) for name, value in said if value]


def _table(fact: Told, language: Language, total: str) -> Table:
    rows = [
        Row(line.name, line.sku, line.quantity, language.amount(line.price * line.quantity, fact.currency))
        for line in fact.lines
    ]
    taxes = Counter[int]()
    for line in fact.lines:
        taxes[line.tax_rate] += line.tax
    contained = [
        (language.tax.format(rate=language.percent(rate)), language.amount(tax, fact.currency))
        for rate, tax in sorted(taxes.items(), reverse=True)
        if tax
    ]
    columns = (language.article, language.quantity, language.price)
    return Table(language.order.format(order=fact.order_id), columns, rows, [(language.total, total), *contained])
