"""What a service's log looks like: a line of JSON for each event, and what a library says looks the same."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BEGIN = """
import structlog, logging
from datetime import datetime, UTC
from uuid import UUID
from libs.common import logs, telemetry
logs.configure("%s")
log = structlog.get_logger()
"""


def logged(code: str, level: str = "INFO") -> list[dict[str, Any]]:
    """By a process of its own, for a process has one log."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN % level + code], cwd=ROOT, capture_output=True, timeout=60, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_line_says_what_when_and_to_which_request_it_belongs() -> None:
    code = """
with telemetry.trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"):
    telemetry.name_request("order-7")
    log.info("order.placed", order_id=UUID(int=7), at=datetime(2026, 6, 1, tzinfo=UTC), lines=2)
log.warning("outside", odd=object)
"""
    inside, outside = logged(code)

    assert inside.pop("timestamp") <= outside.pop("timestamp")
    assert len(inside.pop("span_id")) == 16
    assert inside == {
        "event": "order.placed",
        "level": "info",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "request_id": "order-7",
        "order_id": "00000000-0000-0000-0000-000000000007",
        "at": "2026-06-01T00:00:00Z",
        "lines": 2,
    }
    assert outside == {"event": "outside", "level": "warning", "odd": "<class 'object'>"}


@pytest.mark.parametrize(
    ("level", "heard"), [("DEBUG", "debug info warning error"), ("INFO", "info warning error"), ("ERROR", "error")]
)
def test_what_is_below_the_level_is_not_said(level: str, heard: str) -> None:
    code = "\n".join(f"log.{each}('x')" for each in ("debug", "info", "warning", "error"))

    assert [line["level"] for line in logged(code, level)] == heard.split()


def test_a_defect_is_told_with_its_traceback_and_what_a_library_warns_of_looks_the_same() -> None:
    defect, library, quiet = logged("""
try:
    1 / 0
except ZeroDivisionError:
    log.exception("request.failed", path="/x")
logging.getLogger("lib").warning("it is %s", "slow")
logging.getLogger("lib").info("chatter")
log.info("done")
""")

    assert (defect["event"], defect["level"], defect["path"]) == ("request.failed", "error", "/x")
    assert defect["exception"].splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "exc_info" not in defect
    assert (library["event"], library["level"], quiet["event"]) == ("it is slow", "warning", "done")


def test_a_lone_surrogate_is_written_too() -> None:
    (line,) = logged(r"log.info('request.answered', path='/\ud800')")

    assert (line["path"], line["event"]) == ("/\ud800", "request.answered")
