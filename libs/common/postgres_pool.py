"""PostgreSQL's connections, lent one at a time.

asyncpg's pool puts a proxy, two timers and a shield around each loan, which is dear beside a read. Here whatever needs
no waiting is done at once, and what is measured and what is told of an outage is done in the same place.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from types import TracebackType
from typing import Any

import asyncpg
from azure.core.exceptions import AzureError

from libs.common.errors import Unavailable
from libs.common.slots import Slots
from libs.common.watch import DatabaseWatch

POOL_SIZE = 8
IDLE_SECONDS = 30.0  # then a connection that a burst has opened is closed again
ACQUIRE_SECONDS = 5.0
CLOSING_SECONDS = 1.0  # each

# Not now, but soon: refused, dropped or shut down connections, a full pool or disk, a server in recovery or read-only
# after a failover, a deadlock, no token.
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidPasswordError,
    AzureError,
)


def is_away(error: BaseException | None) -> bool:
    """Not asyncpg's complaint about an argument, which is a defect of ours; a bad certificate is both of these."""
    return isinstance(error, AWAY) and (isinstance(error, OSError) or not isinstance(error, ValueError))


def away(error: BaseException) -> Unavailable:
    return Unavailable(f"the database does not answer ({type(error).__name__})")


@dataclass(slots=True)
class Pool:
    dial: Callable[[], Awaitable[asyncpg.Connection]]
    watch: DatabaseWatch
    slots: Slots = field(default_factory=lambda: Slots(POOL_SIZE, ACQUIRE_SECONDS))
    idle_seconds: float = IDLE_SECONDS
    _idle: deque[tuple[asyncpg.Connection, float]] = field(default_factory=deque)  # since when; lent from the end
    _sweeping: asyncio.TimerHandle | None = None

    def lend(self, operation: str) -> "Loan":
        """For what is measured as `operation`."""
        return Loan(self, operation)

    async def take(self) -> asyncpg.Connection:
        """Raises what asyncpg raises."""
        while self._idle:
            connection, _ = self._idle.pop()
            if not connection.is_closed():
                return connection
            connection.terminate()  # the server has ended it; what is left on our side ends, too
        return await self.dial()

    def put_back(self, connection: asyncpg.Connection) -> None:
        loop = asyncio.get_running_loop()
        self._idle.append((connection, loop.time()))
        if self._sweeping is None and len(self._idle) > 1:
            self._sweeping = loop.call_later(self.idle_seconds, self._sweep)

    def _sweep(self) -> None:
        """All but one of those that nobody has needed for a while."""
        loop = asyncio.get_running_loop()
        while len(self._idle) > 1 and self._idle[0][1] <= loop.time() - self.idle_seconds:
            self._idle.popleft()[0].terminate()
        self._sweeping = loop.call_later(self.idle_seconds, self._sweep) if len(self._idle) > 1 else None

    async def close(self) -> None:
        if self._sweeping:
            self._sweeping.cancel()
        while self._idle:
            connection, _ = self._idle.pop()
            with suppress(*AWAY):  # it hangs or is gone: then it is aborted
                await connection.close(timeout=CLOSING_SECONDS)


@dataclass(slots=True)
class Loan:
    """Of a connection that nobody else uses meanwhile. One that something has gone wrong with is not lent again."""

    pool: Pool
    operation: str
    _connection: Any = None
    _began: float = 0.0

    async def __aenter__(self) -> Any:
        """asyncpg's connection. Raises Unavailable, also Overloaded."""
        self._began = perf_counter()
        try:
            await self.pool.slots.__aenter__()
        except Unavailable:
            self._note(Unavailable.__name__)
            raise
        try:
            self._connection = await self.pool.take()
        except BaseException as error:
            await self._end(error)
            raise
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self._end(error)

    async def _end(self, error: BaseException | None) -> None:
        """Raises Unavailable where that is what the error means."""
        lost, connection = is_away(error), self._connection
        await self.pool.slots.__aexit__()
        # A refusal leaves it as it was. Whoever was cancelled has left it in the middle of something.
        if connection and (lost or not isinstance(error, Exception | None) or connection.is_in_transaction()):
            connection.terminate()
        elif connection:
            self.pool.put_back(connection)
        self._note(Unavailable.__name__ if lost or isinstance(error, Unavailable) else "")
        if error and lost:
            raise away(error) from error

    def _note(self, failure: str) -> None:
        self.pool.watch.note(self.operation, perf_counter() - self._began, failure)
