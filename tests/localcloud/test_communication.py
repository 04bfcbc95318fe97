"""Azure Communication Services' mail, seen by the unmodified SDK over TLS."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from azure.communication.email.aio import EmailClient
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from localcloud import certificates
from localcloud.access import Issuer
from localcloud.communication import MailService
from localcloud.mail import Letters
from localcloud.topology import Topology
from tests.localcloud.credential import Credential

pytestmark = pytest.mark.real

MESSAGE: dict[str, Any] = {
    "senderAddress": "store@example.org",
    "recipients": {"to": [{"address": "anna@example.org", "displayName": "Anna, B."}]},
    "content": {"subject": "Grüße 🎉", "plainText": "Guten Tag", "html": "<p>Guten Tag</p>"},
}


@dataclass(frozen=True, slots=True)
class Office:
    letters: Letters
    client: EmailClient
    stranger: EmailClient


@pytest.fixture
async def office(tmp_path: Path, issuer: Issuer, store: Topology) -> AsyncIterator[Office]:
    files = certificates.ensure(tmp_path / "certificates", datetime.now(UTC))
    async with AsyncExitStack() as stack:
        letters = await stack.enter_async_context(Letters.open(tmp_path / "mail.sqlite"))
        runner = web.AppRunner(MailService(issuer, letters).app())
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=files.server_context()).start()
        trust: dict[str, Any] = {"connection_verify": str(files.ca)}
        url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        other = Issuer.open(tmp_path / "other", issuer.url, issuer.tenant)
        clients = [EmailClient(url, Credential(known, store, "functions"), **trust) for known in (issuer, other)]
        client, stranger = [await stack.enter_async_context(each) for each in clients]
        yield Office(letters, client, stranger)


async def test_a_letter_is_taken_and_the_operation_ends_well(office: Office) -> None:
    poller = await office.client.begin_send(MESSAGE, polling_interval=0)
    ended = await poller.result()

    assert ended["status"] == "Succeeded"
    (kept,) = await office.letters.newest(10)
    assert (kept.from_, kept.to, kept.subject) == ("store@example.org", ["anna@example.org"], "Grüße 🎉")
    found = await office.letters.find(kept.id)
    assert found
    assert str(found.text).strip() == "Guten Tag"


async def test_the_same_operation_is_the_same_letter(office: Office) -> None:
    operation = str(uuid4())
    for subject in ("one", "two"):
        content = MESSAGE["content"] | {"subject": subject}
        headers = {"X-Letter-Id": f"<{subject}@store>"}
        message = MESSAGE | {"content": content, "headers": headers}
        await (await office.client.begin_send(message, operation_id=operation.upper(), polling_interval=0)).result()
    await office.client.begin_send(MESSAGE, polling=False)

    assert [(letter.subject, letter.repeats) for letter in await office.letters.newest(10)] == [
        ("Grüße 🎉", 0),
        ("one", 1),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"senderAddress": "store"},
        {"senderAddress": "store@example.org\r\nBcc: all@example.org"},
        {"recipients": {"to": []}},
        {"recipients": {"to": [{"address": "a@b.c, d@e.f"}]}},
        {"content": {"subject": "nothing"}},
        {"content": {"subject": "two\r\nBcc: all@example.org", "plainText": "x"}},
        {"headers": {"X-Evil": "1\r\nBcc: all@example.org"}},
    ],
    ids=str,
)
async def test_what_is_no_letter_is_refused(office: Office, change: dict[str, Any]) -> None:
    with pytest.raises(HttpResponseError) as refusal:
        await office.client.begin_send(MESSAGE | change, polling=False)

    assert refusal.value.status_code == 400
    assert await office.letters.newest(10) == []


async def test_a_token_of_somebody_else_is_refused(office: Office) -> None:
    with pytest.raises(ClientAuthenticationError):
        await office.stranger.begin_send(MESSAGE, polling=False)

    assert await office.letters.newest(10) == []
