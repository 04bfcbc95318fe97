from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from localcloud import certificates
from localcloud.access import Access, Issuer
from localcloud.certificates import Certificates
from localcloud.eventgrid import FAIR, Conditions
from localcloud.topology import Topology
from tests.localcloud.eventgrid.grid import NOWHERE, Cloud, Functions, Queues, Running
from tests.localcloud.eventgrid.hooks import Hear, Hook, hearing


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


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with Hook().running() as hook:
        yield hook


@pytest.fixture
def hear(cloud: Cloud, store: Topology, hook: Hook) -> Hear:
    """Opens an Event Grid whose only subscription is to the hook."""

    def opened(under: Conditions = FAIR, time_scale: float = 0.001, **said: Any) -> Any:
        to = {"webhook": hook.url} | said.pop("to", {})
        return replace(cloud, topology=hearing(store, {"to": to} | said)).running(NOWHERE, time_scale, under)

    return opened
