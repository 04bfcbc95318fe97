"""Staff get one letter when little is left of a product."""

from dataclasses import replace

import msgspec
import pytest

from functions.connections import Connections
from functions.mail import open_mail
from functions.notify_staff import notify_staff
from libs.common.errors import Malformed, Unavailable
from libs.common.messages.catalog import StockLow
from tests.functions.surroundings import LAMP, NOON, TRACE_ID, Mailbox, arrived, placed

LOW = StockLow(product_id=LAMP, sku="LAMP", name="Lamp <1> 🎉", on_hand=2, reorder_level=5, version=7, at=NOON)


def told(to: Connections, mail: str, language: str) -> Connections:
    return replace(to, settings=replace(to.settings, staff_mail=mail, staff_language=language))


@pytest.mark.parametrize(
    ("language", "subject", "says"),
    [
        ("en", "Little is left: Lamp <1> 🎉", "On hand: 2"),
        ("de", "Es wird knapp: Lamp <1> 🎉", "Vorrätig: 2"),
        ("tlh", "Little is left: Lamp <1> 🎉", "Reorder level: 5"),
    ],
)
async def test_the_letter_reaches_the_staff_in_their_language(
    to: Connections, mailbox: Mailbox, language: str, subject: str, says: str
) -> None:
    await notify_staff(arrived(LOW), told(to, "staff@example.org", language))

    (letter,) = mailbox.letters
    assert mailbox.recipients == ["staff@example.org"]
    assert (letter["Subject"], letter["X-Trace-Id"]) == (subject, TRACE_ID)
    plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert says in plain.get_content()
    assert "Lamp &lt;1&gt;" in html.get_content()
    assert "<1>" not in html.get_content()


async def test_without_an_address_the_sender_of_the_letters_gets_it(to: Connections, mailbox: Mailbox) -> None:
    await notify_staff(arrived(LOW), to)

    assert mailbox.recipients == ["store@example.org"]


async def test_a_repeat_by_another_process_is_the_same_letter(to: Connections, mailbox: Mailbox) -> None:
    another = replace(to, mail=open_mail(to.settings.mail_url, "", to.credential))

    for each in (to, another):
        await notify_staff(arrived(LOW), each)

    assert [letter["Message-ID"] for letter in mailbox.letters] == [f"<stock-low-{LAMP}-7@store>"] * 2


async def test_the_next_crossing_is_another_letter(to: Connections, mailbox: Mailbox) -> None:
    for version in (7, 9):
        await notify_staff(arrived(msgspec.structs.replace(LOW, version=version)), to)

    assert len({letter["Message-ID"] for letter in mailbox.letters}) == 2


async def test_a_letter_that_is_refused_is_posted_again(to: Connections, mailbox: Mailbox) -> None:
    mailbox.reply = "451 try later"

    with pytest.raises(Unavailable):
        await notify_staff(arrived(LOW), to)


async def test_another_fact_fails(to: Connections, mailbox: Mailbox) -> None:
    with pytest.raises(Malformed):
        await notify_staff(arrived(placed()), to)

    assert mailbox.letters == []
