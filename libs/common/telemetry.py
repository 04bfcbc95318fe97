"""One trace from the HTTP request through every message to the letter (W3C Trace Context, level 1).

The trace is always there: it travels, and every log line names it. Its spans are kept only where somebody takes them.
"""

import os
import re
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from enum import Enum
from time import time_ns
from types import TracebackType
from typing import Any, Protocol

_PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
KEPT, DROPPED = "01", "00"
ID_BYTES, TRACE_ID_BYTES = 8, 16
NOTHING: Mapping[str, str | int] = {}


class Kind(Enum):
    """OpenTelemetry's names."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


@dataclass(slots=True)
class Span:
    """A piece of work within a trace; `failure` is the kind of error that ended it. Times are in nanoseconds."""

    name: str
    kind: Kind
    trace_id: str
    id: str
    parent_id: str  # empty: the trace begins here
    flags: str
    started_at: int = 0
    ended_at: int = 0
    attributes: dict[str, str | int] = field(default_factory=dict)
    failure: str = ""
    request_id: str = ""  # as its caller calls the request that it answers

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.id}-{self.flags}"


class Recorder(Protocol):
    """Who takes the spans. Nothing here waits for it."""

    def samples(self, trace_id: str, parent: bool | None) -> bool:
        """Whether a trace is kept; `parent` is what its caller decided, None where it begins here."""

    def record(self, span: Span) -> None: ...


@dataclass(slots=True)
class _Spans:
    """Where this process's spans go: like its log, one place for all of it, said once at its start."""

    recorder: Recorder | None = None


_spans = _Spans()
_current: ContextVar[Span | None] = ContextVar("span", default=None)


def record_with(recorder: Recorder | None) -> None:
    """From now on; None: spans are no longer kept."""
    _spans.recorder = recorder


def trace(
    parent: str | None, name: str = "work", kind: Kind = Kind.INTERNAL, attributes: Mapping[str, str | int] = NOTHING
) -> "Traced":
    """Goes on with the caller's trace, or begins one; entered it gives our `traceparent`, and the log names it.

    Where the name is empty, neither this span nor what is below it is kept.
    """
    recorder = _spans.recorder
    span = _begin(parent, name, kind, recorder)
    if recorder:
        span.attributes.update(attributes)
        span.started_at = time_ns()
    return Traced(span, recorder)


@dataclass(slots=True)
class Traced:
    """What is done within the span. A class, since every request has one: a generator would take thrice the time."""

    span: Span
    recorder: Recorder | None
    _token: "Token[Span | None] | None" = None

    def __enter__(self) -> str:
        self._token = _current.set(self.span)
        return self.span.traceparent

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if kind:
            self.span.failure = kind.__name__
        if self._token:
            _current.reset(self._token)
        if self.recorder and self.span.flags == KEPT:
            self.span.ended_at = time_ns()
            self.recorder.record(self.span)


def _begin(parent: str | None, name: str, kind: Kind, recorder: Recorder | None) -> Span:
    known, chance = _PARENT.fullmatch(parent) if parent else None, os.urandom(ID_BYTES + TRACE_ID_BYTES).hex()
    own, new = chance[: 2 * ID_BYTES], chance[2 * ID_BYTES :]
    trace_id, parent_id, flags = known.groups() if known else (new, "", KEPT)
    if recorder:
        decided = _is_kept(flags) if known else None
        flags = KEPT if name and recorder.samples(trace_id, decided) else DROPPED
    return Span(name, kind, trace_id, own, parent_id, flags)


def name_in_log(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog's processor: each line says where it belongs."""
    if span := _current.get():
        line["trace_id"], line["span_id"] = span.trace_id, span.id
        if span.request_id:
            line["request_id"] = span.request_id
    return line


def traceparent() -> str:
    """What to send along with whatever leaves this process now; empty outside a trace."""
    span = _current.get()
    return span.traceparent if span else ""


def is_recording() -> bool:
    """Whether it is worth telling of a leaf."""
    span = _current.get()
    return span is not None and _spans.recorder is not None and span.flags == KEPT


def name_request(name: str) -> None:
    """What the log calls the request that the span we are in answers."""
    if span := _current.get():
        span.request_id = name


def note(name: str, value: str | int) -> None:
    """An attribute of the span that we are in."""
    if (span := _current.get()) and _spans.recorder:
        span.attributes[name] = value


def fail(reason: str) -> None:
    """The span that we are in ends well for the program, and not for its caller."""
    if span := _current.get():
        span.failure = reason


def leaf(
    parent: str, name: str, kind: Kind, started_at: int, attributes: Mapping[str, str | int], failure: str = ""
) -> None:
    """A span that ends now and has nothing below it; `parent` is the traceparent that it belongs to."""
    recorder = _spans.recorder
    known = _PARENT.fullmatch(parent) if recorder else None
    if recorder and known and _is_kept(known[3]):
        span = Span(name, kind, known[1], os.urandom(ID_BYTES).hex(), known[2], KEPT, started_at, time_ns())
        span.attributes.update(attributes)
        span.failure = failure
        recorder.record(span)


def _is_kept(flags: str) -> bool:
    return bool(int(flags, 16) & 1)
