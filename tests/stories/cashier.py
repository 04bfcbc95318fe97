"""Authorises every payment that is asked for, as long as no function of the store does."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusError

from libs.common.messages import CONTENT_TYPE, encode_command
from libs.common.messages.orders import RecordPayment
from localcloud import certificates, runfile
from localcloud.access import Access
from localcloud.addresses import Addresses, Port
from localcloud.people import People
from localcloud.state import State
from tests.localcloud.servicebus.bus import client

LOOK_SECONDS = 0.05
AWAY = (aiohttp.ClientError, TimeoutError, OSError, ServiceBusError)  # some part is being killed by a story


@dataclass(frozen=True, slots=True)
class Cashier:
    people: People
    orders: str  # where the service answers
    session: aiohttp.ClientSession
    bus: ServiceBusClient
    done: set[UUID] = field(default_factory=set)

    async def sit(self) -> None:
        while True:
            with suppress(*AWAY):
                for order in await self._unpaid():
                    await self._authorise(UUID(order["id"]), order["total"])
            await asyncio.sleep(LOOK_SECONDS)

    async def _unpaid(self) -> list[Any]:
        url, headers = f"{self.orders}/api/orders?status=placed&limit=100", self.people.authorization("admin")
        async with self.session.get(url, headers=headers, raise_for_status=True) as answer:
            placed = (await answer.json())["items"]
        return [each for each in placed if each["payment"] == "requested" and UUID(each["id"]) not in self.done]

    async def _authorise(self, order_id: UUID, amount: int) -> None:
        command, cause = RecordPayment(order_id=order_id, outcome="authorised", amount=amount), f"order {order_id}"
        body = encode_command(command, "/tests/cashier", cause=cause, at=datetime.now(UTC), traceparent="")
        message = ServiceBusMessage(body, message_id=str(command.id(cause)), content_type=CONTENT_TYPE)
        async with self.bus.get_queue_sender("orders") as sender:
            await sender.send_messages(message)
        self.done.add(order_id)


async def sit(folder: Path) -> None:
    run = runfile.read(folder)
    assert run
    people, files = People.open(folder, run), certificates.ensure(State(folder).certificates, datetime.now(UTC))
    access = Access(people.issuer, people.topology)
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
        client(access, files, Addresses(run.base_port).port(Port.SERVICEBUS)) as bus,
    ):
        await Cashier(people, run.addresses["orders"], session, bus).sit()


@asynccontextmanager
async def paid(folder: Path) -> AsyncIterator[None]:
    """While the block runs: by a process of its own, for each test has its own event loop."""
    command = (sys.executable, "-m", "tests.stories.cashier", str(folder))
    with (folder / "cashier.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=Path(__file__).parents[2], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(sit(Path(sys.argv[1])))
