"""One place for the whole run."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.identity.place import WHERE, Place, opened


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    opening = opened(tmp_path_factory.mktemp("conformance"))
    with asyncio.Runner() as runner:  # each test has a loop of its own
        yield runner.run(opening.__aenter__())
        runner.run(opening.__aexit__(None, None, None))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"conformance of identity: ran against {WHERE}")
