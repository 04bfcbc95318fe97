"""One place for the whole run."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.eventgrid.place import WHERE, Place, opened


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    opening = opened(tmp_path_factory.mktemp("eventgrid"))
    with asyncio.Runner() as runner:  # each test has a loop of its own
        yield runner.run(opening.__aenter__())
        runner.run(opening.__aexit__(None, None, None))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"conformance of Event Grid: ran against {WHERE}")


@pytest.fixture(autouse=True)
def trust(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment names authorities, the sync SDK asks those, whatever its client is told."""
    if ca := place.options.get("connection_verify"):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca)
