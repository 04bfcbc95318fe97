"""Durability for the emulators: one SQLite file, one writer thread, group commit.

Everything handed over while a commit is under way shares the next one, so a hundred senders cost one fsync.
SQLite runs in WAL mode. What `write` has answered survives `kill -9`; and a power cut too, where the journal was opened
for that (`synchronous=FULL`). Else the system brings it to disk within seconds, and a commit costs a third: there is no
fsync, and no thread but for checkpoints.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, Final, Literal

Statement = tuple[str, tuple[Any, ...]]

MOST_WAITING = 10_000
SOON_SECONDS = 0.02
CHECKPOINT_EVERY = 4_000  # statements

Survives = Literal["power cut", "kill"]
SETTINGS: Final[dict[Survives, str]] = {
    "power cut": "PRAGMA synchronous=FULL",
    "kill": "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0",
}


class Full(Exception):
    """More is waiting to be written than the journal holds; try again."""


class Journal:
    def __init__(self, path: Path, schema: str, writer: ThreadPoolExecutor, survives: Survives) -> None:
        self._path, self._writer = path, writer
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.executescript(f"PRAGMA journal_mode=WAL; {SETTINGS[survives]}; {schema}")
        self._reader = sqlite3.connect(path, isolation_level=None)
        self._in_thread = survives == "power cut"  # are commits, which wait for the disk
        self._since_checkpoint = 0
        self._checkpoint: asyncio.Future[None] | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._waiting: list[tuple[Sequence[Statement], asyncio.Future[None]]] = []
        self._wake = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, schema: str, *, survives: Survives = "power cut") -> AsyncIterator["Journal"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(1, thread_name_prefix=f"journal-{path.stem}") as writer:
            journal = cls(path, schema, writer, survives)
            task = asyncio.create_task(journal._commit_for_ever())
            try:
                yield journal
            finally:
                await journal.write()  # what is waiting is written first
                task.cancel()
                await asyncio.wait([task])
        journal._reader.close()
        journal._database.close()

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What was on disk after the last commit. It blocks, but for no commit: for a few rows, or at start."""
        return self._reader.execute(sql, parameters).fetchall()

    def each(self, sql: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        """The same, row by row: for many."""
        return self._reader.execute(sql, parameters)

    async def read(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What is on disk, at any time: the writer reads it between two commits."""
        if not self._in_thread:
            return self.rows(sql, *parameters)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, lambda: self._database.execute(sql, parameters).fetchall())

    def write(self, *statements: Statement) -> asyncio.Future[None]:
        """Done when the statements are on disk, all or none. Raises `Full`, or what SQLite raised."""
        done = self._put(statements)
        self._wake.set()
        return done

    def write_soon(self, *statements: Statement) -> asyncio.Future[None]:
        """With the next write, or by itself within `SOON_SECONDS`: for what nobody waits for. Raises `Full`."""
        done, loop = self._put(statements), asyncio.get_running_loop()
        if self._soon is None:
            self._soon = loop.call_later(SOON_SECONDS, self._wake.set)
        return done

    def _put(self, statements: Sequence[Statement]) -> asyncio.Future[None]:
        if len(self._waiting) >= MOST_WAITING:
            raise Full
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((statements, done))
        return done

    async def _commit_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._soon:
                self._soon.cancel()
                self._soon = None
            batch, self._waiting = self._waiting, []
            statements = [each for each, _ in batch]
            if self._in_thread:
                error = await loop.run_in_executor(self._writer, self._commit, statements)
            else:
                error = self._commit(statements)
                self._checkpoint_now_and_then(sum(map(len, statements)))
            for _, done in batch:
                if done.done():
                    continue
                done.set_exception(error) if error else done.set_result(None)

    def _checkpoint_now_and_then(self, written: int) -> None:
        """What was committed is moved from the log to its place, by the thread, while others write on."""
        self._since_checkpoint += written
        if self._since_checkpoint >= CHECKPOINT_EVERY and (self._checkpoint is None or self._checkpoint.done()):
            self._since_checkpoint = 0
            self._checkpoint = asyncio.get_running_loop().run_in_executor(self._writer, self._move_to_its_place)

    def _move_to_its_place(self) -> None:
        with closing(sqlite3.connect(self._path)) as database, suppress(sqlite3.OperationalError):  # then another time
            database.execute("PRAGMA wal_checkpoint(PASSIVE)")

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
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            return error
        return None
