"""List cursors."""

import asyncio
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.cursors import LOOK_SECONDS, Cursors
from libs.common.errors import Invalid, Unavailable
from tests.waiting import so

CURSORS = Cursors(b"a key")


@given(st.tuples(st.integers(-(2**53), 2**53), st.text()))
async def test_a_cursor_opens_to_where_it_was_sealed(position: tuple[int, str]) -> None:
    assert await CURSORS.open(CURSORS.seal(position), tuple[int, str]) == position


@given(st.text(max_size=80))
async def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await CURSORS.open(cursor, UUID)

    assert refusal.value.field == "cursor"


async def test_a_cursor_of_another_key_or_another_list_is_refused() -> None:
    for cursor in (Cursors(b"another").seal(UUID(int=1)), CURSORS.seal([1, 2])):
        with pytest.raises(Invalid):
            await CURSORS.open(cursor, UUID)


class Looking:
    """Key Vault, and whoever it is asked by."""

    def __init__(self, key: str) -> None:
        self.key, self.looks, self.at = key, 0, 0.0
        self.answers = asyncio.Event()
        self.answers.set()

    async def look(self) -> str:
        self.looks += 1
        await self.answers.wait()
        if not self.key:
            raise Unavailable
        return self.key

    def cursors(self, key: bytes) -> Cursors:
        return Cursors(key, look=self.look, clock=lambda: self.at)


async def test_a_newer_key_is_taken_up_with_the_first_cursors_that_it_has_sealed() -> None:
    vault, newer = Looking("newer"), Cursors(b"newer")
    cursors = vault.cursors(b"former")
    known = cursors.seal(1)

    vault.answers.clear()
    opening = asyncio.gather(*(cursors.open(newer.seal(number), int) for number in range(50)))
    await so(lambda: vault.looks == 1)
    vault.answers.set()
    opened = await opening

    assert (opened, vault.looks) == (list(range(50)), 1)
    assert (await cursors.open(known, int), await newer.open(cursors.seal(2), int)) == (1, 2)


@pytest.mark.parametrize("key", ["newer", ""])
async def test_cursors_that_are_made_up_are_looked_for_no_more_often_than_that(key: str) -> None:
    vault = Looking(key)
    cursors = vault.cursors(b"newer")

    for expected in (1, 1, 2):
        with pytest.raises(Invalid):
            await cursors.open(CURSORS.seal(1), int)
        assert vault.looks == expected
        vault.at += LOOK_SECONDS * 0.6
