"""A whole store for a while, on ports that are free, to demonstrate or to measure: all that it keeps goes with it."""

import asyncio
import os
import random
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import aiohttp

from localcloud import launcher, postgres, runfile, sample
from localcloud.addresses import Addresses, Port
from localcloud.engines import USUAL
from localcloud.launcher import Launch
from localcloud.logfiles import LogFiles
from localcloud.order import Buyer
from localcloud.people import People
from localcloud.processes import Processes
from localcloud.store import Store

TIMEOUT = aiohttp.ClientTimeout(total=30)
ORDERS_AT_ONCE = 8

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TemporaryStore:
    launch: Launch
    session: aiohttp.ClientSession

    @property
    def folder(self) -> Path:
        return self.launch.store.state.folder

    @property
    def gateway(self) -> str:
        return self.launch.store.addresses.url(Port.GATEWAY)

    @property
    def letters(self) -> str:
        return self.launch.store.addresses.url(Port.LETTERS)

    def people(self) -> People:
        return People.open(self.folder, self.launch.now())

    def buyer(self) -> Buyer:
        """The customer whom the first start has registered."""
        authorization = self.people().authorization("customer", sample.read(self.folder).customer)
        return Buyer(self.session, self.gateway, self.letters, authorization)

    @contextmanager
    def stalled(self, part: str) -> Iterator[None]:
        """As if it were on a machine that has stalled."""
        pid = self.launch.processes.running[part].process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


Work = Callable[[TemporaryStore], Awaitable[T]]


def run(work: Work[T], *, seconds: float) -> T:
    """What the work gives. Raises one of launcher.REFUSALS, TimeoutError, or CancelledError after a signal."""
    os.environ.pop("DATABASE_URL", None)  # somebody's store may be there
    with temporary_state() as folder, runfile.held(folder) as lock:
        return asyncio.run(_until_signal(folder, lock, work, seconds))


async def place(buyer: Buyer, products: Sequence[str]) -> None:
    """One order for each."""
    gate = asyncio.Semaphore(ORDERS_AT_ONCE)

    async def order(product: str) -> None:
        async with gate:
            await buyer.order(product, uuid4().hex)

    async with asyncio.TaskGroup() as group:
        for product in products:
            group.create_task(order(product))


@contextmanager
def temporary_state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as project:
        folder = postgres.state_folder(Path(project))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


async def _until_signal(folder: Path, lock: int, work: Work[T], seconds: float) -> T:
    """Whoever repeats the signal has to wait all the same."""
    task = asyncio.create_task(_within(folder, lock, work, seconds))
    for each in launcher.STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(each, lambda: task.cancelling() or task.cancel())
    return await task


async def _within(folder: Path, lock: int, work: Work[T], seconds: float) -> T:
    async with (
        asyncio.timeout(seconds),
        _started(folder, lock) as launch,
        aiohttp.ClientSession(timeout=TIMEOUT) as session,
    ):
        return await work(TemporaryStore(launch, session))


@asynccontextmanager
async def _started(folder: Path, lock: int) -> AsyncIterator[Launch]:
    """`make run`, without its words."""
    launch = Launch(Store.open(folder, _free_block(), datetime.now(UTC), USUAL), options="")
    logs = LogFiles(folder / "logs")
    launch.processes = Processes(logs, random.SystemRandom(), lambda _: None, launch.note, lock)
    launch.note()
    async with launch.processes.supervised():
        await launcher.start(launch.store, launch.processes)
        yield launch


def _free_block() -> int:
    """Below the range from which systems give outgoing connections theirs."""
    for base in range(11_000, 30_000, len(Port)):
        with suppress(launcher.PortTaken):
            launcher.refuse_taken_ports(Addresses(base))
            return base
    raise OSError("no block of ports is free")
