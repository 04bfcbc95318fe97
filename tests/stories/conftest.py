"""The whole store, started once for all stories; after each of them the laws hold."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.localcloud.programs import state_of
from tests.stories.shop import Shop
from tests.stories.store import RunningStore


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with state_of(tmp_path_factory.mktemp("store")) as state:
        yield state


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def started(folder: Path) -> AsyncIterator[RunningStore]:
    async with RunningStore.start(folder) as running:
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
