"""The host of one app, wired: its endpoints, its listeners, its timers, from the first call to the last."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from aiohttp import web

from localcloud.functions_host import blob_trigger
from localcloud.functions_host.admin import Admin
from localcloud.functions_host.bindings import (
    BlobTrigger,
    ServiceBusOutput,
    ServiceBusTrigger,
    TimerTrigger,
)
from localcloud.functions_host.blob_trigger import Blobs
from localcloud.functions_host.calls import Calls
from localcloud.functions_host.host_json import HostJson
from localcloud.functions_host.http_trigger import HttpFunctions
from localcloud.functions_host.indexing import Function, Refused
from localcloud.functions_host.invocation import Invoker
from localcloud.functions_host.keys import Keys
from localcloud.functions_host.timer_monitor import Monitor
from localcloud.functions_host.timer_trigger import Clock, Timer
from localcloud.functions_host.webhooks import Webhooks

if TYPE_CHECKING:  # an app without such bindings does without their memory
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.storage.blob.aio import BlobServiceClient

    from localcloud.functions_host.servicebus import ServiceBus
    from localcloud.functions_host.servicebus_listener import Listener

log = structlog.get_logger()

DRAIN_SECONDS = 25.0
THREADS, MOST_THREADS = "PYTHON_THREADPOOL_THREAD_COUNT", 1000
BLOBS = "blobs_extension"
BODY_LIMIT = 104_857_600  # what Azure takes where FUNCTIONS_REQUEST_BODY_SIZE_LIMIT is not set


@dataclass(frozen=True, slots=True)
class Host:
    functions: Sequence[Function]
    options: HostJson
    keys: Keys
    environ: Mapping[str, str]
    credential: "Callable[[], AsyncTokenCredential]"  # called only if a binding needs it
    clock: Clock
    chance: random.Random
    new_id: Callable[[], UUID]
    state: Path | None = None  # where timers are remembered

    @asynccontextmanager
    async def serve(self, listening: socket.socket) -> AsyncIterator[None]:
        """Until its end; afterwards takes nothing new and lets what runs finish.

        Raises Refused where a binding cannot be served.
        """
        stop, work = asyncio.Event(), asyncio.TaskGroup()
        async with AsyncExitStack() as stack:
            bus = await self._connect(stack)
            invoker = self._invoker(stack, bus)
            blobs = Blobs(await self._storage(stack), invoker)
            loops: list[Timer | Listener] = [*self._timers(invoker, stop)]
            if bus:
                loops += self._listeners(bus, invoker, stop)
            runner = web.AppRunner(self._app(invoker, blobs, work), access_log=None, shutdown_timeout=DRAIN_SECONDS)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.SockSite(runner, listening).start()
            async with work:
                for loop in loops:
                    work.create_task(loop.run())
                if bus:
                    work.create_task(bus.open())
                log.info("host.started", functions=len(self.functions))
                try:
                    yield
                finally:
                    stop.set()  # what the SDK does may swallow a cancellation, so listeners look at this as well
                await runner.cleanup()

    @property
    def _enabled(self) -> list[Function]:
        return [function for function in self.functions if not function.is_disabled]

    async def _connect(self, stack: AsyncExitStack) -> "ServiceBus | None":
        bound = [each for function in self.functions for each in (function.trigger, *function.outputs)]
        queues = [each for each in bound if isinstance(each, ServiceBusTrigger | ServiceBusOutput)]
        if not queues:
            return None
        from localcloud.functions_host import servicebus

        return await stack.enter_async_context(servicebus.connect(queues, self.environ, self.credential()))

    async def _storage(self, stack: AsyncExitStack) -> "Mapping[str, BlobServiceClient]":
        """Raises Refused."""
        triggers = [each.trigger for each in self.functions if isinstance(each.trigger, BlobTrigger)]
        if triggers and BLOBS not in self.keys.system:
            raise Refused(f"a blob trigger is called with the key host.systemKey.{BLOBS}, which is missing")
        return await stack.enter_async_context(blob_trigger.connect(triggers, self.environ, self.credential))

    def _invoker(self, stack: AsyncExitStack, bus: "ServiceBus | None") -> Invoker:
        threads = ThreadPoolExecutor(self._threads(), thread_name_prefix="function")
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        return Invoker(
            senders=bus.senders if bus else {},
            threads=threads,
            timeout=self.options.timeout,
            new_id=self.new_id,
            now=self.clock.now,
            calls=Calls(function.name for function in self.functions),
        )

    def _threads(self) -> int | None:
        """Raises Refused."""
        said = self.environ.get(THREADS, "")
        if said and not (said.isdecimal() and 1 <= int(said) <= MOST_THREADS):
            raise Refused(f"{THREADS} must be a number from 1 to {MOST_THREADS}, and is {said}")
        return int(said) if said else None

    def _timers(self, invoker: Invoker, stop: asyncio.Event) -> Iterator[Timer]:
        for function in self._enabled:
            if isinstance(function.trigger, TimerTrigger):
                monitor = Monitor(self.state if function.trigger.use_monitor else None)
                yield Timer(function, function.trigger, invoker, self.clock, stop, monitor)

    def _listeners(self, bus: "ServiceBus", invoker: Invoker, stop: asyncio.Event) -> "Iterator[Listener]":
        for function in self._enabled:
            if isinstance(function.trigger, ServiceBusTrigger):
                yield from bus.listeners(
                    function,
                    function.trigger,
                    self.options.extensions.service_bus,
                    invoker=invoker,
                    stop=stop,
                    chance=self.chance,
                )

    def _app(self, invoker: Invoker, blobs: Blobs, work: asyncio.TaskGroup) -> web.Application:
        by_name = {function.name.lower(): function for function in self.functions}
        http = self.options.extensions.http
        app = web.Application(client_max_size=int(self.environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", BODY_LIMIT)))
        webhooks = Webhooks(by_name, blobs, self.keys, invoker)
        app.router.add_route("*", "/runtime/webhooks/{extension}", webhooks.answer)
        app.router.add_routes(Admin(by_name, self.keys, blobs, invoker, work, http.route_prefix).routes())
        app.router.add_route("*", "/{path:.*}", HttpFunctions(self._enabled, http, self.keys, invoker).answer)
        return app
