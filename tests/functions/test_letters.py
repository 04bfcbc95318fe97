"""What the letters say."""
# ruff: noqa: RUF001  a times sign is no x

import re
from email.message import EmailMessage
from html.parser import HTMLParser
from uuid import UUID

import pytest

from functions.api import Customer
from functions.languages import Told
from functions.letters import NAMES, write
from libs.common.errors import Malformed
from libs.common.messages.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderedLine,
    OrderRejected,
    OrderReturned,
    OrderShipped,
)
from tests.functions.surroundings import ADA, LAMP, LINES, NOON, ORDER, TRACE_ID, TRACEPARENT

CONFIRMED = OrderConfirmed(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=123_456_78, lines=LINES, version=2, at=NOON
)
REJECTED = OrderRejected(
    order_id=ORDER,
    customer_id=ADA,
    currency="EUR",
    total=0,
    lines=LINES,
    version=2,
    at=NOON,
    reason="Lamp is sold out: 2 wanted, 1 left",
)
CANCELLED = OrderCancelled(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=0, lines=LINES, version=2, at=NOON, reason="too late"
)
SHIPPED = OrderShipped(
    order_id=ORDER,
    customer_id=ADA,
    currency="EUR",
    total=34800,
    lines=LINES,
    version=4,
    at=NOON,
    carrier="DHL",
    tracking="JJD0003",
)
RETURNED = OrderReturned(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=34800, lines=[], version=6, at=NOON, reason="too small"
)


def letter(fact: Told, language: str = "en", name: str = "Ada Müller", email: str = "ada@example.org") -> EmailMessage:
    customer = Customer(id=ADA, name=name, email=email, language=language, status="active")
    return write(fact, customer, sender="Store <store@example.org>", traceparent=TRACEPARENT)


def part(of: EmailMessage, kind: str) -> str:
    (found,) = [each for each in of.walk() if each.get_content_type() == f"text/{kind}"]
    assert isinstance(found, EmailMessage)
    return str(found.get_content())


def test_a_confirmation_in_english() -> None:
    text = part(letter(CONFIRMED), "plain")

    assert (
        text.replace("\r\n", "\n")
        == f"""\
Hello Ada Müller,

thank you for your order {ORDER}. It is confirmed, and everything in it is set aside for you.

2 × Lamp (LAMP): EUR 98.00
1 × Desk (DESK): EUR 250.00

Total: EUR 123,456.78
including 19 % VAT: EUR 15.65
including 7 % VAT: EUR 16.36

Kind regards
Your store
"""
    )


def test_a_rejection_in_german() -> None:
    text = part(letter(REJECTED, "de"), "plain")

    assert (
        text.replace("\r\n", "\n")
        == f"""\
Guten Tag Ada Müller,

leider konnten wir Ihre Bestellung {ORDER} nicht annehmen. Es entstehen Ihnen keine Kosten.

Grund: Lamp ist ausverkauft: 2 bestellt, 1 vorhanden

2 × Lamp (LAMP): 98,00 EUR
1 × Desk (DESK): 250,00 EUR

Summe: 0,00 EUR
inkl. 19 % MwSt.: 15,65 EUR
inkl. 7 % MwSt.: 16,36 EUR

Mit freundlichen Grüßen
Ihr Store
"""
    )


def test_a_parcel_can_be_followed() -> None:
    english, german = part(letter(SHIPPED), "plain"), part(letter(SHIPPED, "de"), "plain")

    assert "Carrier: DHL\nTracking number: JJD0003\n\n" in english.replace("\r\n", "\n")
    assert "Versand durch: DHL" in german
    assert "Sendungsnummer: JJD0003" in german


def test_what_is_not_known_of_a_parcel_is_left_out() -> None:
    unknown = OrderShipped(
        order_id=ORDER, customer_id=ADA, currency="EUR", total=1, lines=LINES, version=4, at=NOON, tracking="1"
    )

    written = part(letter(unknown), "plain")

    assert "Carrier" not in written
    assert "Tracking number: 1" in written


def test_a_return_says_what_comes_back() -> None:
    assert "You will get EUR 348.00 back" in part(letter(RETURNED), "plain")
    assert "Sie erhalten 348,00 EUR" in part(letter(RETURNED, "de"), "plain")


def test_a_reason_that_nobody_has_translated_is_said_to_be_quoted() -> None:
    assert "Grund (im Wortlaut): too late" in part(letter(CANCELLED, "de"), "plain")
    assert "Reason: too late" in part(letter(CANCELLED, "en"), "plain")


class Seen(HTMLParser):
    """What a reader of a page meets."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags = list[tuple[str, dict[str, str | None]]]()
        self.open, self.text = list[str](), list[str]()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize(
    "fact", [CONFIRMED, REJECTED, CANCELLED, SHIPPED, RETURNED], ids=lambda fact: NAMES[type(fact)]
)
@pytest.mark.parametrize("language", ["en", "de"])
def test_html_can_be_read_by_everyone_and_needs_nothing_from_elsewhere(fact: Told, language: str) -> None:
    page = Seen(html := part(letter(fact, language), "html"))

    assert page.open == []
    assert page.all("html") == [{"lang": language}]
    assert len(page.all("h1")) == len(page.all("title")) == len(page.all("caption")) == 1
    assert {cell.get("scope") for cell in page.all("th")} <= {"row", "col"}
    assert {"name": "color-scheme", "content": "light dark"} in page.all("meta")
    assert not re.search(r"(src|href|url)\s*[=(]|<(style|script|img|link)|[^-]color:|background", html)


def test_html_and_text_say_the_same() -> None:
    page, plain = Seen(part(letter(SHIPPED, "de"), "html")), part(letter(SHIPPED, "de"), "plain")

    said = " ".join(page.text)
    for word in re.findall(r"[\w,.-]{3,}", plain):
        assert word.strip(",.") in said


@pytest.mark.parametrize(
    ("fact", "subject", "betreff"),
    [
        (CONFIRMED, "Your order is confirmed", "Ihre Bestellung ist bestätigt"),
        (REJECTED, "Your order could not be accepted", "Ihre Bestellung konnte nicht angenommen werden"),
        (CANCELLED, "Your order is cancelled", "Ihre Bestellung ist storniert"),
        (SHIPPED, "Your order is on its way", "Ihre Bestellung ist unterwegs"),
        (RETURNED, "We have received your return", "Ihre Rücksendung ist angekommen"),
    ],
)
def test_the_subject_says_what_happened(fact: Told, subject: str, betreff: str) -> None:
    assert letter(fact, "en")["Subject"] == subject
    assert letter(fact, "de")["Subject"] == betreff
    assert letter(fact, "fr")["Subject"] == subject


def test_the_headers_name_the_order_the_trace_and_nobody_else() -> None:
    written = letter(CONFIRMED)

    assert written["Message-ID"] == f"<confirmed-{ORDER}@store>"
    assert letter(REJECTED)["Message-ID"] == f"<rejected-{ORDER}@store>"
    assert letter(CANCELLED)["Message-ID"] == f"<cancelled-{ORDER}@store>"
    assert letter(SHIPPED)["Message-ID"] == f"<shipped-{ORDER}@store>"
    assert letter(RETURNED)["Message-ID"] == f"<returned-{ORDER}@store>"
    assert written["X-Trace-Id"] == TRACE_ID
    assert (written["X-Customer-Id"], written["X-Order-Id"]) == (str(ADA), str(ORDER))
    assert written["Date"].datetime == NOON
    assert [(address.display_name, address.addr_spec) for address in written["To"].addresses] == [
        ("Ada Müller", "ada@example.org")
    ]
    assert written["Auto-Submitted"] == "auto-generated"


def test_html_in_names_and_reasons_is_text() -> None:
    evil = "<script>alert('1' & \"2\")</script>"
    line = OrderedLine(product_id=LAMP, sku=evil, name=evil, price=1, quantity=1)
    fact = OrderRejected(
        order_id=ORDER, customer_id=ADA, currency="EUR", total=1, lines=[line], version=2, at=NOON, reason=evil
    )

    written = letter(fact, name=evil)

    html = part(written, "html")
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(&#x27;1&#x27; &amp; &quot;2&quot;)&lt;/script&gt;") == 4
    assert evil in part(written, "plain")


def test_braces_in_a_name_stay_braces() -> None:
    assert part(letter(CONFIRMED, name="{reason} {0}"), "plain").startswith("Hello {reason} {0},")


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("Ada\r\nBcc: all@example.org", "ada@example.org"),
        ("Ada\nBcc: all@example.org", "ada@example.org"),
        ("Ada", "ada@example.org\r\nBcc: all@example.org"),
        ("Ada", "ada@example.org, all@example.org"),
        ("Ada", "ada@example.org>\r\n\r\nHello"),
        ("Ada", "ada"),
        ("Ada", ""),
        ("Ada", "@"),
    ],
)
def test_nobody_can_write_headers(name: str, email: str) -> None:
    with pytest.raises(Malformed) as refusal:
        letter(CONFIRMED, name=name, email=email)

    assert "@" not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize(
    "name", ['Ada "the" Müller, B.', "Ada <all@example.org>", "=?utf-8?q?x?=", "Ada;,:@", "🎉" * 60, "A\u2028B"]
)
def test_a_strange_name_is_still_a_name(name: str) -> None:
    from email import message_from_bytes, policy

    read = message_from_bytes(letter(CONFIRMED, name=name).as_bytes(), policy=policy.default)

    assert [address.addr_spec for address in read["To"].addresses] == ["ada@example.org"]


def test_another_order_has_another_letter() -> None:
    other = OrderConfirmed(order_id=UUID(int=9), customer_id=ADA, currency="EUR", total=0, lines=[], version=2, at=NOON)

    assert letter(other)["Message-ID"] != letter(CONFIRMED)["Message-ID"]
