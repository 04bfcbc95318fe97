"""The door that its tests stand before, and what the emulators' own tests start: manners are proved against it."""

from collections.abc import AsyncIterator

import pytest

from libs.common.auth import Verifier
from libs.common.entrance import Entrance
from tests.common.door import SHOP, Client, Opened, behind
from tests.localcloud.conftest import issuer, store, topology_file
from tests.localcloud.eventgrid.conftest import cloud, files, queues

__all__ = ["cloud", "files", "issuer", "queues", "store", "topology_file"]


@pytest.fixture
def opened(verifier: Verifier) -> Opened:
    return behind(verifier)


@pytest.fixture
async def client(opened: Opened) -> AsyncIterator[Client]:
    async with opened(Entrance(origins=frozenset({SHOP}))) as client:
        yield client
