"""Far more at once than can be done: some are done, the others hear so at once, and then all is as before."""

import asyncio
from collections.abc import AsyncIterator
from statistics import median
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from libs.common.auth import Role, Verifier
from libs.common.entrance import ENTRANCE
from libs.common.postgres import Postgres
from libs.common.slots import Overloaded, Slots
from services.orders.routes import STORE
from services.orders.store.postgres import PostgresStore
from tests.access.shops import ADA, Shop, an_order, opened
from tests.tokens import Tokens

pytestmark = pytest.mark.real

FLOOD = 600
QUICK_MILLISECONDS = 50


@pytest.fixture
async def shop(database: Postgres, verifier: Verifier, tokens: Tokens) -> AsyncIterator[Shop]:
    async with opened("orders", database, verifier, tokens) as shop:
        yield shop


async def place(shop: Shop) -> tuple[int, Any]:
    headers = shop.tokens.bearer(Role.CUSTOMER, oid=ADA) | {"Idempotency-Key": uuid4().hex}
    async with shop.client.post("/api/orders", json=an_order(), headers=headers) as answer:
        return answer.status, answer.headers.get("Retry-After")


@pytest.mark.parametrize("where", ["at the door", "before the database"])
async def test_a_flood_is_let_in_as_far_as_it_can_be_served_and_is_over_when_it_is_over(
    shop: Shop, database: Postgres, where: str
) -> None:
    if where == "at the door":
        shop.client.app[ENTRANCE].most_at_once = 20
    else:
        store = shop.client.app[STORE]
        assert isinstance(store, PostgresStore)
        store.placing.most_waiting = 20
    before = len(await database.fetch("SELECT id FROM orders"))

    with capture_logs() as lines:
        async with asyncio.timeout(60):
            answers = await asyncio.gather(*(place(shop) for _ in range(FLOOD)))

    refused = [line["milliseconds"] for line in lines if line.get("status") == 503]
    done = [status for status, _ in answers if status == 202]
    assert set(answers) == {(202, None), (503, "2")}
    assert len(refused) + len(done) == FLOOD
    assert median(refused) < QUICK_MILLISECONDS
    assert len(await database.fetch("SELECT id FROM orders")) == before + len(done)
    assert [await place(shop) for _ in range(20)] == [(202, None)] * 20


async def test_whoever_waits_too_long_for_a_slot_goes_and_a_slot_that_is_free_again_is_given() -> None:
    slots, entered = Slots(1, 0.01, most_waiting=1), asyncio.Event()

    async def hold(until: asyncio.Event) -> None:
        async with slots:
            entered.set()
            await until.wait()

    release = asyncio.Event()
    holding = asyncio.create_task(hold(release))
    await entered.wait()
    with pytest.raises(Overloaded):
        async with slots:
            pass
    waiting = Slots(1, 10.0, most_waiting=0)
    async with waiting:
        with pytest.raises(Overloaded):
            async with waiting:
                pass
    release.set()
    await holding
    async with slots, waiting:
        pass
