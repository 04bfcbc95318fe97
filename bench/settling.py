"""The whole store at work: how long until an order is confirmed, how many are settled, what memory it takes."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from uuid import uuid4

import asyncpg
import psutil

from bench.figures import Latency, Settled, percentile
from bench.measure import cpu_seconds_of
from bench.whole import at_rest, stock_up
from deploy.temporary import TemporaryStore, place
from localcloud.waiting import until

PRODUCTS = 20
WARM = 20
RATES = (1, 10, 100)
SETTLE_SECONDS = 90.0  # for what one measurement has placed
TOOK = """
SELECT extract(epoch FROM h.at - o.placed_at)::float AS seconds FROM orders o JOIN history h ON h.order_id = o.id
WHERE h.status = 'confirmed' AND o.placed_at >= $1
"""
NOW = "SELECT now()"


@dataclass(frozen=True, slots=True)
class Whole:
    store: TemporaryStore
    books: asyncpg.Connection
    products: Sequence[str]

    @classmethod
    async def open(cls, store: TemporaryStore, books: asyncpg.Connection) -> "Whole":
        """Warm: connections are open, statements prepared."""
        whole = cls(store, books, await stock_up(store, PRODUCTS))
        await whole._settle(WARM)
        return whole

    async def latency(self, rate: int, seconds: float) -> Latency:
        """Orders come whether or not those before are answered. Raises TimeoutError."""
        count, since = max(1, round(rate * seconds)), await self.books.fetchval(NOW)
        buyer, began = self.store.buyer(), time.monotonic()

        async def order(number: int, product: str) -> None:
            await asyncio.sleep(began + number / rate - time.monotonic())
            await buyer.order(product, uuid4().hex)

        async with asyncio.TaskGroup() as group:
            for number, product in enumerate(islice(cycle(self.products), count)):
                group.create_task(order(number, product))
        took = await self._confirmed(since, count)
        cuts = [percentile(took, share) * 1000 for share in (0.5, 0.95, 0.99)]
        await at_rest(self.store, {}, seconds=SETTLE_SECONDS)
        return Latency(rate, count, *cuts)

    async def settled(self, count: int) -> Settled:
        """Raises TimeoutError."""
        before, began = self._spent(), time.monotonic()
        await self._settle(count)
        lasted, after = time.monotonic() - began, self._spent()
        cpu = {name: (after[name] - before[name]) * 1e6 / count for name in after}
        return Settled(count, count / lasted, cpu)

    async def _settle(self, count: int) -> None:
        await place(self.store.buyer(), list(islice(cycle(self.products), count)))
        await at_rest(self.store, {}, seconds=SETTLE_SECONDS)

    async def _confirmed(self, since: object, count: int) -> list[float]:
        async def look() -> list[float]:
            return [row["seconds"] for row in await self.books.fetch(TOOK, since)]

        return await until(look, lambda took: len(took) >= count, seconds=SETTLE_SECONDS)

    def _spent(self) -> dict[str, float]:
        return {name: cpu_seconds_of(part.pid) for name, part in self.store.launch.now().parts.items()}

    def memory(self) -> dict[str, float]:
        """Of each part in megabytes, with what it has started."""
        return {name: _resident(part.pid) / 2**20 for name, part in self.store.launch.now().parts.items()}


def _resident(pid: int) -> int:
    """Pages that several share are counted once where the system tells (Linux)."""
    process = psutil.Process(pid)
    found = [each.memory_full_info() for each in (process, *process.children(recursive=True))]
    return sum(getattr(info, "pss", info.rss) for info in found)
