"""A letter that was posted is not posted again by the same process."""

import asyncio
from dataclasses import dataclass, field
from email.message import EmailMessage

import pytest

from functions.mail.once import Once
from libs.common.errors import Unavailable


def letter(message_id: str) -> EmailMessage:
    written = EmailMessage()
    written["Message-ID"] = message_id
    return written


@dataclass(slots=True)
class Slow:
    """A way out that takes a letter when the test says so, or fails."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False
    posted: list[str] = field(default_factory=list)

    async def post(self, letter: EmailMessage) -> None:
        await self.open.wait()
        if self.fails:
            raise Unavailable
        self.posted.append(str(letter["Message-ID"]))


async def test_the_same_twice_at_once_and_once_more_is_posted_once() -> None:
    mail = Slow()
    once = Once(mail)

    async with asyncio.TaskGroup() as group:
        for message_id in ("<a@store>", "<a@store>", "<b@store>"):
            group.create_task(once.post(letter(message_id)))
        mail.open.set()
    await once.post(letter("<a@store>"))

    assert sorted(mail.posted) == ["<a@store>", "<b@store>"]


async def test_what_could_not_be_posted_is_posted_when_it_comes_again_also_where_another_waits_for_it() -> None:
    mail = Slow(fails=True)
    once = Once(mail)
    mail.open.set()
    with pytest.raises(Unavailable):
        await once.post(letter("<a@store>"))

    mail.fails = False
    await asyncio.gather(once.post(letter("<a@store>")), once.post(letter("<a@store>")))

    assert mail.posted == ["<a@store>"]


async def test_whoever_is_stopped_over_it_leaves_it_to_the_next() -> None:
    mail = Slow()
    once = Once(mail)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await once.post(letter("<a@store>"))

    mail.open.set()
    await once.post(letter("<a@store>"))

    assert mail.posted == ["<a@store>"]


async def test_the_oldest_is_forgotten_where_there_is_no_more_room() -> None:
    mail = Slow()
    once = Once(mail, most=2)
    mail.open.set()

    for message_id in ("<a@store>", "<b@store>", "<c@store>", "<c@store>", "<b@store>", "<a@store>"):
        await once.post(letter(message_id))

    assert mail.posted == ["<a@store>", "<b@store>", "<c@store>", "<a@store>"]
