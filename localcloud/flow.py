"""What is on its way between the parts, as the local cloud tells it (`GET /state`)."""

import aiohttp
import msgspec
from msgspec import Struct


class Queue(Struct, frozen=True):
    active: int
    locked: int
    dead_lettered: int


class Subscription(Struct, frozen=True):
    name: str
    pending: int
    unburied: int  # dead, and not yet in storage


class Flow(Struct, frozen=True):
    subscriptions: list[Subscription]
    queues: dict[str, Queue]

    def waiting(self) -> dict[str, int]:
        """Where something is on its way, and how much."""
        pending = {f"subscription {each.name}": each.pending + each.unburied for each in self.subscriptions}
        queued = {f"queue {name}": queue.active + queue.locked for name, queue in self.queues.items()}
        return {name: count for name, count in (pending | queued).items() if count}

    def dead(self) -> dict[str, int]:
        """Where a message was given up, and how many. What Event Grid has given up lies in storage."""
        unhandled = {f"queue {name}": queue.dead_lettered for name, queue in self.queues.items()}
        return {name: count for name, count in unhandled.items() if count}


async def read(session: aiohttp.ClientSession, letters: str) -> Flow:
    """`letters` is the base URL of the page that shows them."""
    async with session.get(f"{letters}/state", raise_for_status=True) as answer:
        return msgspec.json.decode(await answer.read(), type=Flow)
