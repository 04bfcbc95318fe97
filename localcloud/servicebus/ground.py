"""What all entities stand on: the disk, the clock, new ids, the memory they share."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog

from localcloud.journal import Full, Journal, Statement
from localcloud.servicebus.contents import Memory
from localcloud.servicebus.errors import Busy

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ground:
    journal: Journal
    clock: Callable[[], int]  # milliseconds since the epoch
    new_token: Callable[[], UUID]
    memory: Memory

    def write(self, entity: str, *statements: Statement) -> asyncio.Future[None]:
        return self._reported(entity, self.journal.write, statements)

    def write_soon(self, entity: str, *statements: Statement) -> asyncio.Future[None]:
        """For what nobody waits for."""
        return self._reported(entity, self.journal.write_soon, statements)

    def _reported(
        self, entity: str, write: Callable[..., asyncio.Future[None]], statements: Sequence[Statement]
    ) -> asyncio.Future[None]:
        try:
            done = write(*statements)
        except Full:
            done = asyncio.get_running_loop().create_future()
            done.set_exception(Busy())
        done.add_done_callback(partial(_report, entity))
        return done


def _report(entity: str, done: asyncio.Future[None]) -> None:
    if error := done.exception():
        log.error("queue.not_written", queue=entity, reason=str(error))
