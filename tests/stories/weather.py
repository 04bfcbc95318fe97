"""What befalls events on their way through the store for the length of a story."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from localcloud.eventgrid import FAIR, Conditions
from tests.stories.shop import Shop


@asynccontextmanager
async def weather(shop: Shop, conditions: Conditions) -> AsyncIterator[None]:
    await _change(shop, conditions)
    try:
        yield
    finally:
        await _change(shop, FAIR)


async def _change(shop: Shop, to: Conditions) -> None:
    async with shop.session.put(f"{shop.letters_url}/event-grid", data=msgspec.json.encode(to), raise_for_status=True):
        pass
