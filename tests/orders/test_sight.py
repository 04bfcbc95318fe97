"""What orders see of themselves."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.ids import uuid7
from libs.common.messages import CloudEvent, encode_fact
from libs.common.messages.orders import OrderConfirmed, OrderPlaced, OrderRejected
from libs.common.metrics import Metrics
from services.orders.sight import OrderSight
from services.orders.store import Store, migrate, open_store
from services.orders.transitions import Status
from tests.orders.ordering import put, put_one_in_each_state, stock_up

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
async def store(database: Database) -> Store:
    await migrate(database)
    opened = await open_store(database)
    await stock_up(opened)
    return opened


def event(kind: type[OrderPlaced | OrderConfirmed | OrderRejected], seconds: float, **more: str) -> CloudEvent:
    """Of an order that was placed at noon."""
    about = {"order_id": uuid7(NOON, secrets.randbits), "customer_id": UUID(int=1), "currency": "EUR", "total": 0}
    fact = kind(**about, lines=[], version=2, at=NOON + timedelta(seconds=seconds), **more)  # type: ignore[arg-type]
    return CloudEvent.decode(encode_fact(fact, ""))


async def test_an_order_settles_when_it_is_confirmed_or_ends(store: Store, database: Database) -> None:
    metrics = Metrics()
    sight = OrderSight(database, metrics)

    sight.published(event(OrderPlaced, 0))
    sight.published(event(OrderConfirmed, 1.5))
    sight.published(event(OrderConfirmed, 2.5))
    sight.published(event(OrderRejected, 60, reason="no"))

    settling = sight.settling.read()
    assert {labels: each.count for labels, each in settling.items()} == {("confirmed",): 2, ("rejected",): 1}
    assert settling[("confirmed",)].sum == pytest.approx(4, abs=0.01)


async def test_every_state_has_a_figure_and_the_oldest_that_is_not_settled_an_age(
    store: Store, database: Database
) -> None:
    sight = OrderSight(database, Metrics())
    await sight.look()
    none = dict(sight.ages.read())
    await put_one_in_each_state(store)
    await put(store)

    await sight.look()
    states, ages = sight.states.read(), sight.ages.read()
    sight.blind()

    assert states == {(status,): 2 if status is Status.PLACED else 1 for status in Status}
    assert (none[()], sight.states.read(), sight.ages.read()) == (0, {}, {})
    assert ages[()] > 60
