"""An order's customer gets one letter about how it was settled."""

from dataclasses import replace

import pytest

from functions.connections import Connections
from functions.mail import open_mail
from functions.notify_customer import notify_customer
from libs.common.errors import Malformed, StoreError, Unavailable
from libs.common.messages import read
from libs.common.messages.orders import OrderConfirmed, OrderShipped, RecordLetter
from tests.functions.surroundings import (
    ADA,
    LINES,
    NOON,
    ORDER,
    PROFILE,
    TRACE_ID,
    TRANSIENT,
    Mailbox,
    Owners,
    Queue,
    answers,
    arrived,
    placed,
    refuses,
)

Queues = dict[str, Queue]

CONFIRMED = OrderConfirmed(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=34800, lines=LINES, version=2, at=NOON
)


async def test_the_letter_reaches_the_customer_in_their_language(
    queues: Queues, to: Connections, mailbox: Mailbox
) -> None:
    await notify_customer(arrived(CONFIRMED), queues, to)

    (letter,) = mailbox.letters
    assert mailbox.recipients == ["ada@example.org"]
    assert letter["Subject"] == "Ihre Bestellung ist bestätigt"
    assert letter["X-Trace-Id"] == TRACE_ID
    body = letter.get_body(("plain",))
    assert body is not None
    assert "vielen Dank für Ihre Bestellung" in body.get_content()
    assert "348,00 EUR" in body.get_content()


async def test_orders_hear_of_each_letter_that_was_posted_and_of_a_repeat_by_the_same_command(
    queues: Queues, to: Connections, mailbox: Mailbox
) -> None:
    shipped = OrderShipped(
        order_id=ORDER, customer_id=ADA, currency="EUR", total=34800, lines=LINES, version=3, at=NOON, carrier="DHL"
    )
    for fact in (CONFIRMED, CONFIRMED, shipped):
        await notify_customer(arrived(fact), queues, to)

    first, second, third = queues["orders"].sent
    assert read(first, RecordLetter) == RecordLetter(order_id=ORDER, letter="confirmed")
    assert (first.id, bytes(first.data)) == (second.id, bytes(second.data))
    assert read(third, RecordLetter) == RecordLetter(order_id=ORDER, letter="shipped")
    assert third.id != first.id
    assert first.source == "/functions/notify_customer"
    assert queues["catalog"].sent == []


async def test_a_repeat_posts_nothing_and_tells_orders_again_since_that_may_have_failed(
    queues: Queues, to: Connections, mailbox: Mailbox
) -> None:
    for _ in range(3):
        await notify_customer(arrived(CONFIRMED), queues, to)

    assert [letter["Message-ID"] for letter in mailbox.letters] == [f"<confirmed-{ORDER}@store>"]
    assert len(queues["orders"].sent) == 3


async def test_a_repeat_by_another_process_is_the_same_letter(
    queues: Queues, to: Connections, mailbox: Mailbox
) -> None:
    another = replace(to, mail=open_mail(to.settings.mail_url, "", to.credential))

    for each in (to, another):
        await notify_customer(arrived(CONFIRMED), queues, each)

    assert [letter["Message-ID"] for letter in mailbox.letters] == [f"<confirmed-{ORDER}@store>"] * 2


@pytest.mark.parametrize("reply", ["550 5.1.1 no such person", "553 not here", "556 5.1.10 no mail is taken here"])
async def test_where_there_is_no_such_mail_box_that_is_the_end_of_the_letter(
    queues: Queues, to: Connections, mailbox: Mailbox, reply: str
) -> None:
    mailbox.refused = {"ada@example.org": reply}

    await notify_customer(arrived(CONFIRMED), queues, to)

    assert (mailbox.letters, queues["orders"].sent) == ([], [])


@pytest.mark.parametrize(
    "reply", ["450 4.2.1 greylisted", "552 5.2.2 the box is full", "554 no relaying", "550 5.7.1 no relaying"]
)
async def test_a_recipient_who_is_refused_for_now_or_because_of_us_is_tried_again(
    queues: Queues, to: Connections, mailbox: Mailbox, reply: str
) -> None:
    mailbox.refused = {"ada@example.org": reply}
    with pytest.raises(Unavailable):
        await notify_customer(arrived(CONFIRMED), queues, to)

    mailbox.refused = {}
    await notify_customer(arrived(CONFIRMED), queues, to)

    assert (len(mailbox.letters), len(queues["orders"].sent)) == (1, 1)


async def test_the_erased_get_no_letter(queues: Queues, to: Connections, mailbox: Mailbox, owners: Owners) -> None:
    owners.customer = refuses(404)

    await notify_customer(arrived(CONFIRMED), queues, to)

    assert mailbox.letters == []
    assert queues["orders"].sent == []


@pytest.mark.parametrize("answer", TRANSIENT.values(), ids=TRANSIENT.keys())
async def test_while_the_owner_can_not_say_the_letter_is_written_later(
    queues: Queues, to: Connections, mailbox: Mailbox, owners: Owners, answer: object
) -> None:
    owners.customer = answer  # type: ignore[assignment]

    with pytest.raises(StoreError):
        await notify_customer(arrived(CONFIRMED), queues, to)

    assert mailbox.letters == []


@pytest.mark.parametrize("reply", ["451 try later", "550 no such person ada@example.org"])
async def test_a_letter_that_is_refused_is_posted_again_and_nobody_is_named(
    queues: Queues, to: Connections, mailbox: Mailbox, reply: str
) -> None:
    mailbox.reply = reply

    with pytest.raises(Unavailable) as failure:
        await notify_customer(arrived(CONFIRMED), queues, to)

    assert queues["orders"].sent == []
    assert "ada" not in str(failure.value)
    assert failure.value.__cause__ is None


async def test_while_the_mail_server_is_away_the_event_is_tried_again(
    queues: Queues, to: Connections, unused_tcp_port: int
) -> None:
    away = replace(to, mail=open_mail(f"smtp://127.0.0.1:{unused_tcp_port}", "", to.credential))

    with pytest.raises(Unavailable):
        await notify_customer(arrived(CONFIRMED), queues, away)


async def test_an_address_that_is_two_reaches_nobody(
    queues: Queues, to: Connections, mailbox: Mailbox, owners: Owners
) -> None:
    owners.customer = answers(PROFILE | {"email": "ada@example.org, eve@example.org"})

    with pytest.raises(Malformed):
        await notify_customer(arrived(CONFIRMED), queues, to)

    assert mailbox.letters == []


async def test_another_fact_fails(queues: Queues, to: Connections, mailbox: Mailbox) -> None:
    with pytest.raises(Malformed):
        await notify_customer(arrived(placed()), queues, to)

    assert mailbox.letters == []
