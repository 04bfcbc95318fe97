import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from localcloud import mail
from localcloud.mail import LARGEST_LETTER, MOST_LETTERS, MOST_RECIPIENTS, Letters

SENDER = "store@store.example"
ANNA = "anna@customers.example"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Office:
    kept: Letters
    smtp_port: int
    web: TestClient[web.Request, web.Application]

    async def send(self, letter: EmailMessage | bytes, *to: str) -> None:
        recipients = list(to) or [ANNA]
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.smtp_port, start_tls=False, timeout=10) as smtp:
            if isinstance(letter, bytes):
                await smtp.sendmail(SENDER, recipients, letter)
            else:
                await smtp.send_message(letter, sender=SENDER, recipients=recipients)

    async def letters(self, **query: str) -> list[dict[str, Any]]:
        async with self.web.get("/letters", params=query) as answer:
            assert answer.status == 200
            listed: list[dict[str, Any]] = await answer.json()
            return listed

    async def text(self, number: int) -> str:
        async with self.web.get(f"/letters/{number}") as answer:
            return str((await answer.json())["text"])


@asynccontextmanager
async def opened(folder: Path, most: int = MOST_LETTERS) -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        letters = await stack.enter_async_context(Letters.open(folder / "mail.sqlite", most))
        smtp = await stack.enter_async_context(await mail.listen(letters, "127.0.0.1", 0))
        client = await stack.enter_async_context(TestClient(TestServer(mail.app(letters))))
        yield Office(letters, smtp.sockets[0].getsockname()[1], client)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with opened(tmp_path) as office:
        yield office


def letter(
    message_id: str | None = "<confirm-1@store.example>", subject: str = "Your order", text: str = ""
) -> EmailMessage:
    written = EmailMessage()
    written["From"], written["To"], written["Subject"] = SENDER, ANNA, subject
    if message_id:
        written["Message-ID"] = message_id
    written.set_content(text or "Thank you.")
    return written


async def test_a_letter_is_kept_to_look_at(office: Office) -> None:
    await office.send(letter(subject="Größe \U0001f4e6", text="Grüße,\nAnna"))

    (listed,) = await office.letters()

    assert listed.pop("received")
    assert listed == {
        "id": 1,
        "message_id": "<confirm-1@store.example>",
        "from": SENDER,
        "to": [ANNA],
        "subject": "Größe \U0001f4e6",
        "repeats": 0,
    }
    assert (await office.text(1)).splitlines() == ["Grüße,", "Anna"]


async def test_a_letter_that_comes_again_is_counted_not_kept(office: Office) -> None:
    await asyncio.gather(*(office.send(letter(text=f"attempt {attempt}")) for attempt in range(5)))

    (listed,) = await office.letters()

    assert listed["repeats"] == 4


async def test_letters_without_an_id_are_like_no_other(office: Office) -> None:
    for _ in range(2):
        await office.send(letter(message_id=None).as_bytes())

    assert [each["repeats"] for each in await office.letters()] == [0, 0]


async def test_the_newest_letter_comes_first(office: Office) -> None:
    for number in range(3):
        await office.send(letter(f"<{number}@store.example>"))

    assert [each["id"] for each in await office.letters(limit="2")] == [3, 2]


async def test_letters_are_found_by_whom_they_are_to(office: Office) -> None:
    await office.send(letter("<1@store.example>"), ANNA, "bob@customers.example")
    await office.send(letter("<2@store.example>"), "carl@customers.example")

    assert [each["id"] for each in await office.letters(to="BOB@customers.example")] == [1]
    assert await office.letters(to="bob") == []


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "", "²"])
async def test_a_limit_out_of_bounds_is_refused(office: Office, limit: str) -> None:
    async with office.web.get("/letters", params={"limit": limit}) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("number", ["1", "9" * 18, "9" * 30, "x"])
async def test_a_letter_that_is_not_there_is_not_found(office: Office, number: str) -> None:
    async with office.web.get(f"/letters/{number}") as answer:
        assert answer.status == 404


async def test_letters_and_their_repeats_outlive_the_server(tmp_path: Path) -> None:
    async with opened(tmp_path) as before:
        await before.send(letter())

    async with opened(tmp_path) as after:
        await after.send(letter())
        (listed,) = await after.letters()

    assert listed["repeats"] == 1


async def test_the_oldest_letters_are_dropped(tmp_path: Path) -> None:
    async with opened(tmp_path, most=2) as office:
        for number in range(4):
            await office.send(letter(f"<{number}@store.example>"))

        assert [each["id"] for each in await office.letters()] == [4, 3]


async def test_a_letter_that_is_too_large_is_refused(office: Office) -> None:
    with pytest.raises(aiosmtplib.SMTPResponseException) as raised:
        await office.send(letter(text="x" * 70 + "\n").as_bytes() + b"x" * LARGEST_LETTER)

    assert raised.value.code == 552
    assert await office.letters() == []


async def test_a_letter_to_too_many_is_refused_for_the_rest_of_them(office: Office) -> None:
    await office.send(letter(), *(f"{number}@customers.example" for number in range(MOST_RECIPIENTS + 1)))

    (listed,) = await office.letters()

    assert len(listed["to"]) == MOST_RECIPIENTS


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"Message-ID: <\r\n\r\nx", id="half a Message-ID"),
        pytest.param(b"Subject: \xff\xfe\r\n\r\n\xff", id="no UTF-8"),
        pytest.param(b"Subject: =?nope?q?x?=\r\nContent-Type: text/plain; charset=nope\r\n\r\nx", id="unknown charset"),
        pytest.param(b"Content-Type: multipart/mixed\r\n\r\nx", id="no boundary"),
        pytest.param(b"Content-Type: text/html\r\n\r\n<p>x", id="HTML only"),
        pytest.param(b"Subject: " + b"x" * 990 + b"\r\n x" * 1000 + b"\r\n\r\nx", id="endless subject"),
    ],
)
async def test_a_malformed_letter_is_kept_too(office: Office, content: bytes) -> None:
    await office.send(content)

    (listed,) = await office.letters()

    assert isinstance(await office.text(listed["id"]), str)


async def test_the_page_shows_letters_and_runs_nothing_in_them(office: Office) -> None:
    await office.send(letter(subject="<script>alert(1)</script>"), '"<b>"@customers.example')

    async with office.web.get("/") as answer:
        page = await answer.text()

    assert answer.content_type == "text/html"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert '<a href="/letters/1">&lt;script&gt;alert(1)&lt;/script&gt;</a>' in page
    assert "<b>" not in page


async def test_a_disk_that_is_full_is_a_reason_to_try_again_later(office: Office) -> None:
    await office.kept.journal.read("PRAGMA max_page_count = 1")

    with pytest.raises(aiosmtplib.SMTPResponseException) as raised:
        await office.send(letter(text="x" * 60 + "\n" + "y" * 100_000))

    assert raised.value.code == 451


def written(message_id: str, at: datetime, customer: str = "c-1") -> EmailMessage:
    letter = EmailMessage()
    letter["Message-ID"], letter["X-Customer-Id"], letter["Date"] = message_id, customer, at
    letter["To"], letter["Subject"] = ANNA, "News"
    letter.set_content("Hello")
    return letter


async def test_letters_to_the_erased_are_forgotten_and_those_to_others_kept(office: Office) -> None:
    for number, customer in enumerate(("c-1", "c-2", "c-1")):
        await office.send(written(f"<{number}@store>", NOON, customer))

    await office.kept.forget("c-1", NOON)

    assert [letter["message_id"] for letter in await office.letters()] == ["<1@store>"]


async def test_what_was_written_before_an_erasure_and_comes_after_it_is_not_kept(office: Office) -> None:
    await office.kept.forget("c-1", NOON)
    await office.kept.forget("c-1", NOON - timedelta(days=1))  # told late

    await office.send(written("<late@store>", NOON - timedelta(seconds=1)))
    await office.send(written("<same@store>", NOON))
    await office.send(written("<anew@store>", NOON + timedelta(seconds=1)))  # who has registered again

    assert [letter["message_id"] for letter in await office.letters()] == ["<anew@store>"]


async def test_what_is_forgotten_stays_forgotten_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as office:
        await office.send(written("<1@store>", NOON))
        await office.kept.forget("c-1", NOON)

    async with opened(tmp_path) as office:
        await office.send(written("<2@store>", NOON))
        assert await office.letters() == []


async def test_a_letter_without_a_date_is_of_now(office: Office) -> None:
    await office.kept.forget("c-1", datetime.now(UTC) - timedelta(minutes=1))
    letter = written("<1@store>", NOON)
    for date in (None, "nonsense"):
        del letter["Date"], letter["Message-ID"]
        letter["Message-ID"] = f"<{date}@store>"
        content = letter.as_bytes().replace(b"Subject", f"Date: {date}\r\nSubject".encode() if date else b"Subject")
        await office.send(content)

    assert len(await office.letters()) == 2


async def test_only_the_newest_letters_have_owners(tmp_path: Path) -> None:
    async with opened(tmp_path, most=2) as office:
        for number in range(4):
            await office.send(written(f"<{number}@store>", NOON))

        assert await office.kept.journal.read("SELECT letter FROM owners ORDER BY letter") == [(3,), (4,)]
