"""What costs what in a service's process: `python -m bench.hotspots` samples it while it places orders, reads a product
and lists products, and prints the functions that took most. What was found is in docs/performance.md.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from bench import speed
from bench.figures import Figures
from bench.filling import sweep
from bench.servers import Bench, Served
from deploy import temporary
from deploy.temporary import TemporaryStore
from localcloud.waiting import until

SECONDS = 6.0
LONGEST_SECONDS = 240.0
SHOWN = 25


async def look(store: TemporaryStore) -> None:
    async with Bench.open(store) as bench, AsyncExitStack() as stack:
        await speed.stock_up(bench)
        files = {name: bench.store.folder / f"{name}.samples" for name in ("orders", "catalog")}
        orders, catalog = [
            await stack.enter_async_context(bench.service(name, "-m", "bench.sampling", str(file)))
            for name, file in files.items()
        ]
        asked = {
            "place": (files["orders"], speed.placing(bench, [orders])),
            "read": (files["catalog"], speed.reading(catalog)),
            "list, each other ones": (files["catalog"], speed.listing_apart(catalog)),
        }
        for what, (file, served) in asked.items():
            await speed.answer_of(served)
            plain = await bench.figures(served, SECONDS)
            show(what, plain, *await sampled(bench, served, file))
        await sweep(bench.url("orders"))


async def sampled(bench: Bench, served: Served, file: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Own and whole."""
    os.kill(served.pids[0], signal.SIGUSR1)
    await bench.figures(served, SECONDS)
    os.kill(served.pids[0], signal.SIGUSR2)

    async def there() -> bool:
        return await asyncio.to_thread(file.exists)

    await until(there, bool, seconds=10.0)
    found = json.loads(await asyncio.to_thread(file.read_bytes))
    await asyncio.to_thread(file.unlink)
    return found["own"], found["whole"]


def show(what: str, plain: Figures, own: dict[str, int], whole: dict[str, int]) -> None:
    each = plain.service_us / sum(own.values())
    lines = [f"\n{what}: {plain.service_us:,.0f} µs of CPU, {plain.database_us:,.0f} of PostgreSQL; own, whole"]
    for name in sorted(whole, key=lambda name: -whole[name])[: 2 * SHOWN]:
        lines.append(f"{own.get(name, 0) * each:8.1f} {whole[name] * each:8.1f}  {name}")
    lines.append("the most by themselves:")
    for name in sorted(own, key=lambda name: -own[name])[:SHOWN]:
        lines.append(f"{own[name] * each:8.1f}  {name}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    temporary.run(look, seconds=LONGEST_SECONDS)
