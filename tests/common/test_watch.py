"""What is noted of the work: of the database's, the relay's and the queue's."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from libs.common.database import Database
from libs.common.errors import Unavailable
from libs.common.measures import Measures
from libs.common.messages import CloudEvent, encode_fact
from libs.common.metrics import OTHER
from libs.common.postgres import Postgres
from libs.common.watch import DatabaseWatch, RelayWatch, timed
from tests.common.test_outbox import cancelled, relaying
from tests.engines import Engine
from tests.localcloud.eventgrid.grid import NOWHERE, Cloud, Queues
from tests.waiting import so

pytestmark = pytest.mark.real


@pytest.fixture
async def prepared(any_database: Database) -> Database:
    await any_database.migrate("none", "")
    return any_database


async def test_the_backlog_is_what_was_told_and_what_is_parked(engine: Engine, prepared: Database) -> None:
    at = datetime.now(UTC) - timedelta(minutes=5)
    facts = [cancelled(at=at + timedelta(seconds=number)) for number in range(3)]

    empty = await prepared.backlog()
    await engine.tell(prepared, facts)
    async with prepared.lead(asyncio.Event()) as outbox:
        assert outbox
        await outbox.park(b"{}", "400: no")
        await outbox.forget()
    full = await prepared.backlog()

    assert empty == (0, 0, None)
    assert (full.waiting, full.parked) == (3, 1)
    assert full.oldest == encode_fact(facts[0], "")


async def test_while_a_relay_leads_its_figures_are_there_and_afterwards_they_are_not(
    engine: Engine, prepared: Database, cloud: Cloud, queues: Queues
) -> None:
    measures = Measures()
    facts = [cancelled(at=datetime.now(UTC) - timedelta(seconds=20)) for _ in range(3)]

    async with cloud.running(NOWHERE) as running:
        async with relaying(prepared, running, RelayWatch(prepared, measures)):
            await engine.tell(prepared, facts)
            for _ in facts:
                await queues.next()
            await so(lambda: measures.outbox.read() != {})
            leading = measures.leading.read()
        told, delays = measures.facts.read(), measures.fact_delays.read()[()]

    assert (leading, measures.leading.read()) == ({(): 1}, {(): 0})
    assert told == {(facts[0].type,): 3}
    assert 60 <= delays.sum < 120
    assert measures.outbox.read() == measures.outbox_age.read() == measures.parked.read() == {}


@pytest.mark.parametrize("broken", [b"no event", b'{"specversion": "1.0"}'])
async def test_what_cannot_be_read_was_told_all_the_same(database: Postgres, broken: bytes) -> None:
    measures = Measures()

    RelayWatch(database, measures).published([broken], 0)

    assert measures.facts.read() == {(OTHER,): 1}


async def test_the_oldest_facts_age_is_how_long_it_waits(engine: Engine, prepared: Database) -> None:
    measures = Measures()
    await engine.tell(prepared, [cancelled(at=datetime.now(UTC) - timedelta(minutes=age)) for age in (9, 5, 1)])

    await RelayWatch(prepared, measures).look()

    assert measures.outbox.read()[()] == 3
    assert 540 <= measures.outbox_age.read()[()] < 600


async def test_a_defect_in_a_look_is_said_and_leaves_the_relay_alone(
    database: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    await database.migrate("none", "")
    watch = RelayWatch(database, Measures(), Blind())

    async with asyncio.timeout(10), watch.leading():
        await so(lambda: "ZeroDivisionError" in capsys.readouterr().out)


class Blind:
    def published(self, event: CloudEvent) -> None: ...

    async def look(self) -> None:
        raise ZeroDivisionError

    def blind(self) -> None: ...


async def test_what_the_database_did_is_counted_with_its_time_and_only_its_own_faults() -> None:
    measures = Measures()
    watch = DatabaseWatch("postgresql", measures)

    for error in (Unavailable("away"), KeyError("a refusal of ours")):
        with pytest.raises(type(error)), watch.operation("fetch"):
            raise error
    with watch.operation("transaction"):
        pass

    counted = {labels: each.count for labels, each in measures.operations.read().items()}
    assert counted == {
        ("postgresql", "fetch", "Unavailable"): 1,
        ("postgresql", "fetch", ""): 1,
        ("postgresql", "transaction", ""): 1,
    }


def test_what_is_timed_is_noted_with_what_ended_it() -> None:
    measures = Measures()

    with pytest.raises(KeyError), timed(measures.reactions, "a"):
        raise KeyError
    with timed(measures.reactions, "a"):
        pass

    assert {labels: each.count for labels, each in measures.reactions.read().items()} == {
        ("a", "KeyError"): 1,
        ("a", ""): 1,
    }
