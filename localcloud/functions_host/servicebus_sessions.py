"""What listens for a trigger with sessions: one session after another, each in its order and for itself."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from azure.servicebus import NEXT_AVAILABLE_SESSION
from azure.servicebus.aio import AutoLockRenewer, ServiceBusReceiver
from azure.servicebus.exceptions import OperationTimeoutError, SessionLockLostError

from localcloud.functions_host.servicebus_listener import Listener
from localcloud.functions_host.timespan import seconds

log = structlog.get_logger()
T = TypeVar("T")

SEEK_SECONDS = 60.0  # how long it waits for a session before it asks again


@dataclass(frozen=True, slots=True)
class SessionListener(Listener):
    """Holds a session until it has been quiet for `sessionIdleTimeout`; several make `maxConcurrentSessions`."""

    @property
    def count(self) -> int:
        return 1 if self.takes_many else self.options.max_concurrent_sessions

    async def open(self, stack: AsyncExitStack) -> ServiceBusReceiver | None:
        """None where there is no session with messages, or the host stops."""
        options = {"session_id": NEXT_AVAILABLE_SESSION, "max_wait_time": SEEK_SECONDS}
        receiver = self.receiver({**options, "prefetch_count": self.options.prefetch_count})
        try:
            return await self._unless_stopped(stack.enter_async_context(receiver))
        except OperationTimeoutError:
            return None

    async def listen(self, receiver: ServiceBusReceiver, renewer: AutoLockRenewer) -> None:
        clock, idle = asyncio.get_running_loop().time, seconds(self.options.session_idle_timeout)
        if self.renews:
            renewer.register(receiver, receiver.session)
        quiet_since = clock()
        try:
            while not self.stop.is_set() and clock() - quiet_since < idle:
                if messages := await self.take(receiver):
                    await self.give(receiver, messages)
                    quiet_since = clock()
        except SessionLockLostError as error:  # what was in hand comes again, before what follows it
            log.warning("session.lock_lost", queue=self.trigger.entity, reason=str(error))

    async def _unless_stopped(self, wanted: Coroutine[Any, Any, T]) -> T | None:
        wanting, stopping = asyncio.ensure_future(wanted), asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait((wanting, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            wanting.cancel()  # nothing, where it is done
            await asyncio.wait((wanting, stopping))
        return None if wanting.cancelled() else wanting.result()
