"""A product's stock is opened, whichever fact comes first."""

import pytest

from functions.update_inventory import update_inventory
from libs.common.errors import Malformed
from libs.common.messages import read
from libs.common.messages.catalog import OpenStock, ProductCreated, ProductDeleted, ProductUpdated
from tests.functions.surroundings import LAMP, NOON, TRACE_ID, Queue, arrived

CREATED = ProductCreated(
    product_id=LAMP, sku="L", name="Lamp", price=1, currency="EUR", opening_stock=7, version=1, at=NOON
)
UPDATED = ProductUpdated(
    product_id=LAMP, sku="L", name="Lamp", price=2, currency="EUR", opening_stock=7, version=2, at=NOON
)
DELETED = ProductDeleted(product_id=LAMP, version=3, at=NOON)


@pytest.mark.parametrize("fact", [CREATED, UPDATED], ids=["created", "updated"])
async def test_the_stock_begins_with_what_the_product_came_with_whichever_fact_is_first(
    queues: dict[str, Queue], fact: ProductCreated | ProductUpdated
) -> None:
    await update_inventory(arrived(fact), queues)

    (command,) = queues["catalog"].sent
    assert read(command, OpenStock) == OpenStock(product_id=LAMP, quantity=7)
    assert command.source == "/functions/update_inventory"
    assert command.traceparent.split("-")[1] == TRACE_ID


async def test_a_repeat_is_the_same_command_and_another_fact_another(queues: dict[str, Queue]) -> None:
    for fact in (CREATED, CREATED, UPDATED):
        await update_inventory(arrived(fact), queues)

    first, second, third = queues["catalog"].sent
    assert first.id == second.id != third.id


async def test_another_fact_fails(queues: dict[str, Queue]) -> None:
    with pytest.raises(Malformed):
        await update_inventory(arrived(DELETED), queues)

    assert queues["catalog"].sent == []
