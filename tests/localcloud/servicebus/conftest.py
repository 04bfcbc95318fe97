from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localcloud import certificates
from localcloud.access import Access, Issuer
from localcloud.certificates import Certificates
from localcloud.servicebus.performatives import Attach, Source, Target
from localcloud.topology import Topology
from tests.localcloud.servicebus.bus import Bus, opened
from tests.localcloud.servicebus.peer import CATALOG, SENDS, Client, connected


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.ensure(tmp_path_factory.mktemp("certificates"), datetime.now(UTC))


@pytest.fixture
def access(issuer: Issuer, store: Topology) -> Access:
    return Access(issuer, store)


@pytest.fixture
async def bus(tmp_path: Path, access: Access, files: Certificates) -> AsyncIterator[Bus]:
    async with opened(tmp_path / "servicebus.sqlite", access, files) as bus:
        yield bus


@pytest.fixture
def stranger(tmp_path: Path, access: Access) -> Access:
    """Another issuer by the same name."""
    issuer = Issuer.open(tmp_path / "stranger", access.issuer.url, access.issuer.tenant)
    return Access(issuer, access.topology)


@pytest.fixture
async def newcomer(tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(tmp_path) as client:
        yield client


@pytest.fixture
async def client(newcomer: Client) -> Client:
    newcomer.open()
    newcomer.say(Attach("s", SENDS, role=False, source=Source(), target=Target(CATALOG)))
    return newcomer
