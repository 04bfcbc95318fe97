"""The payment provider as whoever sits at it sees it: its books, and what it can be told to do."""

from dataclasses import dataclass
from typing import Any

import aiohttp

# Prices: the last four digits say what happens to a payment (localcloud/payments/book.py).
DECLINED, SILENT, REPEATED, LATE_YES, LATE_NO, OPEN, BLOCKED = range(9901, 9908)


@dataclass(frozen=True, slots=True)
class Bank:
    session: aiohttp.ClientSession
    url: str

    async def movements(self, order_id: str) -> list[str]:
        """Every status that an order's payment has had."""
        async with self.session.get(f"{self.url}/book", params={"order": order_id}, raise_for_status=True) as answer:
            found: list[dict[str, Any]] = await answer.json()
        return [change.split()[0] for each in found for change in each["movements"]]

    async def settle(self, order_id: str, status: str) -> int:
        """What was pending, or is not captured yet; the answer's status."""
        async with self.session.put(f"{self.url}/book/{order_id}", json={"status": status}) as answer:
            return answer.status

    async def be_down(self, seconds: float) -> None:
        async with self.session.put(f"{self.url}/down", json={"seconds": seconds}, raise_for_status=True):
            pass
