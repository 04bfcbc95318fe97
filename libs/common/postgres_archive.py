"""All that a service keeps in PostgreSQL."""

from dataclasses import dataclass

from libs.common.archive import PAGE, Page, Row
from libs.common.postgres import Postgres

NOTE = """
INSERT INTO copying (what, reached) VALUES ($1, $2)
ON CONFLICT (what) DO UPDATE SET reached = excluded.reached
"""


@dataclass(frozen=True, slots=True)
class PostgresArchive:
    database: Postgres
    most: int = PAGE  # rows of a page

    async def count(self, kind: type[Row]) -> int:
        (found,) = await self.database.fetch(f"SELECT count(*) AS rows FROM {kind.table}")  # noqa: S608  a constant
        return int(found["rows"])

    async def page(self, kind: type[Row], after: str) -> Page:
        columns, order = ", ".join(kind.columns()), ", ".join(kind.sorted_by)
        values = kind.key_of(after) if after else ()
        marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        where = f"WHERE ({order}) > ({marks})" if after else ""
        rows = await self.database.fetch(
            f"SELECT {columns} FROM {kind.table} {where} ORDER BY {order} LIMIT {self.most}",  # noqa: S608  constants
            *values,
        )
        return Page.of([kind.from_columns(dict(row)) for row in rows])

    async def progress(self) -> dict[str, str]:
        return {row["what"]: row["reached"] for row in await self.database.fetch("SELECT what, reached FROM copying")}

    async def note(self, what: str, reached: str) -> None:
        await self.database.fetch(NOTE, what, reached)

    async def write(self, kind: type[Row], page: Page) -> None:
        """By COPY: what refers to another row of the page is looked at when all are there."""
        records = [tuple(row.to_columns().values()) for row in page.rows]
        async with self.database.transaction() as tx:
            await tx.connection.copy_records_to_table(kind.table, records=records, columns=list(kind.columns()))
            await tx.execute(NOTE, kind.table, page.reached)

    async def finish(self) -> None:
        await self.database.fetch("DELETE FROM copying")
