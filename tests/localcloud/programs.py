"""Runs a program for as long as a test needs it, in a state folder of its own; whoever kills the tests leaves none."""

import asyncio
import os
import pwd
import random
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from itertools import count
from pathlib import Path

from localcloud import guard
from localcloud.postgres import state_folder
from localcloud.processes import ANNOUNCED
from localcloud.program import Program
from tests.waiting import until

READY_SECONDS = 20
STOP_SECONDS = 60
GRACE_SECONDS = 20  # that the guard gives each

ORDER = count()  # what was started last is stopped first


@contextmanager
def state_of(project: Path) -> Iterator[Path]:
    """pytest's folders are closed to others: as root, the state lies outside them, and nobody else would remove it."""
    folder = state_folder(project)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def running(
    program: Program, log: Path, *, seconds: float = READY_SECONDS
) -> AsyncIterator[asyncio.subprocess.Process]:
    """What it says is in `log`; at the end it is asked to stop in its own way."""
    account = pwd.getpwuid(program.uid) if program.uid is not None else None
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(*ANNOUNCED, f"{program.stop_signal.value} {next(ORDER)}", *program.argv),
            stdin=guarded(),
            stdout=output,
            stderr=output,
            cwd=program.cwd,
            env={"PATH": os.environ["PATH"], **program.env},
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
    try:
        await until(lambda: _ready(program, process, log), bool, seconds=seconds)
        yield process
    finally:
        await stop(process, program.stop_signal)
        os.write(guarded(), f"ended {process.pid}\n".encode())


@cache
def guarded() -> int:
    """Standard input of what a guard is to stop, should this process end before it has done so itself."""
    reading, writing = os.pipe()
    command = [sys.executable, "-S", "-P", guard.__file__, str(GRACE_SECONDS)]
    os.posix_spawn(sys.executable, command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)])
    os.close(reading)
    return writing


async def _ready(program: Program, process: asyncio.subprocess.Process, log: Path) -> bool:
    assert process.returncode is None, f"it ended: {log.read_text()}"  # noqa: ASYNC240  all is over
    return await program.ready()


async def stop(process: asyncio.subprocess.Process, how: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(how)
    async with asyncio.timeout(STOP_SECONDS):
        await process.wait()


def free_ports(most: int) -> int:
    """The first of so many ports in a row that nobody listens on.

    Below the range from which systems give outgoing connections theirs: those could take one before its server does.
    """
    while True:
        base = random.randrange(10_000, 30_000)
        if all(_free(port) for port in range(base, base + most)):
            return base


def _free(port: int) -> bool:
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
