"""`make autoscale-demo`: the whole store on this laptop, its catalogue scaled live by the shipped rule.

KEDA's part is played by `Autoscaler`: it asks the local Service Bus how much waits in the queue `catalog`, decides by
`deploy.scaling.decide`, and really starts and stops `python -m services.catalog`. These compete for the queue with the
store's own instance, which stays for HTTP; so they may go down to none. Everything is gone when it ends.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from uuid import uuid4

import aiohttp

from deploy.scaling import Look, Rule, decide, pause, remembered, shipped
from deploy.workers import Workers, worker_of
from localcloud import flow, launcher, postgres, runfile, sample
from localcloud.addresses import Addresses, Port
from localcloud.audit import read_at_rest, violations
from localcloud.engines import USUAL
from localcloud.launcher import Launch
from localcloud.logfiles import LogFiles
from localcloud.order import Buyer
from localcloud.people import People
from localcloud.processes import Processes
from localcloud.store import Store
from localcloud.waiting import until

QUEUE = "catalog"
ORDERS, ORDERS_AT_ONCE = 300, 8
FASTER = 20.0  # than KEDA: its 15 seconds are 0.75, its five minutes 15
MOST_WORKERS = 3  # more would only be in each other's way on two cores
LONGEST_SECONDS = 115.0  # for all of it
TIMEOUT = aiohttp.ClientTimeout(total=30)

Say = Callable[[str], None]


@dataclass(slots=True)
class Autoscaler:
    rule: Rule
    workers: Workers
    backlog: Callable[[], Awaitable[int]]
    changed: Callable[[int, int], None]  # what waits, and how many there shall be
    faster: float
    history: list[Look] = field(default_factory=list)

    async def run(self) -> None:
        """Until it is cancelled. Its seconds are shorter than ours."""
        began = asyncio.get_running_loop().time()
        while True:
            await self._look((asyncio.get_running_loop().time() - began) * self.faster)
            await asyncio.sleep(pause(self.rule, self.workers.count()) / self.faster)

    async def _look(self, at: float) -> None:
        backlog, replicas = await self.backlog(), self.workers.count()
        wanted = decide(self.rule, backlog, replicas, self.history, at)
        self.history = [*remembered(self.rule, self.history, at), Look(at, backlog, replicas)]
        if wanted != replicas:
            self.changed(backlog, wanted)
            await self.workers.scale(wanted)


async def waiting(session: aiohttp.ClientSession, letters: str) -> int:
    """Azure counts what somebody has locked among the active messages (from memory); the local one tells them apart."""
    queue = (await flow.read(session, letters)).queues[QUEUE]
    return queue.active + queue.locked


def for_workers(rule: Rule, most: int) -> Rule:
    """Beside an instance that stays there need be none of them, and on a laptop there can't be many."""
    return replace(rule, least=0, most=min(rule.most, most))


# --- the demonstration ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Demo:
    launch: Launch
    session: aiohttp.ClientSession
    say: Say
    most: int = 0  # workers at once

    async def run(self, orders: int) -> bool:
        """Do the books balance?"""
        folder = self.launch.store.state.folder
        async with asyncio.TaskGroup() as group:
            guard, logs = self.launch.processes.guard, self.launch.processes.logs
            workers = Workers(worker_of(self.launch.store, QUEUE), guard, logs, group)
            rule = for_workers(Rule.of_queue(shipped(QUEUE)), MOST_WORKERS)
            scaling = group.create_task(Autoscaler(rule, workers, self._waiting, self._changed, FASTER).run())
            await self._burst(orders)
            await until(self._at_rest(workers), bool, seconds=LONGEST_SECONDS)
            scaling.cancel()
        books = await read_at_rest(folder, LONGEST_SECONDS, dead_allowed=0)
        broken = violations(books)
        confirmed = sum(each.status == "confirmed" for each in books.orders.values())
        self.say(f"\n{len(books.orders)} orders, {confirmed} of them confirmed; {self.most} workers at most, now none.")
        self.say(f"Each ended with status {sorted(set(workers.ended))} on SIGTERM.")
        self.say("The books balance." if not broken else f"The books do not balance: {broken}")
        return not broken

    async def _burst(self, orders: int) -> None:
        """While the store's own instance is as if on a machine that has stalled: the workers are alone with it."""
        buyer, own = self._buyer(), self.launch.processes.running[QUEUE].process.pid
        products = [each["id"] for each in await buyer.in_stock()]
        self.say(f"{orders} orders come at once, and the catalogue's own instance stalls:")
        with stalled(own):
            await place(buyer, list(islice(cycle(products), orders)))
            await until(self._untouched, lambda count: count == 0, seconds=LONGEST_SECONDS)
        self.say("  it is back; what is confirmed comes through the queue as well, to be sold")

    def _buyer(self) -> Buyer:
        folder, run = self.launch.store.state.folder, self.launch.now()
        authorization = People.open(folder, run).authorization("customer", sample.read(folder).customer)
        return Buyer(self.session, run.addresses["gateway"], run.addresses["letters"], authorization)

    def _changed(self, backlog: int, replicas: int) -> None:
        self.most = max(self.most, replicas)
        self.say(f"  {datetime.now().astimezone():%H:%M:%S}  {backlog:4} waiting  {replicas} workers {'■' * replicas}")

    async def _waiting(self) -> int:
        return await waiting(self.session, self._letters())

    async def _untouched(self) -> int:
        """What is on its way to the queue, or in it and in nobody's hands."""
        now = await flow.read(self.session, self._letters())
        return now.queues[QUEUE].active + sum(
            each.pending for each in now.subscriptions if each.name == "process-order"
        )

    def _at_rest(self, workers: Workers) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            return not workers.count() and not (await flow.read(self.session, self._letters())).waiting()

        return look

    def _letters(self) -> str:
        return self.launch.store.addresses.http(Port.LETTERS)


async def place(buyer: Buyer, products: list[str]) -> None:
    """One order for each."""
    gate = asyncio.Semaphore(ORDERS_AT_ONCE)

    async def order(product: str) -> None:
        async with gate:
            await buyer.order(product, uuid4().hex)

    async with asyncio.TaskGroup() as group:
        for product in products:
            group.create_task(order(product))


@contextmanager
def stalled(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def temporary_state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as project:
        folder = postgres.state_folder(Path(project))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


@asynccontextmanager
async def started(folder: Path, lock: int) -> AsyncIterator[Launch]:
    """`make run`, without its words and on ports that are free."""
    launch = Launch(Store.open(folder, _free_block(), datetime.now(UTC), USUAL), options="")
    logs = LogFiles(folder / "logs")
    launch.processes = Processes(logs, random.SystemRandom(), lambda _: None, launch.note, lock)
    launch.note()
    async with launch.processes.supervised():
        await launcher.start(launch.store, launch.processes)
        yield launch


async def show(folder: Path, lock: int, orders: int, say: Say) -> bool:
    """Do the books balance at the end? Raises TimeoutError."""
    say("the store is being started …")
    async with (
        asyncio.timeout(LONGEST_SECONDS),
        started(folder, lock) as launch,
        aiohttp.ClientSession(timeout=TIMEOUT) as session,
    ):
        return await Demo(launch, session, say).run(orders)


async def show_until_signal(folder: Path, lock: int, orders: int) -> bool:
    work = asyncio.create_task(show(folder, lock, orders, _say))
    for each in launcher.STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(each, work.cancel)
    return await work


def _free_block() -> int:
    """Below the range from which systems give outgoing connections theirs."""
    for base in range(11_000, 30_000, len(Port)):
        with suppress(launcher.PortTaken):
            launcher.refuse_taken_ports(Addresses(base))
            return base
    raise OSError("no block of ports is free")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m deploy.autoscale", description=__doc__)
    parser.add_argument("--orders", type=int, default=ORDERS)
    chosen = parser.parse_args(arguments)
    os.environ.pop("DATABASE_URL", None)  # somebody's store may be there
    try:
        with temporary_state() as folder, runfile.held(folder) as lock:
            return 0 if asyncio.run(show_until_signal(folder, lock, chosen.orders)) else 1
    except launcher.REFUSALS as refusal:
        _say(str(refusal))
    except TimeoutError:
        _say(f"Not done within {LONGEST_SECONDS:.0f} s; a slow machine takes fewer: --orders 100")
    except asyncio.CancelledError:
        _say("stopped")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
