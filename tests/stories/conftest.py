"""The whole store, started once on each engine for all stories there; after each of them the laws hold."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.localcloud.programs import state_of
from tests.stories.shop import Shop
from tests.stories.store import RunningStore


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["postgres"])
async def started(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningStore]:
    """On PostgreSQL, except for stories that are `told_on` others."""
    with state_of(tmp_path_factory.mktemp("store")) as folder:
        async with RunningStore.start(folder, request.param) as running:
            yield running


@pytest.fixture
async def running(started: RunningStore) -> AsyncIterator[RunningStore]:
    yield started
    await started.quiet()


@pytest.fixture
async def shop(running: RunningStore) -> AsyncIterator[Shop]:
    addresses = running.run().addresses
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield Shop(session, addresses["gateway"], addresses["letters"], running.token)
