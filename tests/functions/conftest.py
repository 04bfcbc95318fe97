"""A function's surroundings, on loopback."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from functions.connections import TIMEOUT, Connections
from functions.mail import open_mail
from functions.mail.once import Once
from functions.settings import Settings
from localcloud import certificates
from localcloud.certificates import Certificates
from localcloud.payments.server import Provider
from localcloud.payments.till import Till
from tests.functions.surroundings import KEY, SHOP, Credential, Mailbox, Owners, Queue


@pytest.fixture
def owners() -> Owners:
    return Owners()


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    async with await box.open():
        yield box


@pytest.fixture
def credential() -> Credential:
    return Credential()


@pytest.fixture
def queues() -> dict[str, Queue]:
    return {"catalog": Queue(), "orders": Queue()}


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    async with Till.open(tmp_path / "payments.sqlite") as till:
        yield till


@pytest.fixture
async def payments(till: Till) -> AsyncIterator[str]:
    """The simulated provider, which stands for the real one."""
    async with TestServer(Provider(till, KEY).app()) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.fixture
async def to(owners: Owners, mailbox: Mailbox, credential: Credential, payments: str) -> AsyncIterator[Connections]:
    async with TestServer(owners.app()) as server, aiohttp.ClientSession(timeout=TIMEOUT) as session:
        url = str(server.make_url("")).rstrip("/")
        told = Settings(
            cors_origins=SHOP,
            customers_url=url,
            orders_url=url,
            catalog_url=url,
            mail_url=f"smtp://127.0.0.1:{mailbox.port}",
            mail_from="Store <store@example.org>",
            blob_endpoint="https://127.0.0.1:1/store",
            media_url="https://media.example",
            payments_url=payments,
            payments_key=KEY,
        )
        yield Connections(told, session, credential, Once(open_mail(told.mail_url, "", credential)))


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    files = certificates.ensure(tmp_path / "certificates", datetime.now(UTC))
    monkeypatch.setenv("SSL_CERT_FILE", str(files.bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files.bundle))
    return files
