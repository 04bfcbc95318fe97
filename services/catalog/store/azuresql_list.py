"""Lists and counts of products in Azure SQL: one statement each, put together from constant texts."""

from typing import Any
from uuid import UUID

from libs.common.azuresql import Row
from services.catalog.domain import MOST_CATEGORIES
from services.catalog.store import MOST_RANKED, Position, Sort, Tally, Wanted
from services.catalog.store.azuresql_products import COLUMNS

# What it is sorted by, what comes after that, and the whole order: SQL Server refuses a column that is named twice.
_SORTS = {
    Sort.NEWEST: ("p.id", "<", "p.id DESC"),
    Sort.NAME: ("p.name_key", ">", "p.name_key, p.id"),
    Sort.PRICE: ("p.price", ">", "p.price, p.id"),
    Sort.PRICE_DOWN: ("p.price", "<", "p.price DESC, p.id DESC"),
    Sort.RELEVANCE: ("r.points", "<", "r.points DESC, p.id DESC"),
}

# In place of where products come from, where they are sorted by relevance.
_RANKED = """
FROM (SELECT p.id, {points} AS points {found} ORDER BY p.id DESC OFFSET 0 ROWS FETCH NEXT ? ROWS ONLY) AS r
JOIN products AS p ON p.id = r.id JOIN stock AS s ON s.product_id = p.id WHERE p.deleted = 0
"""

# Put before the list where a category is asked for. There is no circle, and no path longer than there are categories.
_BELOW = """
below AS (
    SELECT id FROM categories WHERE id = ?
    UNION ALL SELECT c.id FROM categories AS c JOIN below AS b ON c.parent_id = b.id
)
"""

# search.points of one word; what has no such term is not there. Words are letters and digits: nothing to escape.
_POINTS = """
JOIN (
    SELECT t.product_id, MAX(2 * t.weight - CASE WHEN t.term = ? THEN 0 ELSE 1 END) AS points
    FROM product_terms AS t WHERE t.term LIKE ? GROUP BY t.product_id
) AS w{number} ON w{number}.product_id = p.id
"""

# Added to the list's WHERE where it is asked for.
_FILTERS = {
    "category": """EXISTS (
        SELECT 1 FROM product_categories AS l JOIN below AS b ON b.id = l.category_id WHERE l.product_id = p.id
    )""",
    "min_price": "p.price >= ?",
    "max_price": "p.price <= ?",
    "in_stock": "CASE WHEN s.on_hand > 0 THEN 1 ELSE 0 END = ?",
    "status": "p.status = ?",
}
_HAS = "EXISTS (SELECT 1 FROM product_terms AS a WHERE a.product_id = p.id AND a.term = ?)"
_NOTHING = "1 = 0"

# Each product once for each category that it is in or below. One stands for all in the same categories, and is known by
# its SKU, which no other has. A list of ten is not longer than that; nvarchar(max) would have more memory set aside.
_COUNTS = """
WITH above AS (
    SELECT id AS category_id, id AS ancestor FROM categories
    UNION ALL
    SELECT a.category_id, c.parent_id FROM above AS a JOIN categories AS c ON c.id = a.ancestor
    WHERE c.parent_id IS NOT NULL
), {below}found AS (
    SELECT MIN(p.sku) AS sku, COUNT(*) AS products {found}
    GROUP BY p.category_id, CAST(p.more_categories AS nvarchar(400))
), within_each AS (
    SELECT DISTINCT a.ancestor, f.sku, f.products
    FROM found AS f
    JOIN products AS p ON p.sku = f.sku AND p.deleted = 0
    JOIN product_categories AS l ON l.product_id = p.id
    JOIN above AS a ON a.category_id = l.category_id
)
SELECT CAST(NULL AS binary(16)) AS category_id, SUM(products) AS products FROM found
UNION ALL
SELECT w.ancestor, SUM(w.products) FROM within_each AS w GROUP BY w.ancestor
OPTION (MAXRECURSION {most})
"""


def listing(
    wanted: Wanted, sort: Sort, after: Position | None, limit: int, *, ranked: int = MOST_RANKED
) -> tuple[str, list[Any]]:
    """The statement and its parameters; `sorted_by` is what `position` needs."""
    below, found, values = _found(wanted)
    key, beyond, order = _SORTS[sort]
    further = ""
    if sort is Sort.RELEVANCE:
        found, values = _RANKED.format(points=_points(wanted), found=found), [*values, ranked]
    if after:
        # SQL Server can't compare rows. The first of the three is redundant, and where it begins to read.
        further = f"AND {key} {beyond}= ? AND ({key} {beyond} ? OR p.id {beyond} ?)"
        value = after.id.bytes if sort is Sort.NEWEST else after.value
        values += [value, value, after.id.bytes]
    sql = f"""{f"WITH {below}" if below else ""}
        SELECT {COLUMNS}, {key} AS sorted_by
        {found} {further}
        ORDER BY {order} OFFSET 0 ROWS FETCH NEXT ? ROWS ONLY
        OPTION (MAXRECURSION {MOST_CATEGORIES})"""
    return sql, [*values, limit]


def position(sort: Sort, row: Row) -> Position:
    product_id = UUID(bytes=row.id)
    return Position(sort, str(product_id) if sort is Sort.NEWEST else row.sorted_by, product_id)


def counting(wanted: Wanted) -> tuple[str, list[Any]]:
    below, found, values = _found(wanted)
    return _COUNTS.format(below=f"{below}, " if below else "", found=found, most=MOST_CATEGORIES), values


def counts_of(rows: list[Row]) -> Tally:
    found = {row.category_id: row.products for row in rows}
    total = int(found.pop(None) or 0)  # SUM makes decimals of a bigint in some dialects, and nothing of nothing
    return Tally(total, {UUID(bytes=category_id): int(products) for category_id, products in found.items()})


def _found(wanted: Wanted) -> tuple[str, str, list[Any]]:
    """What comes before, where they come from and which they are, and the parameters of both."""
    below, joins, conditions = "", list[str](), ["p.deleted = 0"]
    values = list[Any]()
    if wanted.category is not None:
        below, values = _BELOW, [wanted.category.bytes]
    for number, word in enumerate(wanted.words or ()):
        joins.append(_POINTS.format(number=number))
        values += [word, f"{word}%"]
    for name, condition in _FILTERS.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(condition)
            values += [] if name == "category" else [int(value) if isinstance(value, bool) else value]
    conditions += [_HAS] * len(wanted.attributes)
    values += wanted.attributes
    if wanted.words is not None and not wanted.words:
        conditions.append(_NOTHING)
    tables = f"FROM products AS p JOIN stock AS s ON s.product_id = p.id {' '.join(joins)}"
    return below, f"{tables} WHERE {' AND '.join(conditions)}", values


def _points(wanted: Wanted) -> str:
    return " + ".join(f"w{number}.points" for number in range(len(wanted.words or ()))) or "0"
