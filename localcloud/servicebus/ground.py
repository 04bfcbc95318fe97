"""What all entities stand on: the disk, the clock, new ids, the memory they share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from localcloud.journal import Full, Journal, Statement
from localcloud.servicebus.contents import Memory
from localcloud.servicebus.errors import Busy


@dataclass(frozen=True, slots=True)
class Ground:
    journal: Journal
    clock: Callable[[], int]  # milliseconds since the epoch
    new_token: Callable[[], bytes]
    memory: Memory

    def write(self, *statements: Statement) -> asyncio.Future[None]:
        try:
            return self.journal.write(*statements)
        except Full:
            return _busy()


def _busy() -> asyncio.Future[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_exception(Busy())
    done.exception()  # not everybody asks
    return done
