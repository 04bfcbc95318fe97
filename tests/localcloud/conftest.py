"""The store's own topology, an issuer for it, and a gateway in front of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localcloud import gateway, topology
from localcloud.access import Issuer
from localcloud.addresses import Addresses
from localcloud.identity import issuer_url
from localcloud.topology import Topology
from tests.localcloud.directory import Directory, opened
from tests.localcloud.nginx import Gateway, Open, gateways


@pytest.fixture(scope="session")
def topology_file() -> Path:
    return Path(__file__).parents[2] / "deploy/topology.yaml"


@pytest.fixture(scope="session")
def store(topology_file: Path) -> Topology:
    return topology.load(topology_file)


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory, store: Topology) -> Issuer:
    return Issuer.open(tmp_path_factory.mktemp("identity"), issuer_url(Addresses(), store.tenant), store.tenant)


@pytest.fixture
async def directory(tmp_path: Path, issuer: Issuer, store: Topology) -> AsyncIterator[Directory]:
    async with opened(tmp_path, issuer, store) as directory:
        yield directory


@pytest.fixture
async def open_gateway(tmp_path: Path, store: Topology) -> AsyncIterator[Open]:
    async with gateways(tmp_path, store) as start:
        yield start


@pytest.fixture
async def nginx(open_gateway: Open) -> Gateway:
    return await open_gateway(gateway.DEFAULT_LIMITS)
