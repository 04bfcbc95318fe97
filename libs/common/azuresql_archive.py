"""All that a service keeps in Azure SQL."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from libs.common.archive import PAGE, Page, Row
from libs.common.azuresql import AzureSql, Transaction
from libs.common.azuresql import Row as Found
from libs.common.azuresql_rows import insertion, selection

PROGRESS = "SELECT what, reached FROM copying"
FORGET = "DELETE FROM copying WHERE what = ?"
NOTE = "INSERT INTO copying (what, reached) VALUES (?, ?)"

_rows = msgspec.json.Encoder(uuid_format="hex")


@dataclass(frozen=True, slots=True)
class AzureSqlArchive:
    database: AzureSql
    most: int = PAGE  # rows of a page

    async def count(self, kind: type[Row]) -> int:
        (found,) = await self.database.fetch(f"SELECT COUNT(*) AS total FROM {kind.table}")  # noqa: S608  a constant
        return int(found.total)

    async def page(self, kind: type[Row], after: str) -> Page:
        sql, values = selection(kind, after)
        rows = await self.database.fetch(sql, self.most, *values)
        return Page.of([_row(kind, row) for row in rows])

    async def progress(self) -> dict[str, str]:
        return {row.what: row.reached for row in await self.database.fetch(PROGRESS)}

    async def note(self, what: str, reached: str) -> None:
        await self.database.transact(lambda tx: _note(tx, what, reached))

    async def write(self, kind: type[Row], page: Page) -> None:
        """One statement: what refers to another row of the page is looked at when all are there."""
        sql = insertion(kind)
        text = _rows.encode([_sent(row) for row in page.rows]).decode()

        def work(tx: Transaction) -> None:
            tx.execute(sql, text)
            _note(tx, kind.table, page.reached)

        await self.database.transact(work)

    async def finish(self) -> None:
        await self.database.transact(lambda tx: tx.execute("DELETE FROM copying"))


def _note(tx: Transaction, what: str, reached: str) -> None:
    tx.execute(FORGET, what)
    tx.execute(NOTE, what, reached)


def _sent(row: Row) -> dict[str, Any]:
    return {name: _in_json(value) for name, value in row.to_columns().items()}


def _in_json(value: Any) -> Any:
    """What COLUMNS expects."""
    match value:
        case bytes():
            return value.hex()
        case bool():
            return int(value)
    return value


def _row(kind: type[Row], found: Found) -> Row:
    columns = {name: (getattr(found, name), column) for name, column in kind.columns().items()}
    return kind.from_columns({name: _of_bytes(value, column) for name, (value, column) in columns.items()})


def _of_bytes(value: Any, column: type) -> Any:
    return UUID(bytes=value) if column is UUID and value is not None else value
