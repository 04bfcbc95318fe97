"""Durability for the emulators: one SQLite file, one writer thread, group commit.

Everything handed over while a commit is under way shares the next one, so a hundred senders cost one fsync.
SQLite runs in WAL mode with `synchronous=FULL`: what `write` has answered survives `kill -9`, and a power cut too.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import structlog

Statement = tuple[str, tuple[Any, ...]]
Batch = list[tuple[Sequence[Statement], asyncio.Future[None]]]

MOST_WAITING = 10_000

log = structlog.get_logger()


class Full(Exception):
    """More is waiting to be written than the journal holds; try again."""


class Journal:
    settings = "PRAGMA synchronous=FULL"

    def __init__(self, path: Path, schema: str, writer: ThreadPoolExecutor) -> None:
        self._path, self._writer = path, writer
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.executescript(f"PRAGMA journal_mode=WAL; {self.settings}; {schema}")
        self._reader = sqlite3.connect(path, isolation_level=None)
        self._loop = asyncio.get_running_loop()
        self._waiting: Batch = []
        self._is_woken = self._is_committing = False

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, schema: str) -> AsyncIterator[Self]:
        path.parent.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(1, thread_name_prefix=f"journal-{path.stem}") as writer:
            journal = cls(path, schema, writer)
            try:
                yield journal
            finally:
                await journal.write()  # what is waiting is written first
        journal._close()

    def _close(self) -> None:
        self._reader.close()
        self._database.close()

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What was on disk after the last commit. It blocks, but for no commit: for a few rows, or at start."""
        return self._reader.execute(sql, parameters).fetchall()

    def each(self, sql: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        """The same, row by row: for many."""
        return self._reader.execute(sql, parameters)

    async def read(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What is on disk, at any time: the writer reads it between two commits."""
        query = partial(self._database.execute, sql, parameters)
        return await self._loop.run_in_executor(self._writer, lambda: query().fetchall())

    def write(self, *statements: Statement) -> asyncio.Future[None]:
        """Done when the statements are on disk, all or none. Raises `Full`, or what SQLite raised."""
        if len(self._waiting) >= MOST_WAITING:
            raise Full
        done = self._loop.create_future()
        self._waiting.append((statements, done))
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon(self._begin)
        return done

    def _begin(self) -> None:
        """Commits what waits; where a commit is under way, after it."""
        if self._is_committing:
            return
        self._is_woken = False
        batch, self._waiting = self._waiting, []
        self._is_committing = True
        commit = self._loop.run_in_executor(self._writer, self._commit, [each for each, _ in batch])
        commit.add_done_callback(lambda commit: self._go_on(batch, commit.result()))

    def _go_on(self, batch: Batch, error: Exception | None) -> None:
        self._is_committing = False
        self._end(batch, error)
        if self._waiting:
            self._begin()

    def _end(self, batch: Batch, error: Exception | None) -> None:
        if error:
            log.error("journal.not_written", journal=self._path.stem, reason=str(error))
        for _, done in batch:
            if error and not done.done():
                done.set_exception(error)
                done.exception()  # it is told above: not everybody asks
            elif not done.done():
                done.set_result(None)

    def _commit(self, batch: Sequence[Sequence[Statement]]) -> Exception | None:
        try:
            if len(batch) == 1 and len(batch[0]) == 1:
                self._database.execute(*batch[0][0])  # is a transaction by itself
                return None
            self._database.execute("BEGIN IMMEDIATE")
            for statements in batch:
                for sql, parameters in statements:
                    self._database.execute(sql, parameters)
            self._database.execute("COMMIT")
        except (sqlite3.Error, OverflowError, ValueError) as error:  # a number too large, half a character
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            return error
        return None


def when_done(done: asyncio.Future[None], act: Callable[[BaseException | None], object]) -> None:
    """With what went wrong. At once, where it is done already: that spares a turn of the loop."""
    if done.done():
        act(done.exception())
    else:
        done.add_done_callback(lambda done: act(done.exception()))
