"""The T-SQL that reads and writes a service's rows when they are moved; constant texts only."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.archive import Row

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


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"[{name}]" for name in names)


def selection(kind: type[Row], after: str) -> tuple[str, list[Any]]:
    """A page, and the parameters beside its size."""
    where, values = _beyond(kind, after) if after else ("", [])
    columns, order = _names(kind.columns()), _names(kind.sorted_by)
    return f"SELECT TOP (?) {columns} FROM {kind.table} {where} ORDER BY {order}", values  # noqa: S608  constants


def _beyond(kind: type[Row], after: str) -> tuple[str, list[Any]]:
    """SQL Server can't compare rows: (a, b) > (x, y) is spelled out."""
    key, reached = kind.sorted_by, [_as_bytes(value) for value in kind.key_of(after)]
    some, values = list[str](), list[Any]()
    for number, name in enumerate(key):
        some.append(" AND ".join([*(f"[{each}] = ?" for each in key[:number]), f"[{name}] > ?"]))
        values += reached[: number + 1]
    return f"WHERE {' OR '.join(f'({each})' for each in some)}", values


def insertion(kind: type[Row]) -> str:
    """Of a page, given as JSON."""
    columns = {name: COLUMNS.get(column, AS_TEXT) for name, column in kind.columns().items()}
    given = ", ".join(f"[{name}] {sql_type} '$.{name}'" for name, (sql_type, _) in columns.items())
    taken = ", ".join(becomes.format(name=name) for name, (_, becomes) in columns.items())
    return f"INSERT INTO {kind.table} ({_names(columns)}) SELECT {taken} FROM OPENJSON(?) WITH ({given}) AS n"  # noqa: S608


def _as_bytes(value: Any) -> Any:
    return value.bytes if isinstance(value, UUID) else value
