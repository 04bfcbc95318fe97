"""Streams of events through the gateway: held for minutes, they keep nobody else out."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientResponse, ClientSession, TCPConnector

from localcloud.gateway import Limits
from tests.localcloud.nginx import Gateway, Open

pytestmark = pytest.mark.real

MANY, AT_ONCE = 600, 50  # beside each there is one from the gateway to the service
FILES = 4096


@pytest.fixture
def room_for_files() -> None:
    """Both ends of each stream are open here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))


@asynccontextmanager
async def following(nginx: Gateway, many: int) -> AsyncIterator[list[ClientResponse]]:
    """Each has got its first event, or is refused."""
    answers = list[ClientResponse]()
    async with ClientSession(connector=TCPConnector(limit=0)) as client:

        async def follow() -> None:
            answer = await client.get(f"{nginx.url}/api/orders/7/events")
            answers.append(answer)
            await answer.content.readline()

        for _ in range(0, many, AT_ONCE):
            async with asyncio.timeout(20), asyncio.TaskGroup() as some:
                for _ in range(AT_ONCE):
                    some.create_task(follow())
        yield answers
        for answer in answers:
            answer.close()


async def test_while_hundreds_follow_their_orders_others_get_in(open_gateway: Open, room_for_files: None) -> None:
    nginx = await open_gateway(Limits(rate=2000, burst=2000, streams=MANY))

    async with following(nginx, MANY) as answers:
        asked = await nginx.ask("/api/products")

    assert [answer.status for answer in answers] == [200] * MANY
    assert asked.status == 200


async def test_one_address_follows_so_many_orders_and_no_more(open_gateway: Open) -> None:
    nginx = await open_gateway(Limits(streams=AT_ONCE))

    async with following(nginx, AT_ONCE):
        one_more = await nginx.ask("/api/orders/8/events")
        asked = await nginx.ask("/api/orders/8")

    assert (one_more.status, one_more.headers["Retry-After"], one_more.content_type) == (
        429,
        "1",
        "application/problem+json",
    )
    assert asked.status == 200
