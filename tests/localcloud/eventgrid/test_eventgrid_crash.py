"""A 200 is a promise that `kill -9` does not break."""

import asyncio
import itertools
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from azure.core.exceptions import AzureError
from azure.eventgrid.aio import EventGridPublisherClient

from localcloud import certificates
from localcloud.access import Issuer
from localcloud.addresses import HOST
from localcloud.program import Program
from localcloud.topology import Topology
from tests.localcloud.credential import Credential
from tests.localcloud.eventgrid.grid import Functions, Received, event
from tests.localcloud.eventgrid.hooks import Asked, Hook, agrees
from tests.localcloud.programs import free_ports, running
from tests.waiting import so

pytestmark = pytest.mark.real

KILLS = 5
PUBLISHERS = 8
EVENTS = 10  # in a request
BETWEEN_KILLS = 20  # requests
BATCH = 30  # events that are delivered in one request
LANES = 2  # each of which has one request under way: the fresh, and what failed before


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


@dataclass(frozen=True, slots=True)
class Killable:
    """An Event Grid with one webhook, that can be started, killed and started again."""

    program: Program
    client: EventGridPublisherClient
    log: Path

    @asynccontextmanager
    async def until_killed(self) -> AsyncIterator[None]:
        async with running(self.program, self.log) as process:
            yield
            process.kill()
            await process.wait()


@pytest.fixture
async def killable(
    tmp_path: Path, issuer: Issuer, store: Topology, hook: Hook
) -> AsyncIterator[Callable[..., Killable]]:
    port, files = free_ports(1), certificates.ensure(tmp_path, datetime.now(UTC))
    url, credential = f"https://{HOST}:{port}/orders/api/events", Credential(issuer, store, "orders")

    async with EventGridPublisherClient(url, credential, retry_total=0, connection_verify=str(files.ca)) as client:

        def with_(**more: Any) -> Killable:
            said = json.dumps({"to": {"webhook": hook.url}} | more)
            return Killable(victim(tmp_path, port, "http://127.0.0.1:1", said), client, tmp_path / "log")

        yield with_


async def test_an_endpoint_that_has_agreed_is_not_asked_again_after_a_kill(
    killable: Callable[..., Killable], hook: Hook
) -> None:
    grid = killable()
    async with grid.until_killed():
        await grid.client.send(event(1))
        first = [(await hook.next()).verb for _ in range(2)]
    async with grid.until_killed():
        await grid.client.send(event(2))
        asked = [await hook.next()]
        while b"e-2" not in asked[-1].body:  # the first may come again, too
            asked.append(await hook.next())

    assert first == ["OPTIONS", "POST"]
    assert {each.verb for each in asked} == {"POST"}


async def test_who_is_killed_before_the_endpoint_has_agreed_asks_again_and_has_lost_nothing(
    killable: Callable[..., Killable], hook: Hook
) -> None:
    async def thinks(asked: Asked) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    hook.answer, grid = thinks, killable()
    async with grid.until_killed():
        await grid.client.send(event(1))
        assert (await hook.next()).verb == "OPTIONS"
    hook.answer = agrees
    async with grid.until_killed():
        asked, delivered = await hook.next(), await hook.next()

    assert (asked.verb, delivered.verb, delivered.json()["id"]) == ("OPTIONS", "POST", "e-1")


async def test_of_batches_nothing_is_lost_and_a_kill_repeats_no_more_than_was_under_way(
    killable: Callable[..., Killable], hook: Hook
) -> None:
    delivered, attempts = Counter[int](), itertools.count()

    async def answer(asked: Asked) -> web.Response:
        if asked.verb == "OPTIONS":
            return await agrees(asked)
        if next(attempts) % 5 == 0:
            return web.Response(status=503)
        delivered.update(each["data"]["number"] for each in asked.json())
        return web.Response(status=202)

    hook.answer, grid = answer, killable(batch={"events": BATCH, "kilobytes": 1024})
    publisher, numbers = Publisher(grid.client), itertools.count()
    async with asyncio.TaskGroup() as tasks:
        publishing = [tasks.create_task(publisher.keep_publishing(numbers)) for _ in range(PUBLISHERS)]
        for _ in range(KILLS):
            async with grid.until_killed():
                await publisher.acknowledgements(BETWEEN_KILLS)
        for task in publishing:
            task.cancel()
    async with grid.until_killed():
        await so(lambda: publisher.acknowledged <= delivered.keys(), seconds=20)

    repeated = sum(count - 1 for count in delivered.values())
    assert repeated <= LANES * BATCH * KILLS
    assert len(publisher.acknowledged) >= KILLS * BETWEEN_KILLS * EVENTS


def victim(folder: Path, port: int, functions: str, *subscriptions: str) -> Program:
    async def ready() -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except ConnectionRefusedError:
            return False
        writer.close()
        return True

    argv = [
        sys.executable,
        "-m",
        "tests.localcloud.eventgrid.victim",
        str(folder),
        str(port),
        functions,
        *subscriptions,
    ]
    return Program("eventgrid", argv, ready, cwd=Path(__file__).parents[3])
