"""One place for the whole run; names of its own for each test."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.conformance.keyvault.place import WHERE, Place, Vault, Way, opened
from tests.conformance.run import for_the_run


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield from for_the_run(opened(tmp_path_factory.mktemp("conformance")))


@pytest.fixture(params=["async", "sync"])
async def vault(place: Place, request: pytest.FixtureRequest) -> AsyncIterator[Vault]:
    way: Way = request.param
    async with place.client(way) as sdk:
        made = Vault(sdk)
        try:
            yield made
        finally:
            await made.remove_all()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"conformance of Key Vault: ran against {WHERE}")
