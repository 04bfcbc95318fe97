"""How many orders are in each state, in Azure SQL."""

from libs.common.azuresql import AzureSql
from services.orders.store import StateCount
from services.orders.store.entries import joined

STATES = """
SELECT status, fulfilment, COUNT(*) AS [count], MIN(placed_at) AS oldest
FROM (SELECT TOP (?) status, fulfilment, placed_at FROM orders ORDER BY id DESC) AS newest
GROUP BY status, fulfilment
"""


async def states(database: AzureSql, newest: int) -> list[StateCount]:
    rows = await database.fetch(STATES, newest)
    return [StateCount(joined(row.status, row.fulfilment), row.count, row.oldest) for row in rows]
