"""One place for the whole run."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.identity.place import WHERE, Place, opened
from tests.conformance.run import for_the_run


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield from for_the_run(opened(tmp_path_factory.mktemp("conformance")))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"conformance of identity: ran against {WHERE}")
