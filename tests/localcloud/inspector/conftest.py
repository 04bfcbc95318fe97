"""A local cloud to look into, and a browser that does."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from localcloud import certificates
from localcloud.access import Access, Issuer
from localcloud.addresses import Addresses, Port
from localcloud.azurite import Azurite
from localcloud.certificates import Certificates
from localcloud.topology import Topology
from tests.localcloud.eventgrid.grid import Functions
from tests.localcloud.inspector.browser import Visit, visiting
from tests.localcloud.inspector.cloud import Cloud, opened
from tests.localcloud.programs import free_ports, running

TOOLS = Path(__file__).parents[3] / ".tools"


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.ensure(tmp_path_factory.mktemp("certificates"), datetime.now(UTC))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def azurite(tmp_path_factory: pytest.TempPathFactory, files: Certificates) -> AsyncIterator[Azurite]:
    folder = tmp_path_factory.mktemp("azurite")
    azurite = Azurite.open(folder, "store", Addresses(free_ports(len(Port))), files)
    async with running(azurite.program(TOOLS), folder / "log"):
        yield azurite


@pytest.fixture
async def functions() -> AsyncIterator[Functions]:
    async with Functions().running() as functions:
        yield functions


@pytest.fixture
async def cloud(
    tmp_path: Path, azurite: Azurite, issuer: Issuer, store: Topology, functions: Functions
) -> AsyncIterator[Cloud]:
    async with opened(tmp_path, Access(issuer, store), azurite, functions) as cloud:
        yield cloud


@pytest.fixture
async def visit(cloud: Cloud) -> AsyncIterator[Visit]:
    async with visiting(cloud.url) as visit:
        yield visit
