"""The letters: what a customer reads when an order is settled, in English and German, as text and as HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape

from functions.api import Customer
from libs.common.errors import Malformed
from libs.common.messages.orders import OrderCancelled, OrderConfirmed, OrderedLine, OrderRejected

Settled = OrderConfirmed | OrderRejected | OrderCancelled

# ISO 4217: the currencies whose minor unit is not a hundredth.
UNDIVIDED = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
DIGITS = dict.fromkeys(UNDIVIDED.split(), 0) | dict.fromkeys(THOUSANDTHS.split(), 3)


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    subject: Mapping[type[Settled], str]
    news: Mapping[type[Settled], str]
    greeting: str
    reason: str
    total: str
    closing: str
    point: str
    thousands: str
    money: str

    def amount(self, minor_units: int, currency: str) -> str:
        digits = DIGITS.get(currency, 2)
        whole, rest = divmod(minor_units, 10**digits)
        figure = f"{whole:,}".replace(",", self.thousands) + (f"{self.point}{rest:0{digits}}" if digits else "")
        return self.money.format(figure=figure, currency=currency)


ENGLISH = Language(
    code="en",
    subject={
        OrderConfirmed: "Your order is confirmed",
        OrderRejected: "Your order could not be accepted",
        OrderCancelled: "Your order is cancelled",
    },
    news={
        OrderConfirmed: "thank you for your order {order}. It is confirmed, and everything in it is set aside for you.",
        OrderRejected: "we are sorry: we could not accept your order {order}. You owe us nothing.",
        OrderCancelled: "your order {order} is cancelled. You owe us nothing.",
    },
    greeting="Hello {name},",
    reason="Reason: {reason}",
    total="Total: {total}",
    closing="Kind regards\nYour store",
    point=".",
    thousands=",",
    money="{currency} {figure}",
)
GERMAN = Language(
    code="de",
    subject={
        OrderConfirmed: "Ihre Bestellung ist bestätigt",
        OrderRejected: "Ihre Bestellung konnte nicht angenommen werden",
        OrderCancelled: "Ihre Bestellung ist storniert",
    },
    news={
        OrderConfirmed: "vielen Dank für Ihre Bestellung {order}. Sie ist bestätigt, und alles liegt für Sie bereit.",
        OrderRejected: "leider konnten wir Ihre Bestellung {order} nicht annehmen. Es entstehen Ihnen keine Kosten.",
        OrderCancelled: "Ihre Bestellung {order} ist storniert. Es entstehen Ihnen keine Kosten.",
    },
    greeting="Guten Tag {name},",
    reason="Grund: {reason}",
    total="Summe: {total}",
    closing="Mit freundlichen Grüßen\nIhr Store",
    point=",",
    thousands=".",
    money="{figure} {currency}",
)
LANGUAGES = {language.code: language for language in (ENGLISH, GERMAN)}
NAMES = {OrderConfirmed: "confirmed", OrderRejected: "rejected", OrderCancelled: "cancelled"}


def write(fact: Settled, customer: Customer, *, sender: str, traceparent: str) -> EmailMessage:
    """The same fact makes a letter of the same Message-ID, so that whoever keeps letters can tell a repeat.

    Raises Malformed where the customer's name or address can't stand in a header.
    """
    language, letter = LANGUAGES.get(customer.language, ENGLISH), EmailMessage(policy=SMTP)
    letter["Message-ID"] = f"<{NAMES[type(fact)]}-{fact.order_id}@store>"
    letter["Date"] = fact.at
    letter["From"] = sender
    letter["To"] = _recipient(customer)
    letter["Subject"] = language.subject[type(fact)]
    letter["Content-Language"] = language.code
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notes, please
    letter["X-Trace-Id"] = traceparent.split("-")[1]
    before, after = _paragraphs(fact, customer.name, language)
    letter.set_content(_text(before, _rows(fact, language), after), cte="quoted-printable")
    html = _html(before, _rows(fact, language), after, language=language)
    letter.add_alternative(html, subtype="html", cte="quoted-printable")
    return letter


def _recipient(customer: Customer) -> Address:
    try:
        return Address(customer.name, addr_spec=customer.email)
    except (IndexError, ValueError, MessageError):
        raise Malformed("the customer's name or address can't stand in a letter") from None  # the error quotes them


def _paragraphs(fact: Settled, name: str, language: Language) -> tuple[list[str], list[str]]:
    """Those before the table of what was ordered, and those after it."""
    before = [language.greeting.format(name=name), language.news[type(fact)].format(order=fact.order_id)]
    if not isinstance(fact, OrderConfirmed):
        before.append(language.reason.format(reason=fact.reason))
    return before, [language.total.format(total=language.amount(fact.total, fact.currency)), language.closing]


def _rows(fact: Settled, language: Language) -> list[tuple[str, str]]:
    return [(_wares(line), language.amount(line.price * line.quantity, fact.currency)) for line in fact.lines]


def _wares(line: OrderedLine) -> str:
    return f"{line.quantity} × {line.name} ({line.sku})"  # noqa: RUF001


def _text(before: list[str], rows: list[tuple[str, str]], after: list[str]) -> str:
    table = "\n".join(f"{wares}: {amount}" for wares, amount in rows)
    return "\n\n".join([*before, table, *after]) + "\n"


def _html(before: list[str], rows: list[tuple[str, str]], after: list[str], *, language: Language) -> str:
    table = "\n".join(f"<tr><td>{escape(wares)}</td><td>{escape(amount)}</td></tr>" for wares, amount in rows)
    parts = [*map(_paragraph, before), f"<table>\n{table}\n</table>", *map(_paragraph, after)]
    return f'<!doctype html>\n<html lang="{language.code}">\n<body>\n' + "\n".join(parts) + "\n</body>\n</html>\n"


def _paragraph(text: str) -> str:
    return "<p>" + escape(text).replace("\n", "<br>") + "</p>"
