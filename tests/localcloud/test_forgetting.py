"""The mail box forgets the erased before the queues hear of them."""

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from libs.common.messages import encode_fact
from libs.common.messages.customers import CustomerErased, CustomerUpdated
from localcloud.forgetting import Forgetting
from localcloud.mail import Letters
from localcloud.servicebus.broker import Envelope
from localcloud.servicebus.errors import QueueFull

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, EVE = UUID(int=1), UUID(int=2)
ERASED = encode_fact(CustomerErased(customer_id=ADA, version=2, at=NOON), "")


class Queues:
    def __init__(self) -> None:
        self.heard = list[tuple[str, bytes]]()

    async def __call__(self, queue: str, body: bytes, envelope: Envelope) -> None:
        assert envelope.message_id == "1"
        self.heard.append((queue, body))


@pytest.fixture
async def letters(tmp_path: Path) -> AsyncIterator[Letters]:
    async with Letters.open(tmp_path / "mail.sqlite") as opened:
        for number, customer in enumerate((ADA, EVE)):
            content = f"Message-ID: <{number}@store>\r\nX-Customer-Id: {customer}\r\n\r\nHello".encode()
            await opened.keep(content, "", [f"{number}@example.org"], NOON)
        yield opened


async def send(forgetting: Forgetting, body: bytes) -> None:
    await forgetting("orders", body, Envelope("1"))


async def test_letters_of_the_erased_go_and_the_fact_goes_on(letters: Letters) -> None:
    queues = Queues()

    for _ in range(2):
        await send(Forgetting(queues, letters), ERASED)

    assert [letter.message_id for letter in await letters.newest(10)] == ["<1@store>"]
    assert queues.heard == [("orders", ERASED)] * 2


@pytest.mark.parametrize(
    "body",
    [
        encode_fact(CustomerUpdated(customer_id=ADA, version=2, at=NOON, status="active"), ""),
        ERASED.replace(b'"type":"', b'"type":"not-'),
        b"store.customers.customer-erased.v1",
        b"[" * 10_000 + b"store.customers.customer-erased.v1",
        b'{"type":"store.customers.customer-erased.v1","data":{"customer_id":1}}',
    ],
    ids=["another fact", "a fact that names it", "no JSON", "too deep", "no id"],
)
async def test_whatever_else_goes_on_as_it_is(letters: Letters, body: bytes) -> None:
    queues = Queues()

    await send(Forgetting(queues, letters), body)

    assert len(await letters.newest(10)) == 2
    assert queues.heard == [("orders", body)]


async def test_while_the_mail_box_can_not_forget_the_fact_waits(letters: Letters) -> None:
    queues = Queues()
    await letters.journal.write(("DROP TABLE erased", ()))

    with pytest.raises(QueueFull):
        await send(Forgetting(queues, letters), ERASED)

    assert queues.heard == []
    with pytest.raises(sqlite3.Error):
        await letters.forget(str(ADA), NOON)
