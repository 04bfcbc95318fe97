"""The whole store, started once on each engine for all stories there; after each of them the laws hold."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.localcloud.programs import state_of
from tests.stories.ground import Ground
from tests.stories.shop import Shop
from tests.stories.store import RunningStore


@pytest.fixture(scope="session", params=["postgres"])
def told_on(request: pytest.FixtureRequest) -> Ground:
    """PostgreSQL, except for stories that are `told_on_each_engine`. Whoever reads the books needs to know where."""
    server = request.getfixturevalue("sql_server") if "azuresql" in request.param else None
    return Ground(request.param, server)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def started(told_on: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStore]:
    with state_of(tmp_path_factory.mktemp("store")) as folder:
        async with told_on.own(), RunningStore.start(folder, told_on.engine) as running:
            yield running
            # Law 7: all customers of the stories have such an address, and none is in a line of any log.
            assert running.logged(b"@example.org") == {}


@pytest.fixture
async def running(started: RunningStore) -> AsyncIterator[RunningStore]:
    yield started
    await started.quiet()


@pytest.fixture
async def shop(running: RunningStore) -> AsyncIterator[Shop]:
    addresses = running.run().addresses
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield Shop(session, addresses["gateway"], addresses["letters"], running.token)
