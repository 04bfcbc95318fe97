"""One place for the whole run; fresh entities for each test."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.conformance.servicebus.place import WHERE, Namespace, Place, Way, opened


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    opening = opened(tmp_path_factory.mktemp("conformance"))
    with asyncio.Runner() as runner:  # each test has a loop of its own
        yield runner.run(opening.__aenter__())
        runner.run(opening.__aexit__(None, None, None))


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
