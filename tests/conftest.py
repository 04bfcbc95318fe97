"""What many tests need, and what a reader of their summary must not overlook."""

from collections import Counter

import pytest
from hypothesis import settings

# Each test has a deadline of its own (pytest-timeout); one for each example fails where the machine is busy.
settings.register_profile("store", deadline=None)
settings.load_profile("store")

pytest_plugins = ["tests.tokens", "tests.engines.fixtures"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nothing is left out in silence."""
    skipped = terminalreporter.getreports("skipped")
    reasons = Counter(str(each.longrepr[2]) for each in skipped if isinstance(each.longrepr, tuple))
    for reason, count in sorted(reasons.items()):
        tests = "test was" if count == 1 else "tests were"
        terminalreporter.write_line(f"{count} {tests} left out: {reason.removeprefix('Skipped: ')}", yellow=True)
