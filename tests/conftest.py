"""What many tests need, and what a reader of their summary must not overlook."""

import pytest

from tests.engines.azuresql import why_not

pytest_plugins = ["tests.tokens", "tests.engines.fixtures"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [report for report in terminalreporter.getreports("skipped") if "azuresql" in report.nodeid]
    if skipped and (reason := why_not()):
        terminalreporter.write_line(f"{len(skipped)} tests of Azure SQL were left out: {reason}", yellow=True)
