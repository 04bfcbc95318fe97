"""Letters on their way out by the unmodified SDK of Azure Communication Services."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from functions.connections import Connections
from functions.mail import Mail
from functions.mail.azure import AzureMail
from functions.notify_customer import notify_customer
from libs.common.errors import Unavailable
from localcloud.access import Issuer
from localcloud.certificates import Certificates
from localcloud.communication import RESOURCE, MailService
from localcloud.mail import Letters
from tests.functions.posting import CONFIRMED, Nobody, letter
from tests.functions.surroundings import ORDER, Queue, arrived

pytestmark = pytest.mark.real


class Somebody(Nobody):
    def __init__(self, issuer: Issuer) -> None:
        self.token = issuer.token(RESOURCE, datetime.now(UTC))


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer.open(tmp_path / "identity", "https://issuer/v2.0", UUID(int=1))


@dataclass
class Service:
    letters: Letters
    mail: Mail
    url: str
    asked: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # instead of its own, one after the other
    lost: int = 0  # of so many answers to letters nobody hears


@pytest.fixture
async def service(tmp_path: Path, trusted: Certificates, issuer: Issuer) -> AsyncIterator[Service]:
    async with Letters.open(tmp_path / "mail.sqlite") as letters, AsyncExitStack() as stack:
        found = Service(letters, AzureMail.open("https://nowhere", Nobody()), "")

        @web.middleware
        async def noted(request: web.Request, handler: Any) -> web.StreamResponse:
            found.asked.append(request.method)
            if found.answers:
                said = {"error": {"code": "No", "message": "ada@example.org is not welcome"}}
                return web.json_response(said, status=found.answers.pop(0))
            response: web.StreamResponse = await handler(request)
            if request.method == "POST" and found.lost:
                found.lost -= 1
                assert request.transport
                request.transport.abort()
            return response

        app = MailService(issuer, letters).app()
        app.middlewares.insert(0, noted)
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=trusted.server_context())
        await site.start()
        found.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        found.mail = mail = AzureMail.open(found.url, Somebody(issuer), connection_verify=str(trusted.ca))
        stack.push_async_callback(mail.client.close)
        yield found


async def test_the_service_takes_the_whole_letter(service: Service) -> None:
    await service.mail.post(letter())

    (kept,) = await service.letters.newest(10)
    assert (kept.message_id, kept.from_, kept.to) == (
        f"<confirmed-{ORDER}@store>",
        "store@example.org",
        ["ada@example.org"],
    )
    assert kept.subject == "Ihre Bestellung ist bestätigt"
    found = await service.letters.find(kept.id)
    assert found
    assert "Summe: 348,00 EUR" in str(found.text)


async def test_a_repeat_asks_first_and_is_not_sent_again(service: Service) -> None:
    for _ in range(3):
        await service.mail.post(letter())

    assert service.asked == ["GET", "POST", "GET", "GET"]
    assert [each.repeats for each in await service.letters.newest(10)] == [0]


async def test_a_letter_whose_answer_was_lost_is_one_letter(service: Service) -> None:
    service.lost = 5
    with pytest.raises(Unavailable):
        await service.mail.post(letter())

    await service.mail.post(letter())

    assert len(await service.letters.newest(10)) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
async def test_a_refusal_is_tried_again_later_and_names_nobody(
    service: Service, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service.answers = [404, *[status] * 5]

    with pytest.raises(Unavailable) as failure:
        await service.mail.post(letter())

    assert str(status) in str(failure.value)
    assert failure.value.__cause__ is None
    assert not any(secret in str(failure.value) + caplog.text for secret in ("ada@", "Müller", "welcome"))


async def test_where_the_service_does_not_say_whether_it_knows_the_letter_none_is_sent(service: Service) -> None:
    service.answers = [503] * 5

    with pytest.raises(Unavailable):
        await service.mail.post(letter())

    assert "POST" not in service.asked


async def test_a_token_is_needed(service: Service, trusted: Certificates) -> None:
    stranger = AzureMail.open(service.url, Nobody(), connection_verify=str(trusted.ca))
    async with stranger.client:
        with pytest.raises(Unavailable, match="401"):
            await stranger.post(letter())

    assert await service.letters.newest(10) == []


async def test_a_function_posts_by_the_service_as_it_is_told(service: Service, to: Connections) -> None:
    queues = {"orders": Queue()}

    await notify_customer(arrived(CONFIRMED), queues, replace(to, mail=service.mail))

    (kept,) = await service.letters.newest(10)
    assert kept.message_id == f"<confirmed-{ORDER}@store>"
    assert len(queues["orders"].sent) == 1
