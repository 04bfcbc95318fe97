"""All that a service keeps in Azure SQL."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.common.archive import PAGE, Page, Row
from libs.common.azuresql import AzureSql, Transaction
from libs.common.azuresql import Row as Found

# How a column travels in JSON, and what becomes of it. What is not here is JSON there, too.
AS_TEXT = ("nvarchar(max)", "n.[{name}]")
COLUMNS = {
    int: ("bigint", "n.[{name}]"),
    bool: ("bit", "n.[{name}]"),
    str: AS_TEXT,
    datetime: ("datetimeoffset(6)", "n.[{name}]"),
    UUID: ("char(32)", "CONVERT(binary(16), n.[{name}], 2)"),
    bytes: ("varchar(max)", "CONVERT(varbinary(max), n.[{name}], 2)"),
}

PROGRESS = "SELECT what, reached FROM copying"
FORGET = "DELETE FROM copying WHERE what = ?"
NOTE = "INSERT INTO copying (what, reached) VALUES (?, ?)"

_rows = msgspec.json.Encoder(uuid_format="hex")


@dataclass(frozen=True, slots=True)
class AzureSqlArchive:
    database: AzureSql
    most: int = PAGE  # rows of a page

    async def count(self, kind: type[Row]) -> int:
        (found,) = await self.database.fetch(f"SELECT COUNT(*) AS rows FROM {kind.table}")  # noqa: S608  a constant
        return int(found.rows)

    async def page(self, kind: type[Row], after: str) -> Page:
        columns, order = _names(kind.columns()), _names(kind.sorted_by)
        beyond, values = _beyond(kind, after) if after else ("", [])
        rows = await self.database.fetch(
            f"SELECT TOP ({self.most}) {columns} FROM {kind.table} {beyond} ORDER BY {order}",  # noqa: S608  constants
            *values,
        )
        return Page.of([_row(kind, row) for row in rows])

    async def progress(self) -> dict[str, str]:
        return {row.what: row.reached for row in await self.database.fetch(PROGRESS)}

    async def note(self, what: str, reached: str) -> None:
        await self.database.transact(lambda tx: _note(tx, what, reached))

    async def write(self, kind: type[Row], page: Page) -> None:
        """One statement: what refers to another row of the page is looked at when all are there."""
        sql = _insert(kind)
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


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"[{name}]" for name in names)


def _beyond(kind: type[Row], after: str) -> tuple[str, list[Any]]:
    """SQL Server can't compare rows: (a, b) > (x, y) is spelled out."""
    key, reached = kind.sorted_by, [_as_bytes(value) for value in kind.key_of(after)]
    some, values = list[str](), list[Any]()
    for number, name in enumerate(key):
        some.append(" AND ".join([*(f"[{each}] = ?" for each in key[:number]), f"[{name}] > ?"]))
        values += reached[: number + 1]
    return f"WHERE {' OR '.join(f'({each})' for each in some)}", values


def _insert(kind: type[Row]) -> str:
    columns = {name: COLUMNS.get(column, AS_TEXT) for name, column in kind.columns().items()}
    given = ", ".join(f"[{name}] {sql_type} '$.{name}'" for name, (sql_type, _) in columns.items())
    taken = ", ".join(becomes.format(name=name) for name, (_, becomes) in columns.items())
    return f"INSERT INTO {kind.table} ({_names(columns)}) SELECT {taken} FROM OPENJSON(?) WITH ({given}) AS n"  # noqa: S608


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


def _as_bytes(value: Any) -> Any:
    return value.bytes if isinstance(value, UUID) else value


def _row(kind: type[Row], found: Found) -> Row:
    columns = {name: (getattr(found, name), column) for name, column in kind.columns().items()}
    return kind.from_columns({name: _of_bytes(value, column) for name, (value, column) in columns.items()})


def _of_bytes(value: Any, column: type) -> Any:
    return UUID(bytes=value) if column is UUID and value is not None else value
