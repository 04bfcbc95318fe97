"""Orders that came in lately, and the way of one of them through the system, as the logs tell it. All of it blocks."""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from localcloud import story
from localcloud.story import Step

TAIL_BYTES: Final = 256 * 1024  # of a log
MOST: Final = 30
MOST_STEPS: Final = 200
TRACE: Final = re.compile(r"[0-9a-f]{32}")


class Recent(Struct, frozen=True):
    at: datetime
    trace: str
    order: str  # empty until a function has looked at it
    status: int  # as it was answered


class Way(Struct, frozen=True):
    asked: str
    traces: list[str]
    steps: list[Step]


def recent(logs: Path) -> list[Recent]:
    """The last first."""
    examined = {
        line.get("trace_id"): str(line.get("order_id", ""))
        for line in tail(logs / "functions.log")
        if line["event"] == "order.examined"
    }
    placed = [line for line in reversed(tail(logs / "orders.log")) if _is_placing(line)]
    return [_recent(line, examined.get(line["trace_id"], "")) for line in placed[:MOST]]


def tail(log: Path) -> list[dict[str, Any]]:
    """The last lines that are whole, and ours."""
    try:
        with log.open("rb") as written:
            size = written.seek(0, os.SEEK_END)
            written.seek(max(0, size - TAIL_BYTES))
            content = written.read(TAIL_BYTES)
    except FileNotFoundError:
        return []
    return [line for each in content.splitlines() for line in story.understood(each)]


def way(logs: Path, asked: str) -> Way:
    """Of an order by its id, or of whatever has this trace id."""
    traces = [asked] if TRACE.fullmatch(asked) else story.traces(logs, asked)
    return Way(asked, traces, story.read(logs, *traces)[:MOST_STEPS] if traces else [])


def _is_placing(line: dict[str, Any]) -> bool:
    asked = (line["event"], line.get("method"), line.get("path"))
    return asked == ("request.answered", "POST", "/api/orders") and bool(line.get("trace_id"))


def _recent(line: dict[str, Any], order: str) -> Recent:
    at = datetime.fromisoformat(line["timestamp"])
    return Recent(at, str(line["trace_id"]), order, int(line.get("status") or 0))
