"""Durability for the emulators: one SQLite file, one writer thread, group commit.

Everything handed over while a commit is under way shares the next one, so a hundred senders cost one fsync.
SQLite runs in WAL mode with `synchronous=FULL`: what `write` has answered survives `kill -9` and a power cut.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

Statement = tuple[str, tuple[Any, ...]]

MOST_WAITING = 10_000


class Full(Exception):
    """More is waiting to be written than the journal holds; try again."""


class Journal:
    def __init__(self, database: sqlite3.Connection, reader: sqlite3.Connection, writer: ThreadPoolExecutor) -> None:
        self._database, self._reader = database, reader
        self._writer = writer
        self._waiting: list[tuple[list[Statement], asyncio.Future[None]]] = []
        self._wake = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, schema: str) -> AsyncIterator["Journal"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {schema}")
        reader = sqlite3.connect(path, isolation_level=None)
        with ThreadPoolExecutor(1, thread_name_prefix=f"journal-{path.stem}") as writer:
            journal = cls(database, reader, writer)
            task = asyncio.create_task(journal._commit_for_ever())
            try:
                yield journal
            finally:
                await journal.write()  # what is waiting is written first
                task.cancel()
                await asyncio.wait([task])
        reader.close()
        database.close()

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What was on disk after the last commit. It blocks, but for no commit: for a few rows, or at start."""
        return self._reader.execute(sql, parameters).fetchall()

    async def read(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What is on disk, at any time: the writer reads it between two commits."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, lambda: self._database.execute(sql, parameters).fetchall())

    def write(self, *statements: Statement) -> asyncio.Future[None]:
        """Done when the statements are on disk, all or none. Raises `Full`, or what SQLite raised."""
        if len(self._waiting) >= MOST_WAITING:
            raise Full
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((list(statements), done))
        self._wake.set()
        return done

    async def _commit_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            error = await loop.run_in_executor(self._writer, self._commit, [s for s, _ in batch])
            for _, done in batch:
                if done.done():
                    continue
                done.set_exception(error) if error else done.set_result(None)

    def _commit(self, batch: list[list[Statement]]) -> Exception | None:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for statements in batch:
                for sql, parameters in statements:
                    self._database.execute(sql, parameters)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            return error
        return None
