"""So many at once, so many that wait, and nobody for long: whoever comes beyond that hears so at once."""

import asyncio
from dataclasses import dataclass, field

from libs.common.errors import Unavailable

MOST_WAITING = 256


class Overloaded(Unavailable):
    """There is more to do than can be done now. Nothing has happened; try again."""


@dataclass(slots=True)
class Slots:
    """Of one dependency. Without the bound on those who wait, each waits for all before it until nobody is in time."""

    most: int
    seconds: float  # the longest wait
    most_waiting: int = MOST_WAITING
    _free: asyncio.Semaphore = field(init=False)
    _waiting: int = 0

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.most)

    async def __aenter__(self) -> None:
        """Raises Overloaded."""
        if not self._free.locked():
            await self._free.acquire()
            return
        if self._waiting >= self.most_waiting:
            raise Overloaded
        self._waiting += 1
        try:
            async with asyncio.timeout(self.seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise Overloaded from error
        finally:
            self._waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self._free.release()
