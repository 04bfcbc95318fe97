"""A program that runs beside others: what starts it, when it is ready, how it is asked to stop."""

import asyncio
import importlib.util
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.addresses import HOST

ANSWER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    argv: list[str]
    ready: Callable[[], Awaitable[bool]]  # asked again and again until it says yes; never raises
    ports: tuple[int, ...] = ()  # must be free before it starts
    env: Mapping[str, str] = field(default_factory=dict)  # beside PATH, HOME, LANG
    cwd: Path | None = None
    uid: int | None = None  # run as this user (only root can)
    stop_signal: signal.Signals = signal.SIGTERM


async def listening(*ports: int) -> bool:
    """Does each of these ports on loopback take a connection?"""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            for port in ports:
                _, writer = await asyncio.open_connection(HOST, port)
                writer.close()
                await writer.wait_closed()
    except OSError:
        return False
    return True


def package_folder(package: str) -> Path | None:
    """Where a package that carries binaries lies; it is not imported."""
    found = importlib.util.find_spec(package)
    return Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None
