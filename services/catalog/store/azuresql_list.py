"""The list of products in Azure SQL: one statement, put together from constant texts."""

import re
from typing import Any
from uuid import UUID

from services.catalog.domain import MOST_CATEGORIES
from services.catalog.store import Position, Sort, Wanted

COLUMNS = """
p.id, p.sku, p.name, p.description, p.price, p.currency, p.category_id, p.opening_stock, p.media, p.version, p.deleted
"""

# What it is sorted by, what comes after that, and the whole order: SQL Server refuses a column that is named twice.
_SORTS = {
    Sort.NEWEST: ("p.id", "<", "p.id DESC"),
    Sort.NAME: ("p.name_key", ">", "p.name_key, p.id"),
    Sort.PRICE: ("p.price", ">", "p.price, p.id"),
    Sort.PRICE_DOWN: ("p.price", "<", "p.price DESC, p.id DESC"),
}

# Put before the list where a category is asked for. There is no circle, and no path longer than there are categories.
_BELOW = """
WITH below AS (
    SELECT id FROM categories WHERE id = ?
    UNION ALL SELECT c.id FROM categories AS c JOIN below AS b ON c.parent_id = b.id
)
"""

# Added to the list's WHERE where it is asked for. The text that the driver sends has the database's collation: LOWER in
# that could be another than in the column's (a Turkish I).
_FILTERS = {
    "q": r"p.name_key LIKE LOWER(? COLLATE Latin1_General_100_BIN2) ESCAPE '\'",
    "min_price": "p.price >= ?",
    "max_price": "p.price <= ?",
    "in_stock": "CASE WHEN s.on_hand > 0 THEN 1 ELSE 0 END = ?",
}


def listing(wanted: Wanted, sort: Sort, after: Position | None, limit: int) -> tuple[str, list[Any]]:
    """The statement and its parameters; `sorted_by` is what `position` needs."""
    below, conditions, values = _where(wanted)
    key, beyond, order = _SORTS[sort]
    if after:
        # SQL Server can't compare rows. The first of the three is redundant, and where it begins to read.
        conditions.append(f"{key} {beyond}= ? AND ({key} {beyond} ? OR p.id {beyond} ?)")
        value = after.id.bytes if sort is Sort.NEWEST else after.value
        values += [value, value, after.id.bytes]
    sql = f"""{below}
        SELECT {COLUMNS}, s.on_hand, {key} AS sorted_by
        FROM products AS p JOIN stock AS s ON s.product_id = p.id
        WHERE {" AND ".join(conditions)}
        ORDER BY {order} OFFSET 0 ROWS FETCH NEXT ? ROWS ONLY
        OPTION (MAXRECURSION {MOST_CATEGORIES})"""  # noqa: S608  constant texts
    return sql, [*values, limit]


def position(sort: Sort, row: Any) -> Position:
    product_id = UUID(bytes=row.id)
    return Position(sort, str(product_id) if sort is Sort.NEWEST else row.sorted_by, product_id)


def _where(wanted: Wanted) -> tuple[str, list[str], list[Any]]:
    """What comes before the list, its conditions, and the parameters of both."""
    below, conditions, values = "", ["p.deleted = 0"], list[Any]()
    if wanted.category is not None:
        below, values = _BELOW, [wanted.category.bytes]
        conditions.append("p.category_id IN (SELECT id FROM below)")
    for name, condition in _FILTERS.items():
        value = getattr(wanted, name)
        if value is not None:
            values.append(f"%{_escaped(value)}%" if name == "q" else int(value))
            conditions.append(condition)
    return below, conditions, values


def _escaped(text: str) -> str:
    """A pattern for LIKE that matches just this; in T-SQL a bracket is special, too."""
    return re.sub(r"([\\%_\[])", r"\\\1", text)
