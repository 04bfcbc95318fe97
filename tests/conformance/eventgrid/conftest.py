"""One place for the whole run."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.eventgrid.place import WHERE, Place, opened
from tests.conformance.run import for_the_run


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield from for_the_run(opened(tmp_path_factory.mktemp("eventgrid")))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"conformance of Event Grid: ran against {WHERE}")


@pytest.fixture(autouse=True)
def trust(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment names authorities, the sync SDK asks those, whatever its client is told."""
    if ca := place.options.get("connection_verify"):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca)
