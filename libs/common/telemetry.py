"""One trace from the HTTP request through every message to the letter (W3C Trace Context, level 1)."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

_PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
_current: ContextVar[str] = ContextVar("traceparent", default="")


@contextmanager
def trace(parent: str | None) -> Iterator[str]:
    """Goes on with the caller's trace, or begins one; yields our `traceparent` and binds its id to every log line."""
    known = _PARENT.fullmatch(parent or "")
    trace_id, flags = (known[1], known[2]) if known else (secrets.token_hex(16), "01")
    token = _current.set(f"00-{trace_id}-{secrets.token_hex(8)}-{flags}")
    with structlog.contextvars.bound_contextvars(trace_id=trace_id):
        try:
            yield _current.get()
        finally:
            _current.reset(token)


def traceparent() -> str:
    """What to send along with whatever leaves this process now; empty outside a trace."""
    return _current.get()
