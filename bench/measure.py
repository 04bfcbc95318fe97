"""How fast something is, and how much CPU it takes: ours, and the server's."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from statistics import median, quantiles

import psutil

TASKS = 16


@dataclass(frozen=True, slots=True)
class Rate:
    """Of an operation: how many in a second, how long each takes, and CPU microseconds of each."""

    per_second: float
    p50_ms: float
    p95_ms: float
    client_us: float
    server_us: float


async def rate(work: Callable[[], Awaitable[object]], seconds: float, server: str) -> Rate:
    """By TASKS at once. `server` is what the server's command lines have in them."""
    took, until = list[float](), time.monotonic() + seconds

    async def one() -> None:
        while (began := time.monotonic()) < until:
            await work()
            took.append(time.monotonic() - began)

    ours, theirs, began = time.process_time(), cpu_seconds(server), time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(TASKS):
            group.create_task(one())
    lasted = time.monotonic() - began
    cut = quantiles(took, n=20)
    each = 1e6 / len(took)
    return Rate(
        per_second=len(took) / lasted,
        p50_ms=cut[9] * 1000,
        p95_ms=cut[18] * 1000,
        client_us=(time.process_time() - ours) * each,
        server_us=(cpu_seconds(server) - theirs) * each,
    )


def middle(rates: list[Rate]) -> Rate:
    """Of several rounds, each figure's median."""
    rounds = [asdict(each) for each in rates]
    return Rate(**{name: median(each[name] for each in rounds) for name in rounds[0]})


def cpu_seconds(command: str) -> float:
    """Of the programs that we have started and that are called so."""
    return sum(_spent(each, command) for each in psutil.Process().children(recursive=True))


def cpu_seconds_of(pid: int) -> float:
    """Of a process and those that it has started."""
    process = psutil.Process(pid)
    return sum(map(_spent, [process, *process.children(recursive=True)]))


def _spent(process: psutil.Process, command: str = "") -> float:
    """With its children that have ended. Nothing where it has ended itself, or is called otherwise."""
    try:
        times = process.cpu_times() if command in " ".join(process.cmdline()) else None
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0.0
    return sum(times[:4]) if times else 0.0
