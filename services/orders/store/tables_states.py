"""How many orders are in each state, in Table Storage: they are read, each of them, so fewer are looked at here."""

from libs.common.abreast import of_each
from libs.common.ids import SHARDS
from libs.common.tables import Tables
from services.orders.store import StateCount
from services.orders.store.tables_entities import read_order
from services.orders.transitions import Status

MOST_COUNTED = 1600


async def states(database: Tables, newest: int) -> list[StateCount]:
    """Of each shard its share."""
    share = max(1, min(newest, MOST_COUNTED) // SHARDS)
    found = await of_each(lambda shard: database.table.range(f"{shard:x}", "o|", "o~", share), range(SHARDS), SHARDS)
    orders = [read_order.decode(entity.body) for some in found for entity in some]
    by_status = {status: [each.placed_at for each in orders if each.status is status] for status in Status}
    return [StateCount(status, len(placed), min(placed)) for status, placed in by_status.items() if placed]
