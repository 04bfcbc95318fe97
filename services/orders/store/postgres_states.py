"""How many orders are in each state, in PostgreSQL."""

from libs.common.postgres import Postgres
from services.orders.store import StateCount
from services.orders.store.entries import joined

STATES = """
SELECT status, fulfilment, count(*) AS count, min(placed_at) AS oldest
FROM (SELECT status, fulfilment, placed_at FROM orders ORDER BY id DESC LIMIT $1) AS newest
GROUP BY status, fulfilment
"""


async def states(database: Postgres, newest: int) -> list[StateCount]:
    rows = await database.fetch(STATES, newest)
    return [StateCount(joined(row["status"], row["fulfilment"]), row["count"], row["oldest"]) for row in rows]
