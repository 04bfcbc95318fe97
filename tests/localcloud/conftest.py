"""The store's own topology, and an issuer for it."""

from pathlib import Path

import pytest

from localcloud import topology
from localcloud.access import Issuer
from localcloud.addresses import Addresses
from localcloud.identity import issuer_url
from localcloud.topology import Topology


@pytest.fixture(scope="session")
def topology_file() -> Path:
    return Path(__file__).parents[2] / "deploy/topology.yaml"


@pytest.fixture(scope="session")
def store(topology_file: Path) -> Topology:
    return topology.load(topology_file)


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory, store: Topology) -> Issuer:
    return Issuer.open(tmp_path_factory.mktemp("identity"), issuer_url(Addresses(), store.tenant), store.tenant)
