"""What befalls events on their way through the store for the length of a story."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from localcloud.eventgrid import FAIR, Conditions
from tests.inspecting import act
from tests.stories.store import RunningStore


@asynccontextmanager
async def weather(store: RunningStore, conditions: Conditions) -> AsyncIterator[None]:
    inspector = store.run().addresses["inspector"]
    await act(inspector, "conditions", conditions)
    try:
        yield
    finally:
        await act(inspector, "conditions", FAIR)
