"""A journal that survives `kill -9`, and costs little where commits come one by one.

What is written is copied into a mapped file first, and that is its commit: `write` is done when it returns. SQLite,
whose commit costs ten times as much, gets it together with what follows. Nothing waits for the disk but checkpoints,
which are in the thread: a power cut may take the last seconds.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import structlog

from localcloud.journal import Journal, Statement
from localcloud.redo import Redo

APPLY_EVERY = 256  # records, of a few statements each: some milliseconds of the loop
APPLY_SECONDS = 0.2
CHECKPOINT_EVERY = 4_000  # records
# What SQLite will never take, however often it is asked.
UNSOUND = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    ValueError,
)

log = structlog.get_logger()


class QuickJournal(Journal):
    settings = "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0"

    def __init__(self, path: Path, schema: str, writer: ThreadPoolExecutor) -> None:
        super().__init__(path, schema, writer)
        (generation,) = self._database.execute("PRAGMA user_version").fetchone()
        self._redo = Redo.open(path.with_name(f"{path.name}-redo"), generation)
        self._unapplied: list[Sequence[Statement]] = [*self._redo.records()]  # what SQLite does not have
        self._timer: asyncio.TimerHandle | None = None
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._done.set_result(None)
        self._since_checkpoint = 0
        self._checkpoint: asyncio.Future[None] | None = None

    def _close(self) -> None:
        self._bring_over()
        self._redo.close()
        super()._close()

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        self._catch_up()
        return super().rows(sql, *parameters)

    def each(self, sql: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        self._catch_up()
        return super().each(sql, *parameters)

    async def read(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.rows(sql, *parameters)

    def _catch_up(self) -> None:
        if self._unapplied and (error := self._apply()):
            raise error

    def write(self, *statements: Statement) -> asyncio.Future[None]:
        """It is done at once."""
        error = self._append(statements) if statements else None
        return self._failed(error) if error else self._done

    def _failed(self, error: Exception) -> asyncio.Future[None]:
        done: asyncio.Future[None] = self._loop.create_future()
        done.set_exception(error)
        done.exception()  # it is logged: not everybody asks
        return done

    def _append(self, statements: Sequence[Statement]) -> Exception | None:
        if len(self._unapplied) + len(statements) >= APPLY_EVERY or not self._redo.append(statements):
            return self._apply(statements)
        self._unapplied.append(statements)
        if self._timer is None:
            self._timer = self._loop.call_later(APPLY_SECONDS, self._apply)
        return None

    def _apply(self, more: Sequence[Statement] = ()) -> Exception | None:
        error = self._bring_over(more)
        self._checkpoint_now_and_then()
        return error

    def _bring_over(self, more: Sequence[Statement] = ()) -> Exception | None:
        """What was appended, and more, by one commit. Where the disk is full, what was appended is kept."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        generation = self._redo.generation + 1
        last = [*more, (f"PRAGMA user_version={generation}", ())]
        error = self._commit([*self._unapplied, last])
        if isinstance(error, UNSOUND) and self._drop_unsound():
            error = self._commit([*self._unapplied, last])
        if error:
            log.error("journal.not_written", journal=self._path.stem, reason=str(error))
            return error
        self._redo.begin(generation)
        self._since_checkpoint += len(self._unapplied) + 1
        self._unapplied = []
        return None

    def _drop_unsound(self) -> bool:
        """A defect of whoever wrote it must not keep the others away for ever. Was there any?"""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            sound = [record for record in self._unapplied if self._is_sound(record)]
        except sqlite3.OperationalError:  # the disk is full now
            return False
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        self._unapplied, before = sound, len(self._unapplied)
        return len(sound) < before

    def _is_sound(self, record: Sequence[Statement]) -> bool:
        self._database.execute("SAVEPOINT record")
        try:
            for sql, parameters in record:
                self._database.execute(sql, parameters)
        except UNSOUND as error:
            log.error("journal.refused", journal=self._path.stem, reason=str(error), statements=len(record))
            self._database.execute("ROLLBACK TO record")
            return False
        return True

    def _checkpoint_now_and_then(self) -> None:
        """What was committed is moved from SQLite's log to its place, by the thread, while others write on."""
        if self._since_checkpoint >= CHECKPOINT_EVERY and (self._checkpoint is None or self._checkpoint.done()):
            self._since_checkpoint = 0
            self._checkpoint = self._loop.run_in_executor(self._writer, self._move_to_its_place)

    def _move_to_its_place(self) -> None:
        with closing(sqlite3.connect(self._path)) as database, suppress(sqlite3.OperationalError):  # then another time
            database.execute("PRAGMA wal_checkpoint(PASSIVE)")
