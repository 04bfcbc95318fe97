"""A 200 is a promise that `kill -9` does not break."""

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError
from azure.eventgrid.aio import EventGridPublisherClient

from localcloud import certificates
from localcloud.access import Issuer
from localcloud.addresses import HOST
from localcloud.program import Program
from localcloud.topology import Topology
from tests.localcloud.credential import Credential
from tests.localcloud.eventgrid.grid import Functions, Received, event
from tests.localcloud.programs import free_ports, running
from tests.waiting import so

pytestmark = pytest.mark.real

KILLS = 5
PUBLISHERS = 8
EVENTS = 10  # in a request
BETWEEN_KILLS = 20  # requests


@dataclass(slots=True)
class Publisher:
    client: EventGridPublisherClient
    acknowledged: set[int] = field(default_factory=set)
    news: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    async def keep_publishing(self, numbers: Iterator[int]) -> None:
        while True:
            batch = list(itertools.islice(numbers, EVENTS))
            with suppress(AzureError):  # it is down: nothing was promised
                await self.client.send([event(number) for number in batch])
                self.acknowledged.update(batch)
                self.news.put_nowait(None)

    async def acknowledgements(self, count: int) -> None:
        for _ in range(count):
            await self.news.get()


async def test_every_acknowledged_event_is_delivered_though_it_is_killed_again_and_again(
    tmp_path: Path, issuer: Issuer, store: Topology
) -> None:
    delivered: set[int] = set()
    attempts = itertools.count()

    async def answer(received: Received) -> int:
        if next(attempts) % 5 == 0:
            return 503
        delivered.add(json.loads(received.body)["data"]["number"])
        return 202

    port, files = free_ports(1), certificates.ensure(tmp_path, datetime.now(UTC))
    client = EventGridPublisherClient(
        f"https://{HOST}:{port}/orders/api/events",
        Credential(issuer, store, "orders"),
        retry_total=0,
        connection_verify=str(files.ca),
    )
    async with Functions(answer=answer).running() as functions, client, asyncio.TaskGroup() as tasks:
        program = victim(tmp_path, port, functions.url)
        numbers = itertools.count()
        publisher = Publisher(client)
        publishing = [tasks.create_task(publisher.keep_publishing(numbers)) for _ in range(PUBLISHERS)]

        for _ in range(KILLS):
            async with running(program, tmp_path / "log") as process:
                await publisher.acknowledgements(BETWEEN_KILLS)
                process.kill()
                await process.wait()
        for task in publishing:
            task.cancel()

        async with running(program, tmp_path / "log"):
            await so(lambda: publisher.acknowledged <= delivered, seconds=20)

    assert len(publisher.acknowledged) >= KILLS * BETWEEN_KILLS * EVENTS


def victim(folder: Path, port: int, functions: str) -> Program:
    async def ready() -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except ConnectionRefusedError:
            return False
        writer.close()
        return True

    argv = [sys.executable, "-m", "tests.localcloud.eventgrid.victim", str(folder), str(port), functions]
    return Program("eventgrid", argv, ready, cwd=Path(__file__).parents[3])
