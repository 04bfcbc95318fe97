"""Counts what a database is asked to do."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class CountedTable:
    """A TableClient that counts: point reads, queries, transactions, and the entities and bytes that they write."""

    client: Any
    counts: Counter[str] = field(default_factory=Counter)

    async def get_entity(self, *key: str) -> Any:
        self.counts["point_reads"] += 1
        return await self.client.get_entity(*key)

    def query_entities(self, *asked: Any, **options: Any) -> AsyncIterator[Any]:
        self.counts["queries"] += 1  # none of the pages here goes on
        found: AsyncIterator[Any] = self.client.query_entities(*asked, **options)
        return found

    async def submit_transaction(self, operations: Sequence[tuple[Any, ...]]) -> Any:
        written = await self.client.submit_transaction(operations)
        self.counts["transactions"] += 1
        self.counts["entities_written"] += len(operations)
        for kind, entity, *_ in operations:
            if kind == "create" and not entity["RowKey"].startswith("x|"):  # a fact stays for a moment only
                self.counts["bytes_kept"] += sum(len(part) for part in entity.values())
        return written
