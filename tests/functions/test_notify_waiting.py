"""Each customer who has waited gets one letter."""

from uuid import UUID

import pytest
from aiohttp import web

from functions.connections import Connections
from functions.notify_waiting import notify_waiting
from libs.common.errors import Malformed, Unavailable
from libs.common.messages.catalog import BackInStock
from tests.functions.surroundings import (
    LAMP,
    NOON,
    PROFILE,
    TRACE_ID,
    TRANSIENT,
    Answer,
    Credential,
    Mailbox,
    Owners,
    answers,
    arrived,
    placed,
    refuses,
)

CUSTOMERS = [UUID(int=1000 + number) for number in range(20)]
BACK = BackInStock(product_id=LAMP, sku="LAMP", name="Lamp <1>", customers=CUSTOMERS, version=7, at=NOON)


def known(*, german: bool = True, answering: dict[UUID, Answer] | None = None) -> Answer:
    """A profile of their own for each, and what else is answered for some."""

    async def answer(request: web.Request) -> web.StreamResponse:
        customer_id = UUID(request.match_info["id"])
        if other := (answering or {}).get(customer_id):
            return await other(request)
        language = "de" if german else "en"
        return web.json_response(
            PROFILE | {"id": str(customer_id), "email": f"{customer_id.int}@example.org", "language": language}
        )

    return answer


def ids(mailbox: Mailbox) -> list[str]:
    return sorted(str(letter["Message-ID"]) for letter in mailbox.letters)


@pytest.mark.parametrize(
    ("german", "subject", "says"),
    [
        (True, "Wieder da: Lamp <1>", "ist wieder vorrätig"),
        (False, "Back in stock: Lamp <1>", "is back in stock"),
    ],
)
async def test_each_letter_reaches_its_customer_in_their_language(
    to: Connections, mailbox: Mailbox, owners: Owners, german: bool, subject: str, says: str
) -> None:
    owners.customer = known(german=german)

    await notify_waiting(arrived(BACK), to)

    assert sorted(mailbox.recipients) == sorted(f"{each.int}@example.org" for each in CUSTOMERS)
    assert ids(mailbox) == sorted(f"<back-in-stock-{LAMP}-7-{each}@store>" for each in CUSTOMERS)
    letter = mailbox.letters[0]
    assert (letter["Subject"], letter["X-Trace-Id"]) == (subject, TRACE_ID)
    plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert says in plain.get_content()
    assert "Lamp &lt;1&gt;" in html.get_content()


async def test_who_wants_no_such_letters_gets_none_and_keeps_nobody_waiting(
    to: Connections, mailbox: Mailbox, owners: Owners
) -> None:
    declined = answers(PROFILE | {"preferences": {"back_in_stock": False, "marketing": True}})
    owners.customer = known(answering={CUSTOMERS[3]: declined})

    await notify_waiting(arrived(BACK), to)

    assert len(mailbox.letters) == len(CUSTOMERS) - 1
    assert f"<back-in-stock-{LAMP}-7-{CUSTOMERS[3]}@store>" not in ids(mailbox)


async def test_the_erased_get_no_letter_and_keep_nobody_waiting(
    to: Connections, mailbox: Mailbox, owners: Owners
) -> None:
    owners.customer = known(answering={CUSTOMERS[3]: refuses(404)})

    await notify_waiting(arrived(BACK), to)

    assert len(mailbox.letters) == 19
    assert f"{CUSTOMERS[3].int}@example.org" not in mailbox.recipients


@pytest.mark.parametrize("answer", TRANSIENT.values(), ids=TRANSIENT.keys())
async def test_where_some_can_not_be_told_the_others_are_and_a_repeat_tells_the_rest(
    to: Connections, mailbox: Mailbox, owners: Owners, answer: Answer
) -> None:
    owners.customer = known(answering={CUSTOMERS[0]: answer})
    with pytest.raises(Unavailable) as failure:
        await notify_waiting(arrived(BACK), to)
    assert (len(mailbox.letters), "1 of 20" in str(failure.value)) == (19, True)

    owners.customer = known()
    await notify_waiting(arrived(BACK), to)

    assert ids(mailbox) == sorted(f"<back-in-stock-{LAMP}-7-{each}@store>" for each in CUSTOMERS)


async def test_a_mail_server_that_refuses_is_asked_again_and_nobody_is_named(
    to: Connections, mailbox: Mailbox, owners: Owners
) -> None:
    owners.customer, mailbox.reply = known(), "550 no such person ada@example.org"

    with pytest.raises(Unavailable) as failure:
        await notify_waiting(arrived(BACK), to)

    assert "ada" not in str(failure.value)
    mailbox.reply = "250 OK"
    await notify_waiting(arrived(BACK), to)
    assert len(mailbox.letters) == 20


async def test_a_mail_box_that_is_none_gets_nothing_and_brings_nobody_else_a_second_letter(
    to: Connections, mailbox: Mailbox, owners: Owners
) -> None:
    owners.customer = known()
    mailbox.refused = {f"{CUSTOMERS[3].int}@example.org": "550 5.1.1 no such person"}

    for _ in range(3):
        await notify_waiting(arrived(BACK), to)

    assert ids(mailbox) == sorted(
        f"<back-in-stock-{LAMP}-7-{each}@store>" for each in CUSTOMERS if each != CUSTOMERS[3]
    )


async def test_an_address_that_is_two_reaches_nobody_and_keeps_nobody_waiting(
    to: Connections, mailbox: Mailbox, owners: Owners
) -> None:
    async def two(_: web.Request) -> web.Response:
        return web.json_response(PROFILE | {"email": "ada@example.org, eve@example.org"})

    owners.customer = known(answering={CUSTOMERS[0]: two})

    await notify_waiting(arrived(BACK), to)

    assert len(mailbox.letters) == 19


async def test_while_there_is_no_token_nobody_is_told(
    to: Connections, mailbox: Mailbox, credential: Credential
) -> None:
    credential.away = True

    with pytest.raises(Unavailable):
        await notify_waiting(arrived(BACK), to)

    assert mailbox.letters == []


async def test_another_fact_fails(to: Connections, mailbox: Mailbox) -> None:
    with pytest.raises(Malformed):
        await notify_waiting(arrived(placed()), to)

    assert mailbox.letters == []
