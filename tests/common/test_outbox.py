"""The relay, from a real database to the local Event Grid through azure-core's pipeline."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from libs.common.database import Database
from libs.common.errors import Unavailable
from libs.common.messages import CloudEvent, encode_fact
from libs.common.messages.orders import OrderCancelled
from libs.common.outbox import Topic, relay
from libs.common.postgres import Postgres
from libs.common.watch import RelayWatch
from tests.engines import Engine, told
from tests.engines.wire import Wire
from tests.localcloud.credential import Credential
from tests.localcloud.eventgrid.grid import NOWHERE, Cloud, Queues, Running
from tests.waiting import so

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def cancelled(reason: str = "no", at: datetime = NOON) -> OrderCancelled:
    return OrderCancelled(
        order_id=uuid4(), customer_id=UUID(int=1), currency="EUR", total=0, lines=[], reason=reason, version=2, at=at
    )


@pytest.fixture
async def prepared(any_database: Database) -> Database:
    await any_database.migrate("none", "")
    return any_database


def topic(running: Running) -> AbstractAsyncContextManager[Topic]:
    credential = Credential(running.access.issuer, running.access.topology, "orders")
    return Topic.connect(f"{running.url}/orders/api/events", credential, connection_verify=str(running.files.ca))


@asynccontextmanager
async def relaying(
    database: Database, running: Running, watch: RelayWatch | None = None
) -> AsyncIterator[asyncio.Event]:
    """A relay in its loop; it is asked to stop at the end, and then it has emptied the outbox."""
    stop = asyncio.Event()
    async with topic(running) as orders, asyncio.TaskGroup() as loops:
        loops.create_task(relay(database, orders, stop=stop, chance=random.Random(1), watch=watch))
        try:
            yield stop
        finally:
            stop.set()


async def arrived(queues: Queues, count: int) -> list[str]:
    return [CloudEvent.decode((await queues.next()).body).subject for _ in range(count)]


async def test_what_is_committed_is_published_and_gone(
    engine: Engine, prepared: Database, cloud: Cloud, queues: Queues
) -> None:
    facts = [cancelled() for _ in range(250)]

    async with cloud.running(NOWHERE) as running, relaying(prepared, running):
        for first in range(0, 250, 50):
            await engine.tell(prepared, facts[first : first + 50])
        subjects = await arrived(queues, 250)

    assert sorted(subjects) == sorted(str(fact.order_id) for fact in facts)
    assert await told(prepared) == []


async def test_the_bytes_that_were_committed_are_the_bytes_that_arrive(
    engine: Engine, prepared: Database, cloud: Cloud, queues: Queues
) -> None:
    fact = cancelled("Grüße")

    async with cloud.running(NOWHERE) as running, relaying(prepared, running):
        await engine.tell(prepared, [fact])

        assert (await queues.next()).body == encode_fact(fact, "")


async def test_a_relay_that_dies_after_publishing_leaves_its_events_to_the_next(
    engine: Engine,
    prepared: Database,
    cloud: Cloud,
    queues: Queues,
) -> None:
    fact, stop = cancelled(), asyncio.Event()
    await engine.tell(prepared, [fact])

    async with cloud.running(NOWHERE) as running:
        with pytest.raises(KeyError):
            async with topic(running) as orders, prepared.lead(stop) as outbox:
                assert outbox
                async with outbox.claim(10) as events:
                    await orders.publish(events)
                    raise KeyError  # as if killed: nothing is committed
        async with relaying(prepared, running):
            ids = [CloudEvent.decode((await queues.next()).body).id for _ in range(2)]

    assert ids == [str(fact.id())] * 2  # the inbox of whoever hears it knows the second
    assert await told(prepared) == []


async def test_while_event_grid_is_away_facts_wait_and_then_flow(
    engine: Engine,
    prepared: Database,
    cloud: Cloud,
    queues: Queues,
) -> None:
    async with cloud.running(NOWHERE) as running:
        gone = running
    facts = [cancelled() for _ in range(3)]
    async with topic(gone) as orders:
        with pytest.raises(Unavailable):
            await orders.publish([encode_fact(facts[0], "")])

    await engine.tell(prepared, facts)
    assert len(await told(prepared)) == 3
    async with cloud.running(NOWHERE) as running, relaying(prepared, running):
        assert len(await arrived(queues, 3)) == 3


async def test_while_event_grid_is_away_it_is_tried_less_and_less_often(
    engine: Engine, prepared: Database, cloud: Cloud
) -> None:
    async with cloud.running(NOWHERE) as running:
        gone = running
    await engine.tell(prepared, [cancelled()])

    def failures() -> list[int]:
        return [line["failures"] for line in logs if line["event"] == "relay.interrupted"]

    with capture_logs() as logs:
        async with relaying(prepared, gone):
            await so(lambda: len(failures()) >= 4)

    assert failures()[:4] == [1, 2, 3, 4]


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp's, of what the SDK gives it
async def test_poison_is_parked_with_its_reason_and_the_others_pass(
    postgres: Engine,
    database: Postgres,
    cloud: Cloud,
    queues: Queues,
) -> None:
    await database.migrate("none", "")
    good, poison = [cancelled(), cancelled()], cancelled("x" * 1_100_000)

    async with cloud.running(NOWHERE) as running, relaying(database, running):
        await postgres.tell(database, [good[0], poison, good[1]])
        subjects = await arrived(queues, 2)

    assert set(subjects) == {str(fact.order_id) for fact in good}
    assert await told(database) == []
    (parked,) = await postgres.parked(database)
    assert parked.reason.startswith("413")
    assert CloudEvent.decode(parked.event).id == str(poison.id())


async def test_what_is_parked_is_kept_with_its_reason(engine: Engine, prepared: Database) -> None:
    async with prepared.lead(asyncio.Event()) as outbox:
        assert outbox
        await outbox.park(b'{"id": "1"}', "400: no")
        await outbox.forget()

    assert await engine.parked(prepared) == [(b'{"id": "1"}', "400: no")]


async def test_of_two_relays_one_leads_and_the_other_takes_over(
    engine: Engine,
    prepared: Database,
    cloud: Cloud,
    queues: Queues,
) -> None:
    first, later = [cancelled() for _ in range(50)], [cancelled() for _ in range(50)]

    async with cloud.running(NOWHERE) as running, relaying(prepared, running):
        async with relaying(prepared, running):
            await engine.tell(prepared, first)
            seen = await arrived(queues, 50)
        await engine.tell(prepared, later)
        seen += await arrived(queues, 50)

    assert sorted(seen) == sorted(str(fact.order_id) for fact in first + later)
    assert queues.received.empty()


@pytest.mark.parametrize("answer_lost", [False, True])
async def test_a_relay_whose_connection_breaks_leads_again(
    engine: Engine, cloud: Cloud, queues: Queues, answer_lost: bool
) -> None:
    facts = [cancelled() for _ in range(3)]
    async with engine.fresh() as url, engine.connect(url) as direct, Wire.before(url) as (wire, through):
        await direct.migrate("none", "")
        async with engine.connect(through) as wired, cloud.running(NOWHERE) as running, relaying(wired, running):
            await engine.tell(direct, facts[:1])
            seen = set(await arrived(queues, 1))

            wire.cut_at(1, answer_lost=answer_lost)
            await so(lambda: wire.is_cut)
            await engine.tell(direct, facts[1:])
            wire.heal()

            while len(seen) < len(facts):  # the first may come again
                seen |= set(await arrived(queues, 1))
    assert seen == {str(fact.order_id) for fact in facts}


async def test_a_relay_that_does_not_lead_stops_when_it_is_told(prepared: Database) -> None:
    stop, other = asyncio.Event(), asyncio.Event()
    other.set()

    async with prepared.lead(stop) as leading, prepared.lead(other) as following:
        assert leading is not None
        assert following is None
