"""Lists and counts of products in PostgreSQL: one statement each, put together from constant texts."""

from collections.abc import Sequence
from typing import Any

from asyncpg import Record

from services.catalog.store import Position, Sort, Tally, Wanted
from services.catalog.store.postgres_products import COLUMNS, every, quoted

_SORTS = {
    Sort.NEWEST: ("p.id", "<", "DESC"),
    Sort.NAME: ("lower(p.name)", ">", "ASC"),
    Sort.PRICE: ("p.price", ">", "ASC"),
    Sort.PRICE_DOWN: ("p.price", "<", "DESC"),
}
_BY_POINTS = ("<", "DESC")

# search.points of one word: it is a word of the name, begins one, is a word of anything else, begins one.
_POINTS = """CASE WHEN p.terms @@ {}::tsquery THEN 4 WHEN p.terms @@ {}::tsquery THEN 3
    WHEN p.terms @@ {}::tsquery THEN 2 ELSE 1 END"""

# Added to the list's WHERE where it is asked for; {} is the parameter.
_FILTERS = {
    "category": """EXISTS (SELECT FROM product_categories l WHERE l.product_id = p.id AND l.category_id IN (
        WITH RECURSIVE below AS (
            SELECT {}::uuid AS id UNION SELECT c.id FROM categories c JOIN below b ON c.parent_id = b.id
        ) SELECT id FROM below))""",
    "min_price": "p.price >= {}",
    "max_price": "p.price <= {}",
    "in_stock": "(s.on_hand > 0) = {}",
    "status": "p.status = {}",
}

# Each product once for each category that it is in or below.
_COUNTS = """
WITH RECURSIVE above (category_id, ancestor) AS (
    SELECT id, id FROM categories
    UNION SELECT a.category_id, c.parent_id FROM above a JOIN categories c ON c.id = a.ancestor
    WHERE c.parent_id IS NOT NULL
), found AS (
    SELECT p.id FROM products p JOIN stock s ON s.product_id = p.id WHERE {where}
), within AS (
    SELECT DISTINCT a.ancestor, f.id
    FROM found f JOIN product_categories l ON l.product_id = f.id JOIN above a ON a.category_id = l.category_id
)
SELECT NULL::uuid AS category_id, count(*) AS products FROM found
UNION ALL
SELECT ancestor, count(*) FROM within GROUP BY ancestor
"""


class Parameters(list[Any]):
    def mark(self, value: Any) -> str:
        """Where it stands in the statement."""
        self.append(value)
        return f"${len(self)}"


def listing(wanted: Wanted, sort: Sort, after: Position | None, limit: int) -> tuple[str, list[Any]]:
    """The statement and its parameters; `sorted_by` is what `position` needs."""
    values = Parameters()
    conditions = _where(wanted, values)
    key, beyond, direction = _sorted(wanted, sort, values)
    if after:
        conditions.append(f"({key}, p.id) {beyond} ({values.mark(after.value)}, {values.mark(after.id)})")
    sql = f"""SELECT {COLUMNS}, {key} AS sorted_by
        FROM products p JOIN stock s ON s.product_id = p.id
        WHERE {" AND ".join(conditions)}
        ORDER BY {key} {direction}, p.id {direction} LIMIT {limit:d}"""  # noqa: S608  constant texts
    return sql, values


def position(sort: Sort, row: Record) -> Position:
    value = row["sorted_by"]
    return Position(sort, str(value) if sort is Sort.NEWEST else value, row["id"])


def counting(wanted: Wanted) -> tuple[str, list[Any]]:
    values = Parameters()
    return _COUNTS.format(where=" AND ".join(_where(wanted, values))), values


def counts_of(rows: Sequence[Record]) -> Tally:
    found = {row["category_id"]: row["products"] for row in rows}
    return Tally(found.pop(None), found)


def _where(wanted: Wanted, values: Parameters) -> list[str]:
    conditions = ["NOT p.deleted"]
    for name, condition in _FILTERS.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(condition.format(values.mark(value)))
    if wanted.words is not None or wanted.attributes:
        begun = [f"{quoted(word)}:*" for word in wanted.words or ()]
        sought = every([*begun, *map(quoted, wanted.attributes)]) if wanted.words is None or len(wanted.words) else ""
        conditions.append(f"p.terms @@ {values.mark(sought)}::tsquery")
    return conditions


def _sorted(wanted: Wanted, sort: Sort, values: Parameters) -> tuple[str, str, str]:
    """What it is sorted by, what comes after that, and the direction."""
    if sort is not Sort.RELEVANCE:
        return _SORTS[sort]
    words = [quoted(word) for word in wanted.words or ()]
    points = [_POINTS.format(values.mark(f"{word}:A"), values.mark(f"{word}:*A"), values.mark(word)) for word in words]
    return f"({' + '.join(points) or 'p.version - p.version'})", *_BY_POINTS
