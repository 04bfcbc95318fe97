"""One call of a function: decode, call, encode, send what it set; in bounded time, with one line in the log."""

import asyncio
import contextvars
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import azure.functions as func
import structlog
from azure.functions.meta import Datum

from localcloud.functions_host import calls, converters
from localcloud.functions_host.bindings import RETURN, Address, HttpOutput, ServiceBusOutput
from localcloud.functions_host.calls import Calls, Ended
from localcloud.functions_host.converters import Metadata
from localcloud.functions_host.indexing import Function

if TYPE_CHECKING:  # an app without such bindings does without the SDK's memory
    from localcloud.functions_host.servicebus import Sender

log = structlog.get_logger()

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class FunctionFailed(Exception):
    """The text is what the host tells Event Grid: which function, and nothing of why. That is in the log."""


class Out(func.Out[Any]):
    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


@dataclass(frozen=True, slots=True)
class TraceContext:
    trace_parent: str = ""
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetryContext:
    retry_count: int = 0
    max_retry_count: int = 0
    exception: None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a parameter named `context` gets: duck-typed `func.Context`, as the worker's own is."""

    function_name: str
    function_directory: str
    invocation_id: str
    trace_context: TraceContext
    retry_context: RetryContext
    thread_local_storage: threading.local = field(default_factory=threading.local)


@dataclass(frozen=True, slots=True)
class Call:
    data: Datum
    metadata: Metadata = field(default_factory=dict)
    traceparent: str = ""
    retry: RetryContext = RetryContext()

    @property
    def trace_id(self) -> str | None:
        known = _TRACEPARENT.fullmatch(self.traceparent)
        return known[1] if known else None


@dataclass(frozen=True, slots=True)
class Invoker:
    senders: Mapping[Address, "Sender"]
    threads: ThreadPoolExecutor  # of functions that are not async
    timeout: float | None
    new_id: Callable[[], UUID]
    now: Callable[[], datetime]
    calls: Calls

    async def run(self, function: Function, call: Call) -> Datum | None:
        """What the function answers over HTTP, if it does. Raises FunctionFailed."""
        at, started, invocation_id = self.now(), time.perf_counter(), str(self.new_id())
        about = log.bind(function=function.name, invocation_id=invocation_id, trace_id=call.trace_id)

        def note(outcome: Literal["succeeded", "failed"], error: Exception | None = None) -> float:
            took = round((time.perf_counter() - started) * 1000, 1)
            text = calls.masked(error) if error else None
            self.calls.note(function.name, Ended(at, took, outcome, invocation_id, call.trace_id, text))
            return took

        try:
            async with asyncio.timeout(self.timeout):
                answer = await self._run(function, call, invocation_id)
        except Exception as error:  # a defect in a function is that call's fate, not the host's
            about.error("function.failed", duration_ms=note("failed", error), exc_info=error)
            raise FunctionFailed(f"Exception while executing function: Functions.{function.name}") from error
        about.info("function.called", duration_ms=note("succeeded"))
        return answer

    async def _run(self, function: Function, call: Call, invocation_id: str) -> Datum | None:
        outs = {output.name: Out() for output in function.outputs if output.name != RETURN}
        arguments: dict[str, Any] = {
            function.trigger.name: converters.decode(function.trigger, call.data, call.metadata),
            **outs,
        }
        if function.wants_context:
            trace = TraceContext(call.traceparent)
            arguments["context"] = Context(function.name, str(function.folder), invocation_id, trace, call.retry)
        result = await self._call(function, arguments)
        if result is not None and not function.returns:
            raise TypeError(f"{function.name} returned a value and has no $return binding")
        return await self._deliver(function, {name: out.get() for name, out in outs.items()} | {RETURN: result})

    async def _call(self, function: Function, arguments: dict[str, Any]) -> Any:
        """A thread cannot be ended: after the timeout it keeps its place in the pool until it returns."""
        if function.is_async:
            return await function.call(**arguments)
        here = contextvars.copy_context()
        in_thread = partial(here.run, function.call, **arguments)
        return await asyncio.get_running_loop().run_in_executor(self.threads, in_thread)

    async def _deliver(self, function: Function, values: Mapping[str, Any]) -> Datum | None:
        """Messages first: who reads the answer may rely on them."""
        encoded = {
            output: converters.encode(output, values[output.name])
            for output in function.outputs
            if values[output.name] is not None or isinstance(output, HttpOutput)
        }
        for output, datum in encoded.items():
            if isinstance(output, ServiceBusOutput) and datum is not None:
                await self.senders[output.address].send(datum)
        return next((datum for output, datum in encoded.items() if isinstance(output, HttpOutput)), None)
