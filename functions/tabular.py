"""Rows as CSV (RFC 4180), for people who open it in a spreadsheet: no cell is taken for a formula."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes a cell for that begins so (OWASP)


def table(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> bytes:
    """UTF-8, with a header. What is not known is empty, as is a column that a row does not have."""
    page = StringIO()
    writer = csv.writer(page, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        if strange := row.keys() - set(columns):
            raise KeyError(f"no column for {sorted(strange)}")
        writer.writerow([_cell(row.get(column)) for column in columns])
    return page.getvalue().encode()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case _:
            text = str(value)
            return f"'{text}" if text.startswith(FORMULA) else text
