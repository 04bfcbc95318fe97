"""`--reload`: the app anew, in a process of its own, whenever one of its files changes.

Old and new listen on one socket, which this process holds: the old one goes once the new one serves, and finishes what
it has in hand. One that does not start leaves the old one serving.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import structlog

log = structlog.get_logger()

READY = b"1"
LOOK_EVERY_SECONDS = 0.3  # a change counts once nothing has changed since the look before
START_SECONDS = 60.0
END_SECONDS = 30.0  # it cuts itself short before
MOST_FILES = 5000
WATCHED = (".py", ".json")
PASSED_OVER = ("__pycache__", "node_modules", "site-packages")

Seen: TypeAlias = Mapping[str, tuple[int, int]]


def argv(arguments: list[str]) -> list[str]:
    return [each for each in arguments if each != "--reload"]


def look(folder: Path) -> Seen:
    """When each of the app's files was written, and how long it is."""
    seen = dict[str, tuple[int, int]]()
    for file in _files(folder):
        with suppress(FileNotFoundError):  # it may go while we look
            about = file.stat()
            seen[str(file)] = (about.st_mtime_ns, about.st_size)
        if len(seen) == MOST_FILES:
            break
    return seen


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in PASSED_OVER)
        yield from (Path(where, name) for name in names if name.endswith(WATCHED))


@dataclass(frozen=True, slots=True)
class Version:
    """A process that serves the app as it was when it started; it stops when `line` is closed."""

    process: asyncio.subprocess.Process
    line: socket.socket

    async def end(self) -> None:
        self.line.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


async def start(arguments: list[str], listening: socket.socket) -> Version | None:
    """None where the app does not start; the process has said why."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        passed = (listening.fileno(), theirs.fileno())
        inherited = ["--socket", str(passed[0]), "--parent", str(passed[1])]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "localcloud.functions_host", *arguments, *inherited, pass_fds=passed
        )
    version = Version(process, ours)
    said = b""
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(START_SECONDS):
            said = await asyncio.get_running_loop().sock_recv(ours, len(READY))
    if said == READY:
        return version
    with suppress(ProcessLookupError):
        process.kill()
    await version.end()
    return None


async def run(app: Path, listening: socket.socket, arguments: list[str]) -> int:
    """Until SIGTERM or SIGINT, or until the app ends by itself. Returns the exit code."""
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    listening.set_inheritable(True)
    seen = await asyncio.to_thread(look, app)
    current = await start(arguments, listening)
    if current is None:
        return 1
    async with asyncio.TaskGroup() as ending:
        while not stop.is_set() and current.process.returncode is None:
            before, seen = seen, await _settled(app, seen, stop)
            if seen == before:
                continue
            log.info("host.changed")
            following = await start(arguments, listening)
            if following is None:
                log.error("reload.refused", reason="the app as it is now does not start; the one before it serves on")
                continue
            ending.create_task(current.end())
            current = following
        code = current.process.returncode or 0
        ending.create_task(current.end())
    return code


async def _settled(app: Path, before: Seen, stop: asyncio.Event) -> Seen:
    """What is seen at the next look; after a change, when two looks agree."""
    while not stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_SECONDS):
                await stop.wait()
        now = await asyncio.to_thread(look, app)
        if now == before:
            return now
        before = now
    return before
