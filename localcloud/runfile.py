"""`run.json`: where everything is while the store runs; and the lock that keeps a second one out of the folder."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct, field

from localcloud.engines import USUAL, Engines
from localcloud.state import write_private

STOP_SECONDS = 120.0  # for all the parts in turn, each with its grace
LOOK_EVERY_SECONDS = 0.05


class Part(Struct, frozen=True):
    pid: int
    restarts: int


class Run(Struct, frozen=True):
    """`addresses` are URLs by name: gateway, catalog, …, letters, postgres. Logs are in `logs`, `<part>.log` each.

    `engines` are what the services keep their data on.
    """

    pid: int  # of the launcher
    base_port: int
    addresses: dict[str, str]
    logs: str
    engines: Engines = field(default_factory=USUAL.copy)
    ready: bool = False
    parts: dict[str, Part] = {}


class AlreadyRuns(Exception):
    def __init__(self, run: Run) -> None:
        super().__init__(f"The store runs here already: {run.addresses['gateway']} (process {run.pid}); see make stop.")


class NotRunning(Exception):
    def __str__(self) -> str:
        return "The store does not run here. Start it: make run"


class StillStopping(Exception):
    def __str__(self) -> str:
        return f"What runs here has not stopped after {STOP_SECONDS:.0f} s; its logs may say why."


@contextmanager
def held(folder: Path) -> Iterator[int]:
    """The lock, as a file descriptor. It is free when everyone who has it open is gone, however they went.

    Waits while what ran before is being stopped. Raises AlreadyRuns or StillStopping.
    """
    descriptor = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait(lambda: _taken(descriptor, fcntl.LOCK_EX) or _refuse_second(folder))
        yield descriptor
    finally:
        os.close(descriptor)


def write(folder: Path, run: Run) -> None:
    write_private(folder / "run.json", msgspec.json.format(msgspec.json.encode(run)))


def remove(folder: Path) -> None:
    (folder / "run.json").unlink(missing_ok=True)


def read(folder: Path) -> Run | None:
    """What runs in this folder; not what a killed launcher has left in its file."""
    return None if _free(folder) else _read(folder)


def running(folder: Path) -> Run:
    """Raises NotRunning."""
    if run := read(folder):
        return run
    raise NotRunning


def wait_until_stopped(folder: Path) -> None:
    """Raises StillStopping."""
    _wait(lambda: _free(folder))


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise StillStopping
        time.sleep(LOOK_EVERY_SECONDS)


def _refuse_second(folder: Path) -> bool:
    """False: its launcher is dead, and the guard is stopping the rest."""
    run = _read(folder)
    if run and _lives(run.pid):
        raise AlreadyRuns(run)
    return False


def _free(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / "run.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        return _taken(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _taken(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(folder: Path) -> Run | None:
    try:
        return msgspec.json.decode((folder / "run.json").read_bytes(), type=Run)
    except FileNotFoundError:
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
