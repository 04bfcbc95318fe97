"""What comes back, on every engine: on hand again once, whatever is heard and in whatever order."""

import asyncio
from uuid import UUID

import pytest

from services.catalog.reservations import UnknownReservation
from services.catalog.store import Store
from tests.catalog.selling import LAMP, Verb, figures, hold, ledger, sell, settle

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

ORDER = UUID(int=100)
RETURNED: list[Verb] = ["sell", "take_back"]


@pytest.mark.parametrize(
    "heard",
    [
        ["sell", "take_back"],
        ["take_back", "sell"],
        ["sell", "take_back", "take_back", "sell", "release"],
        ["take_back", "take_back", "release", "sell"],
    ],
    ids=" ".join,
)
async def test_what_comes_back_is_on_hand_once_early_late_or_twice(store: Store, heard: list[Verb]) -> None:
    await sell(store, LAMP, stock=5)
    await hold(store, ORDER, (LAMP, 3))

    for verb in heard:
        for _ in range(2):
            await settle(store, ORDER, verb, cause=f"{verb} {heard.index(verb)}")
    await hold(store, ORDER, (LAMP, 3))

    assert await figures(store, LAMP) == (5, 0, 0, 5)
    assert [each.kind for each in await ledger(store, LAMP)] == ["opened", "reserved", "sold", "returned"]


async def test_twenty_returns_and_sales_at_once_are_one_return(store: Store) -> None:
    await sell(store, LAMP, stock=5)
    await hold(store, ORDER, (LAMP, 3))

    await asyncio.gather(*(settle(store, ORDER, verb) for verb in RETURNED * 10))

    assert await figures(store, LAMP) == (5, 0, 0, 5)


async def test_a_return_of_what_was_never_held_is_a_defect_and_of_what_was_refused_is_nothing(store: Store) -> None:
    await sell(store, LAMP, stock=1)
    with pytest.raises(UnknownReservation):
        await settle(store, ORDER, "take_back", cause="early")

    await hold(store, ORDER, (LAMP, 2))
    await settle(store, ORDER, "take_back", cause="early")

    assert await figures(store, LAMP) == (1, 0, 0, 1)
