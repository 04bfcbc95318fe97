"""`make autoscale-demo`: the whole store on this laptop, its catalogue scaled live by the shipped rule.

KEDA's part is played by `Autoscaler`: it asks the local Service Bus how much waits in the queue `catalog`, decides by
`deploy.scaling.decide`, and really starts and stops `python -m services.catalog`. These compete for the queue with the
store's own instance, which stays for HTTP; so they may go down to none. Everything is gone when it ends.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import cycle, islice

import aiohttp

from deploy import temporary
from deploy.scaling import Look, Rule, decide, pause, remembered, shipped
from deploy.temporary import TemporaryStore, place
from deploy.workers import Workers, worker_of
from localcloud import flow, launcher
from localcloud.audit import read_at_rest, violations
from localcloud.flow import Flow
from localcloud.waiting import until

QUEUE = "catalog"
ORDERS = 300
FASTER = 20.0  # than KEDA: its 15 seconds are 0.75, its five minutes 15
MOST_WORKERS = 3  # more would only be in each other's way on two cores
LONGEST_SECONDS = 115.0  # for all of it

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
    store: TemporaryStore
    say: Say
    most: int = 0  # workers at once

    async def run(self, orders: int) -> bool:
        """Do the books balance?"""
        processes = self.store.launch.processes
        async with asyncio.TaskGroup() as group:
            workers = Workers(worker_of(self.store.launch.store, QUEUE), processes.guard, processes.logs, group)
            rule = for_workers(Rule.of_queue(shipped(QUEUE)), MOST_WORKERS)
            scaling = group.create_task(Autoscaler(rule, workers, self._waiting, self._changed, FASTER).run())
            await self._burst(orders)
            await until(self._at_rest(workers), bool, seconds=LONGEST_SECONDS)
            scaling.cancel()
        books = await read_at_rest(self.store.folder, LONGEST_SECONDS, dead_allowed=0)
        broken = violations(books)
        confirmed = sum(each.status == "confirmed" for each in books.orders.values())
        self.say(f"\n{len(books.orders)} orders, {confirmed} of them confirmed; {self.most} workers at most, now none.")
        self.say(f"Each ended with status {sorted(set(workers.ended))} on SIGTERM.")
        self.say("The books balance." if not broken else f"The books do not balance: {broken}")
        return not broken

    async def _burst(self, orders: int) -> None:
        """While the store's own instance is as if on a machine that has stalled: the workers are alone with it."""
        buyer = self.store.buyer()
        products = [each["id"] for each in await buyer.in_stock()]
        self.say(f"{orders} orders come at once, and the catalogue's own instance stalls:")
        with self.store.stalled(QUEUE):
            await place(buyer, list(islice(cycle(products), orders)))
            await until(self._untouched, lambda count: count == 0, seconds=LONGEST_SECONDS)
        self.say("  it is back; what is confirmed comes through the queue as well, to be sold")

    def _changed(self, backlog: int, replicas: int) -> None:
        self.most = max(self.most, replicas)
        self.say(f"  {datetime.now().astimezone():%H:%M:%S}  {backlog:4} waiting  {replicas} workers {'■' * replicas}")

    async def _waiting(self) -> int:
        return await waiting(self.store.session, self.store.letters)

    async def _untouched(self) -> int:
        """What is on its way to the queue, or in it and in nobody's hands."""
        now = await self._flow()
        on_its_way = sum(each.pending for each in now.subscriptions if each.name == "process-order")
        return on_its_way + now.queues[QUEUE].active

    def _at_rest(self, workers: Workers) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            return not workers.count() and not (await self._flow()).waiting()

        return look

    async def _flow(self) -> Flow:
        return await flow.read(self.store.session, self.store.letters)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m deploy.autoscale", description=__doc__)
    parser.add_argument("--orders", type=int, default=ORDERS)
    orders = parser.parse_args(arguments).orders
    _say("the store is being started …")
    try:
        return 0 if temporary.run(lambda store: Demo(store, _say).run(orders), seconds=LONGEST_SECONDS) else 1
    except launcher.REFUSALS as refusal:
        _say(str(refusal))
    except TimeoutError:
        _say(f"Not done within {LONGEST_SECONDS:.0f} s; a slow machine takes fewer: --orders 100")
    except asyncio.CancelledError:
        _say("stopped")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
