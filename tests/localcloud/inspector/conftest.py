"""A local cloud to look into, and a browser that does."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localcloud import certificates
from localcloud.access import Access, Issuer
from localcloud.certificates import Certificates
from localcloud.topology import Topology
from tests.localcloud.eventgrid.grid import Functions
from tests.localcloud.inspector.browser import Visit, visiting
from tests.localcloud.inspector.cloud import Cloud, opened


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.ensure(tmp_path_factory.mktemp("certificates"), datetime.now(UTC))


@pytest.fixture
async def functions() -> AsyncIterator[Functions]:
    async with Functions().running() as functions:
        yield functions


@pytest.fixture
async def cloud(
    tmp_path: Path, files: Certificates, issuer: Issuer, store: Topology, functions: Functions
) -> AsyncIterator[Cloud]:
    async with opened(tmp_path, Access(issuer, store), files, functions) as cloud:
        yield cloud


@pytest.fixture
async def visit(cloud: Cloud) -> AsyncIterator[Visit]:
    async with visiting(cloud.url) as visit:
        yield visit
