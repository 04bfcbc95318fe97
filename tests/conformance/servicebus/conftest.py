"""One place for the whole run; fresh entities for each test."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.conformance.run import for_the_run
from tests.conformance.servicebus.place import WHERE, Namespace, Place, Way, opened


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield from for_the_run(opened(tmp_path_factory.mktemp("conformance")))


@pytest.fixture(params=["async", "sync"])
def way(request: pytest.FixtureRequest) -> Way:
    chosen: Way = request.param
    return chosen


@pytest.fixture
async def namespace(place: Place, way: Way) -> AsyncIterator[Namespace]:
    async with place.administration() as admin:
        made = Namespace(place, admin, way)
        try:
            yield made
        finally:
            await made.remove_all()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"conformance of Service Bus: ran against {WHERE}")
