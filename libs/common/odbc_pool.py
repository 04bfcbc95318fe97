"""ODBC connections, and the threads that wait for what they answer: as many of the one as of the other."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple, TypeVar

import aioodbc
import pyodbc

from libs.common import odbc
from libs.common.errors import StoreError, Unavailable
from libs.common.slots import Slots

T = TypeVar("T")

POOL_SIZE = 8
IDLE_SECONDS = 30.0  # then a connection is not lent again: what lies between may have forgotten it
ACQUIRE_SECONDS = 5.0
STATEMENT_SECONDS = 10

# XACT_ABORT: an error undoes the whole transaction, as it does in PostgreSQL, and leaves no half of it to be committed.
SESSION = "SET XACT_ABORT ON"


class Connection(NamedTuple):
    """aioodbc's, for what waits between statements, and a cursor of pyodbc's, for what runs in one thread.

    The cursor is kept: to close one is a round trip, for the server forgets its statement.
    """

    awaited: aioodbc.Connection
    cursor: pyodbc.Cursor
    used_at: float


@dataclass(slots=True)
class Pool:
    key: odbc.Key
    driver: str
    threads: ThreadPoolExecutor = field(init=False)
    _slots: Slots = field(default_factory=lambda: Slots(POOL_SIZE, ACQUIRE_SECONDS))
    _idle: deque[Connection] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.threads = ThreadPoolExecutor(POOL_SIZE + 1, "odbc")  # one more for the relay

    async def run(self, work: Callable[[pyodbc.Cursor], T]) -> T:
        """In a thread, on a connection that nobody else uses meanwhile. Raises Unavailable."""
        async with self._lent() as cursor:
            here = copy_context()  # the trace goes along
            running = asyncio.get_running_loop().run_in_executor(self.threads, here.run, work, cursor)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                while not running.done():  # a thread can't be stopped; its statements have their own time limit
                    with suppress(asyncio.CancelledError):
                        await asyncio.wait([running])
                raise

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[pyodbc.Cursor]:
        """One of the pool's; one that has failed is not put back. Raises Unavailable."""
        async with self._slots:
            with odbc.in_our_words():
                connection = await self._idle_or_new()
            healthy = False
            try:
                yield connection.cursor
                healthy = True
            except Unavailable as error:
                healthy = isinstance(error, odbc.Undone)
                raise
            except StoreError:  # a refusal: its transaction was rolled back
                healthy = True
                raise
            finally:
                if healthy:
                    self._idle.append(connection._replace(used_at=monotonic()))
                else:
                    await _hang_up(connection)

    async def _idle_or_new(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if monotonic() - connection.used_at < IDLE_SECONDS:
                return connection
            await _hang_up(connection)
        return await self.dial()

    async def close(self) -> None:
        while self._idle:
            await _hang_up(self._idle.pop())
        self.threads.shutdown(wait=False, cancel_futures=True)

    async def dial(self) -> Connection:
        """A connection of one's own. Raises Unavailable."""
        text, attributes = await self.key.told(self.driver)
        made, awaited = list[pyodbc.Connection](), None

        async def keep(raw: pyodbc.Connection) -> None:
            made.append(raw)

        try:
            awaited = await aioodbc.connect(
                dsn=text,
                executor=self.threads,
                timeout=odbc.LOGIN_SECONDS,
                attrs_before=attributes,
                after_created=keep,
            )
            (raw,) = made
            cursor = await asyncio.get_running_loop().run_in_executor(self.threads, _prepare, raw)
        except BaseException as error:
            if awaited:
                await _close(awaited)
            if isinstance(error, pyodbc.Error):
                raise odbc.meaning(error) or Unavailable("the database lets nobody in") from error
            raise
        return Connection(awaited, cursor, monotonic())


def _prepare(raw: pyodbc.Connection) -> pyodbc.Cursor:
    raw.timeout = STATEMENT_SECONDS
    raw.add_output_converter(odbc.DATETIMEOFFSET, odbc.datetimeoffset)
    cursor = raw.cursor()
    cursor.execute(SESSION)
    raw.commit()
    return cursor


async def _hang_up(connection: Connection) -> None:
    await _close(connection.awaited)


async def _close(connection: aioodbc.Connection) -> None:
    """To its end, also where whoever asks is cancelled meanwhile: half closed it would be closed once more."""
    with suppress(pyodbc.Error):
        await asyncio.shield(connection.close())
