"""The words of the letters, in English and German, and how each language writes an amount."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from functions import reasons
from libs.common.messages.orders import OrderCancelled, OrderConfirmed, OrderRejected, OrderReturned, OrderShipped

Told = OrderConfirmed | OrderRejected | OrderCancelled | OrderShipped | OrderReturned

# ISO 4217: the currencies whose minor unit is not a hundredth.
UNDIVIDED = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
DIGITS = dict.fromkeys(UNDIVIDED.split(), 0) | dict.fromkeys(THOUSANDTHS.split(), 3)


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    subject: Mapping[type[Told], str]
    news: Mapping[type[Told], str]
    greeting: str
    reason: str
    reason_as_said: str  # where there are no words for it in this language
    known: Callable[[str], str | None]  # the reason in this language
    carrier: str
    tracking: str
    order: str
    article: str
    quantity: str
    price: str
    total: str
    tax: str
    closing: str
    point: str
    thousands: str
    money: str

    def amount(self, minor_units: int, currency: str) -> str:
        digits = DIGITS.get(currency, 2)
        whole, rest = divmod(minor_units, 10**digits)
        figure = f"{whole:,}".replace(",", self.thousands) + (f"{self.point}{rest:0{digits}}" if digits else "")
        return self.money.format(figure=figure, currency=currency)

    def percent(self, basis_points: int) -> str:
        whole, rest = divmod(basis_points, 100)
        return f"{whole}{self.point}{rest:02}".rstrip("0") if rest else str(whole)


ENGLISH = Language(
    code="en",
    subject={
        OrderConfirmed: "Your order is confirmed",
        OrderRejected: "Your order could not be accepted",
        OrderCancelled: "Your order is cancelled",
        OrderShipped: "Your order is on its way",
        OrderReturned: "We have received your return",
    },
    news={
        OrderConfirmed: "thank you for your order {order}. It is confirmed, and everything in it is set aside for you.",
        OrderRejected: "we are sorry: we could not accept your order {order}. You owe us nothing.",
        OrderCancelled: "your order {order} is cancelled. You owe us nothing.",
        OrderShipped: "your order {order} has left our warehouse.",
        OrderReturned: "your order {order} is back with us. You will get {total} back, the way you paid.",
    },
    greeting="Hello {name},",
    reason="Reason",
    reason_as_said="Reason",
    known=str,
    carrier="Carrier",
    tracking="Tracking number",
    order="Order {order}",
    article="Article",
    quantity="Quantity",
    price="Price",
    total="Total",
    tax="including {rate} % VAT",
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
        OrderShipped: "Ihre Bestellung ist unterwegs",
        OrderReturned: "Ihre Rücksendung ist angekommen",
    },
    news={
        OrderConfirmed: "vielen Dank für Ihre Bestellung {order}. Sie ist bestätigt, und alles liegt für Sie bereit.",
        OrderRejected: "leider konnten wir Ihre Bestellung {order} nicht annehmen. Es entstehen Ihnen keine Kosten.",
        OrderCancelled: "Ihre Bestellung {order} ist storniert. Es entstehen Ihnen keine Kosten.",
        OrderShipped: "Ihre Bestellung {order} hat unser Lager verlassen.",
        OrderReturned: "Ihre Bestellung {order} ist wieder bei uns. Sie erhalten {total} auf dem Weg zurück, auf dem "
        "Sie bezahlt haben.",
    },
    greeting="Guten Tag {name},",
    reason="Grund",
    reason_as_said="Grund (im Wortlaut)",
    known=reasons.in_german,
    carrier="Versand durch",
    tracking="Sendungsnummer",
    order="Bestellung {order}",
    article="Artikel",
    quantity="Menge",
    price="Preis",
    total="Summe",
    tax="inkl. {rate} % MwSt.",
    closing="Mit freundlichen Grüßen\nIhr Store",
    point=",",
    thousands=".",
    money="{figure} {currency}",
)
LANGUAGES = {language.code: language for language in (ENGLISH, GERMAN)}


def language_of(code: str) -> Language:
    return LANGUAGES.get(code, ENGLISH)
