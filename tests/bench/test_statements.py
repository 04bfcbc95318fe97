"""What the benchmark fills in is what a service finds, and its statements do what a request does."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from bench import statements
from bench.filling import BUYERS, CUSTOMERS, ORDERS, PRICES, PRODUCTS, fill, known, sweep
from bench.statements import PAGE, Placing
from libs.common.postgres import Postgres
from services.catalog import store as catalog
from services.catalog.store import Sort, Wanted
from services.orders import store as orders
from services.orders.store import Sought
from services.orders.store.postgres_statements import PLACE
from tests.engines import Engine
from tests.engines.fixtures import connect

pytestmark = pytest.mark.real

FEW = 220


@dataclass(frozen=True)
class Filled:
    url: str
    database: Postgres


@pytest.fixture
async def ordered(postgres: Engine) -> AsyncIterator[Filled]:
    async with postgres.fresh() as url, connect(url) as database:
        await orders.migrate(database)
        await fill(url, PRICES, 1, statements.PRODUCTS)
        await fill(url, CUSTOMERS, 1, BUYERS)
        yield Filled(url, database)


async def test_products_are_listed_searched_and_read_as_if_a_service_had_made_them(postgres: Engine) -> None:
    async with postgres.fresh() as url, connect(url) as database:
        await catalog.migrate(database)
        await fill(url, PRODUCTS, 1, FEW)
        store = await catalog.open_store(database)

        newest = await store.page(Wanted(), Sort.NEWEST, None, PAGE)
        found = await store.page(Wanted(words=["green", "mu"]), Sort.RELEVANCE, None, PAGE)
        product = await store.read(known(FEW))

    assert [each.id for each in newest.products] == [known(number) for number in range(FEW, FEW - PAGE, -1)]
    assert {each.details.name.rpartition(" ")[0] for each in found.products} == {"green mug"}
    assert product.in_stock


async def test_an_order_is_placed_by_the_bare_statement(ordered: Filled) -> None:
    parameters = Placing(b"{}", random.Random(1)).parameters()
    (order_id,), (buyer,) = parameters[:2]

    (row,) = await ordered.database.fetch(PLACE, *parameters)

    assert row["order_id"] == order_id
    assert (await (await orders.open_store(ordered.database)).read(order_id)).customer_id == buyer


async def test_an_order_is_placed_by_the_script_of_pgbench(ordered: Filled) -> None:
    script = statements.placing_script(b"{}")

    *variables, statement = script.strip().split("\n")
    for line in variables:
        _, name, low, _ = line.replace("random(", "").replace(",", "").split()
        statement = statement.replace(f":{name}", low)
    (row,) = await ordered.database.fetch(statement)

    assert (await (await orders.open_store(ordered.database)).read(row["order_id"])).total == 2002


async def test_old_orders_are_listed_for_their_customers_and_swept_away(ordered: Filled) -> None:
    await fill(ordered.url, ORDERS, 1, 2 * BUYERS, statements.lines())
    store = await orders.open_store(ordered.database)

    mine = await store.page(Sought(known(1)), None, PAGE)
    await sweep(ordered.url)

    assert [order.status for order in mine] == ["confirmed", "confirmed"]
    assert [order.lines for order in mine] == [statements.an_order().lines] * 2
    assert await store.page(Sought(), None, PAGE) == []


def test_no_parameter_is_left_in_a_script() -> None:
    for script in (statements.placing_script(b"{}"), statements.reading_script(), statements.listing_script()):
        assert "$" not in script


def test_ids_sort_by_their_numbers_and_are_of_version_7() -> None:
    assert [known(1), known(2)] == sorted([known(2), known(1)])
    assert known(1).version == UUID(int=known(1).int).version == 7
