"""Table Storage's limits, which Azurite does not have, and its leases."""

import asyncio
from uuid import uuid4

import pytest

from libs.common.entities import MOST_CHANGE_BYTES, MOST_ENTITY_BYTES, MOST_OPERATIONS, Change, OverLimit, Overtaken
from libs.common.errors import Unavailable
from libs.common.leases import RENEW_SECONDS, held
from libs.common.tables import Tables
from tests.engines import Engine


def test_a_hundred_entities_change_together_and_no_more() -> None:
    change = Change("p")
    for number in range(MOST_OPERATIONS):
        change.create(f"r|{number}")

    with pytest.raises(OverLimit, match="101 entities"):
        change.create("one more")


def test_an_entity_is_no_larger_than_a_mebibyte() -> None:
    with pytest.raises(OverLimit, match=f"at most {MOST_ENTITY_BYTES}"):
        Change("p").create("r", bytes(MOST_ENTITY_BYTES))


def test_what_changes_together_is_no_larger_than_four_mebibytes_on_the_wire() -> None:
    change, each = Change("p"), 900_000
    fitting = MOST_CHANGE_BYTES // (each * 4 // 3 + 2000)
    for number in range(fitting):
        change.create(f"r|{number}", bytes(each))

    with pytest.raises(OverLimit):
        change.create("one more", bytes(each))


@pytest.mark.real
@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 300_000])
async def test_a_body_comes_back_as_it_was_whatever_its_size(tables: Engine, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    async with tables.database() as database:
        assert isinstance(database, Tables)
        await database.migrate("none", "")
        change = Change("p")
        change.create("r", body[:size])
        await database.table.submit(change)

        found = await database.table.read("p", "r")

    assert found is not None
    assert found.body == body[:size]


@pytest.mark.real
async def test_a_message_may_be_called_anything(tables: Engine) -> None:
    cause = "/services/orders é/\\#?%\x01 " + "x" * 2000
    async with tables.database() as database:
        assert isinstance(database, Tables)
        await database.migrate("none", "")
        change = Change("p")
        change.note(cause)
        await database.table.submit(change)

        assert not await database.table.first_time("p", cause)
        assert await database.table.first_time("p", cause + "!")
        with pytest.raises(Overtaken):
            await database.table.submit(change)


@pytest.mark.real
async def test_a_lease_that_is_not_renewed_goes_to_the_next_and_its_holder_learns_it(tables: Engine) -> None:
    name, forever = uuid4().hex, asyncio.Event()
    async with tables.database() as database:
        assert isinstance(database, Tables)
        await database.migrate("none", "")
        async with held(database.table, name, forever) as first:
            assert first
            first.renewed_at -= RENEW_SECONDS  # it is time to say that one is there
            await first.keep()
            first.renewed_at -= RENEW_SECONDS
            async with held(database.table, name, forever) as second:
                assert second
                with pytest.raises(Unavailable, match="another process"):
                    await first.keep()
