"""What many tests need, and what a reader of their summary must not overlook."""

import pytest
from hypothesis import settings

from tests.engines import azuresql, oldest
from tests.localcloud.inspector import browser

# Each test has a deadline of its own (pytest-timeout); one for each example fails where the machine is busy.
settings.register_profile("store", deadline=None)
settings.load_profile("store")

pytest_plugins = ["tests.tokens", "tests.engines.fixtures"]


LEFT_OUT = {
    "azuresql": ("of Azure SQL", azuresql.why_not),
    "oldest": ("of another PostgreSQL", oldest.why_not),
    "browser": ("in a browser", browser.why_not),
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.getreports("skipped")
    for engine, (of, why_not) in LEFT_OUT.items():
        count = sum(engine in report.nodeid for report in skipped)
        if count and (reason := why_not()):
            terminalreporter.write_line(f"{count} tests {of} were left out: {reason}", yellow=True)
