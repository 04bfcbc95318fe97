"""The host of one app, wired: its endpoints, its listeners, its timers, from the first call to the last."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from aiohttp import web

from localcloud.addresses import HOST
from localcloud.functions_host.admin import Admin
from localcloud.functions_host.bindings import (
    EventGridTrigger,
    HttpTrigger,
    ServiceBusOutput,
    ServiceBusTrigger,
    TimerTrigger,
    seconds,
)
from localcloud.functions_host.eventgrid_trigger import EventGridWebhook
from localcloud.functions_host.host_json import HostJson
from localcloud.functions_host.http_trigger import HttpFunction
from localcloud.functions_host.indexing import Function
from localcloud.functions_host.invocation import Invoker
from localcloud.functions_host.keys import Keys
from localcloud.functions_host.timer_trigger import Clock, Timer

if TYPE_CHECKING:  # an app without such bindings does without their memory
    from azure.core.credentials_async import AsyncTokenCredential

    from localcloud.functions_host.servicebus import Listener, ServiceBus

log = structlog.get_logger()

DRAIN_SECONDS = 25.0
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

    @asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator[int]:
        """Yields the port once all is running; afterwards takes nothing new and lets what runs finish.

        Raises Refused where a binding cannot be served, and OSError where the port is taken.
        """
        stop, work = asyncio.Event(), asyncio.TaskGroup()
        async with AsyncExitStack() as stack:
            bus = await self._connect(stack)
            invoker = self._invoker(stack, bus)
            loops: list[Timer | Listener] = [*self._timers(invoker, stop)]
            if bus:
                loops += self._listeners(bus, invoker, stop)
            runner = web.AppRunner(self._app(invoker, work), access_log=None, shutdown_timeout=DRAIN_SECONDS)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.TCPSite(runner, HOST, port).start()
            async with work:
                for loop in loops:
                    work.create_task(loop.run())
                log.info("host.started", functions=len(self.functions))
                yield int(runner.addresses[0][1])
                stop.set()
                await runner.cleanup()

    async def _connect(self, stack: AsyncExitStack) -> "ServiceBus | None":
        bound = [each for function in self.functions for each in (function.trigger, *function.outputs)]
        queues = [each for each in bound if isinstance(each, ServiceBusTrigger | ServiceBusOutput)]
        if not queues:
            return None
        from localcloud.functions_host import servicebus

        return await stack.enter_async_context(servicebus.connect(queues, self.environ, self.credential()))

    def _invoker(self, stack: AsyncExitStack, bus: "ServiceBus | None") -> Invoker:
        most = int(self.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", 0)) or None
        threads = ThreadPoolExecutor(most, thread_name_prefix="function")
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        return Invoker(bus.senders if bus else {}, threads, seconds(self.options.function_timeout), self.new_id)

    def _timers(self, invoker: Invoker, stop: asyncio.Event) -> Iterator[Timer]:
        for function in self.functions:
            if isinstance(function.trigger, TimerTrigger):
                yield Timer(function, function.trigger, invoker, self.clock, stop)

    def _listeners(self, bus: "ServiceBus", invoker: Invoker, stop: asyncio.Event) -> "Iterator[Listener]":
        """As many for a function as it may have messages in hand."""
        options = self.options.extensions.service_bus
        for function in self.functions:
            if isinstance(function.trigger, ServiceBusTrigger):
                for _ in range(options.max_concurrent_calls):
                    yield bus.listener(
                        function, function.trigger, options, invoker=invoker, stop=stop, chance=self.chance
                    )

    def _app(self, invoker: Invoker, work: asyncio.TaskGroup) -> web.Application:
        by_name = {function.name.lower(): function for function in self.functions}
        heard = {name: function for name, function in by_name.items() if isinstance(function.trigger, EventGridTrigger)}
        app = web.Application(client_max_size=int(self.environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", BODY_LIMIT)))
        app.router.add_route("*", "/runtime/webhooks/{extension}", EventGridWebhook(heard, self.keys, invoker).answer)
        app.router.add_routes(Admin(by_name, self.keys, invoker, work).routes())
        for function in self.functions:
            if isinstance(function.trigger, HttpTrigger):
                HttpFunction(function, function.trigger, self.keys, invoker).mount(app, self.options.extensions.http)
        return app
