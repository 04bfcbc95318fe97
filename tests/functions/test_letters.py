"""What the letters say."""
# ruff: noqa: RUF001  a times sign is no x

from email.message import EmailMessage
from uuid import UUID

import pytest

from functions.api import Customer
from functions.letters import ENGLISH, GERMAN, Language, Settled, write
from libs.common.errors import Malformed
from libs.common.messages.orders import OrderCancelled, OrderConfirmed, OrderedLine, OrderRejected
from tests.functions.surroundings import ADA, LAMP, LINES, NOON, ORDER, TRACE_ID, TRACEPARENT

CONFIRMED = OrderConfirmed(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=123_456_78, lines=LINES, version=2, at=NOON
)
REJECTED = OrderRejected(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=0, lines=LINES, version=2, at=NOON, reason="sold out"
)
CANCELLED = OrderCancelled(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=0, lines=LINES, version=2, at=NOON, reason="too late"
)


def letter(
    fact: Settled, language: str = "en", name: str = "Ada Müller", email: str = "ada@example.org"
) -> EmailMessage:
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

Grund: sold out

2 × Lamp (LAMP): 98,00 EUR
1 × Desk (DESK): 250,00 EUR

Summe: 0,00 EUR

Mit freundlichen Grüßen
Ihr Store
"""
    )


def test_a_cancellation_as_html() -> None:
    html = part(letter(CANCELLED, "de"), "html")

    assert (
        html.replace("\r\n", "\n")
        == f"""\
<!doctype html>
<html lang="de">
<body>
<p>Guten Tag Ada Müller,</p>
<p>Ihre Bestellung {ORDER} ist storniert. Es entstehen Ihnen keine Kosten.</p>
<p>Grund: too late</p>
<table>
<tr><td>2 × Lamp (LAMP)</td><td>98,00 EUR</td></tr>
<tr><td>1 × Desk (DESK)</td><td>250,00 EUR</td></tr>
</table>
<p>Summe: 0,00 EUR</p>
<p>Mit freundlichen Grüßen<br>Ihr Store</p>
</body>
</html>
"""
    )


@pytest.mark.parametrize(
    ("fact", "subject", "betreff"),
    [
        (CONFIRMED, "Your order is confirmed", "Ihre Bestellung ist bestätigt"),
        (REJECTED, "Your order could not be accepted", "Ihre Bestellung konnte nicht angenommen werden"),
        (CANCELLED, "Your order is cancelled", "Ihre Bestellung ist storniert"),
    ],
)
def test_the_subject_says_what_happened(fact: Settled, subject: str, betreff: str) -> None:
    assert letter(fact, "en")["Subject"] == subject
    assert letter(fact, "de")["Subject"] == betreff
    assert letter(fact, "fr")["Subject"] == subject


def test_the_headers_name_the_order_the_trace_and_nobody_else() -> None:
    written = letter(CONFIRMED)

    assert written["Message-ID"] == f"<confirmed-{ORDER}@store>"
    assert letter(REJECTED)["Message-ID"] == f"<rejected-{ORDER}@store>"
    assert letter(CANCELLED)["Message-ID"] == f"<cancelled-{ORDER}@store>"
    assert written["X-Trace-Id"] == TRACE_ID
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


@pytest.mark.parametrize(
    ("language", "minor_units", "currency", "amount"),
    [
        (ENGLISH, 0, "EUR", "EUR 0.00"),
        (ENGLISH, 5, "USD", "USD 0.05"),
        (GERMAN, 123_456_789_01, "EUR", "123.456.789,01 EUR"),
        (ENGLISH, 1_500, "JPY", "JPY 1,500"),
        (GERMAN, 1_234_567, "KWD", "1.234,567 KWD"),
        (GERMAN, 9_007_199_254_740_993, "EUR", "90.071.992.547.409,93 EUR"),
    ],
)
def test_money_is_written_to_the_last_digit(language: Language, minor_units: int, currency: str, amount: str) -> None:
    assert language.amount(minor_units, currency) == amount


def test_every_language_has_words_for_every_fact() -> None:
    for language in (ENGLISH, GERMAN):
        assert set(language.subject) == set(language.news) == {OrderConfirmed, OrderRejected, OrderCancelled}


def test_another_order_has_another_letter() -> None:
    other = OrderConfirmed(order_id=UUID(int=9), customer_id=ADA, currency="EUR", total=0, lines=[], version=2, at=NOON)

    assert letter(other)["Message-ID"] != letter(CONFIRMED)["Message-ID"]
