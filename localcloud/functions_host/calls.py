"""The last calls of each function, for whoever looks at the host: when, how long, how; nothing of what was in them."""

import re
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

KEPT = 50  # of each function
LONGEST_ERROR = 200
# What may say who it was about: quoted values, addresses, long numbers.
_PERSONAL = re.compile(r"'[^']*'|\"[^\"]*\"|\S*@\S*|\+?\d[\d ()/.-]{4,}\d")


class Ended(Struct, frozen=True):
    at: datetime  # when it began
    duration_ms: float
    outcome: Literal["succeeded", "failed"]
    invocation_id: str
    trace_id: str | None = None
    error: str | None = None


class Calls:
    def __init__(self, functions: Iterable[str]) -> None:
        self._last = {name: deque[Ended](maxlen=KEPT) for name in functions}

    def note(self, function: str, ended: Ended) -> None:
        self._last[function].append(ended)

    def of(self, function: str) -> list[Ended]:
        """Latest first."""
        return [*reversed(self._last[function])]


def masked(error: BaseException) -> str:
    """Its kind and its first line, without what may be personal."""
    lines = str(error).strip().splitlines()
    text = _PERSONAL.sub("…", lines[0][: 2 * LONGEST_ERROR]) if lines else ""
    return f"{type(error).__name__}: {text}"[:LONGEST_ERROR].removesuffix(": ")
