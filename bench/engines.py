"""The engines side by side: placing orders and listing products, and what an order costs each of them.

Run by `make bench-engines`, which has pytest start the servers. It writes docs/engines.json.
"""

import asyncio
import platform
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from bench.counting import CountedTable
from bench.measure import Rate, cpu_seconds, middle, rate
from bench.shop import Shop, relayed, stock_up
from libs.common import logs
from libs.common.database import Database
from libs.common.tables import Tables
from tests.engines import Engine
from tests.engines.azuresql import why_not
from tests.engines.wire import Wire

MEASURED = Path(__file__).parents[1] / "docs/engines.json"
ROUNDS = 3
ROUND_SECONDS = 4.0
SETTLED = 200
AT_ONCE = 4
IDLE_SECONDS = 20.0
SERVERS = {"postgres": "postgres", "tables": "azurite", "azuresql": "tests.engines.tds"}


@pytest.fixture
def engines(request: pytest.FixtureRequest) -> list[Engine]:
    names = ["postgres", "tables", *([] if why_not() else ["azuresql"])]
    return [request.getfixturevalue(name) for name in names]


@asynccontextmanager
async def opened(engine: Engine) -> AsyncIterator[tuple[Shop, list[Database]]]:
    async with engine.database() as catalogue, engine.database() as ordered:
        await stock_up(catalogue, ordered)
        async with Shop.open(catalogue, ordered, random.Random(1)) as shop:
            yield shop, [catalogue, ordered]


@pytest.mark.timeout(900)
async def test_the_engines(engines: list[Engine]) -> None:
    logs.configure("WARNING")
    speeds, operations = await measure_speed(engines), {}
    for engine in engines:
        operations[engine.name] = await count_operations(engine)
        say(f"{engine.name}: {operations[engine.name]}")
    found = {
        "at": datetime.now(UTC).date().isoformat(),
        "machine": f"{psutil.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "speed": {name: {what: asdict(each) for what, each in rates.items()} for name, rates in speeds.items()},
        "per_1000_orders": {name: each["per_1000_orders"] for name, each in operations.items()},
        "idle_per_hour": {name: each["idle_per_hour"] for name, each in operations.items()},
    }
    MEASURED.write_bytes(msgspec.json.format(msgspec.json.encode(found, order="sorted")) + b"\n")


async def measure_speed(engines: list[Engine]) -> dict[str, dict[str, Rate]]:
    """In turns, so that what else the machine does is spread over all."""
    async with AsyncExitStack() as stack:
        shops = {engine.name: (await stack.enter_async_context(opened(engine)))[0] for engine in engines}
        rates: dict[str, dict[str, list[Rate]]] = {name: {"place": [], "list": []} for name in shops}
        for number in range(1, ROUNDS + 1):
            for name, shop in shops.items():
                for what, work in (("place", shop.place), ("list", shop.list_products)):
                    rates[name][what].append(await rate(work, ROUND_SECONDS, SERVERS[name]))
                    say(f"round {number} of {ROUNDS}: {name}, {what}: {rates[name][what][-1].per_second:.0f}/s")
    return {name: {what: middle(each) for what, each in found.items()} for name, found in rates.items()}


async def count_operations(engine: Engine) -> dict[str, dict[str, float]]:
    """Of SETTLED orders with both relays running, and of the relays alone while nothing happens."""
    count = count_on_tables if engine.name == "tables" else count_in_sql
    async with count(engine) as (shop, databases, counts), relayed(*databases):
        before = await counts()
        for _ in range(SETTLED // AT_ONCE):
            await asyncio.gather(*(shop.settle() for _ in range(AT_ONCE)))
        settled = await counts()
        await asyncio.sleep(IDLE_SECONDS)
        idle = await counts()
    return {
        "per_1000_orders": {name: (settled[name] - before[name]) * 1000 / SETTLED for name in sorted(settled)},
        "idle_per_hour": {name: (idle[name] - settled[name]) * 3600 / IDLE_SECONDS for name in sorted(settled)},
    }


@asynccontextmanager
async def count_on_tables(engine: Engine) -> AsyncIterator[Any]:
    async with opened(engine) as (shop, databases):
        counted = list[CountedTable]()
        for database in databases:
            assert isinstance(database, Tables)
            counted.append(CountedTable(database.table.client))
            database.table.client = counted[-1]  # type: ignore[assignment]

        async def counts() -> Counter[str]:
            return sum((each.counts for each in counted), Counter[str]())

        yield shop, databases, counts


@asynccontextmanager
async def count_in_sql(engine: Engine) -> AsyncIterator[Any]:
    """On the wire: what is said until it is answered."""
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(engine.fresh()) for _ in range(2)]
        direct = [await stack.enter_async_context(engine.connect(url)) for url in urls]
        await stock_up(direct[0], direct[1])
        wires = [await stack.enter_async_context(Wire.before(url)) for url in urls]
        wired = [await stack.enter_async_context(engine.connect(through)) for _, through in wires]
        shop = await stack.enter_async_context(Shop.open(wired[0], wired[1], random.Random(1)))

        async def counts() -> Counter[str]:
            seen = Counter({"round_trips": sum(wire.turns for wire, _ in wires)})
            if engine.name == "postgres":
                seen["cpu_milliseconds"] = round(cpu_seconds(SERVERS["postgres"]) * 1000)
                seen["bytes_kept"] = sum([(await each.fetch(SIZE))[0]["size"] for each in direct])  # type: ignore[attr-defined]
            return seen

        yield shop, wired, counts


SIZE = "SELECT pg_database_size(current_database()) AS size"


def say(line: str) -> None:
    sys.stderr.write(f"\n  {line}")
    sys.stderr.flush()
