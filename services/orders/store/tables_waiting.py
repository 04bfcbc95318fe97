"""Orders in Table Storage that wait to be settled: a list that each is put on when it is placed.

Who settles an order does not take it off. Whoever looks for what has waited too long does, for many at once.
"""

from contextlib import suppress
from datetime import datetime
from functools import partial
from uuid import UUID

from libs.common.abreast import of_each
from libs.common.entities import Change, Entity, Overtaken, Table
from libs.common.ids import SHARDS, first_at
from services.orders.store.tables_entities import order_row, read_order, waiting_row
from services.orders.transitions import Status

AT_ONCE = 20


async def waiting(table: Table, since: datetime, most: int) -> list[UUID]:
    """Placed before then, the oldest first."""
    below = waiting_row(first_at(since))
    found = [order_id for shard in range(SHARDS) for order_id in await _waiting_in(table, f"{shard:x}", below, most)]
    return sorted(found)[:most]


async def _waiting_in(table: Table, where: str, below: str, most: int) -> list[UUID]:
    found, first = list[UUID](), waiting_row(UUID(int=0))
    while len(found) < most and (listed := await table.range(where, first, below, AT_ONCE)):
        waits = await of_each(partial(_waits, table, where), listed, AT_ONCE)
        await _take_off(table, where, [each for each, still in zip(listed, waits, strict=True) if not still])
        found += [_id(each) for each, still in zip(listed, waits, strict=True) if still]
        first = f"{listed[-1].row}!"
    return found


async def _waits(table: Table, where: str, listed: Entity) -> bool:
    entity = await table.read(where, order_row(_id(listed)))
    return entity is not None and read_order.decode(entity.body).status is Status.PLACED


async def _take_off(table: Table, where: str, settled: list[Entity]) -> None:
    change = Change(where)
    for each in settled:
        change.delete(each)
    if settled:
        with suppress(Overtaken):  # another process takes them off, too; what is left is for the next look
            await table.submit(change)


def _id(listed: Entity) -> UUID:
    return UUID(listed.row.removeprefix("w|"))
