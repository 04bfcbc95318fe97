from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localcloud import certificates
from localcloud.access import Access, Issuer
from localcloud.certificates import Certificates
from localcloud.topology import Topology
from tests.localcloud.eventgrid.grid import Cloud, Functions, Queues, Running


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.ensure(tmp_path_factory.mktemp("certificates"), datetime.now(UTC))


@pytest.fixture
def queues() -> Queues:
    return Queues()


@pytest.fixture
def cloud(tmp_path: Path, files: Certificates, issuer: Issuer, store: Topology, queues: Queues) -> Cloud:
    return Cloud(tmp_path / "eventgrid.sqlite", files, Access(issuer, store), queues.send)


@pytest.fixture
async def functions() -> AsyncIterator[Functions]:
    async with Functions().running() as functions:
        yield functions


@pytest.fixture
async def running(cloud: Cloud, functions: Functions) -> AsyncIterator[Running]:
    async with cloud.running(functions.address) as running:
        yield running
