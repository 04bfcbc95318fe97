"""Lists and counts of products in PostgreSQL: one statement each, put together from constant texts."""

from collections.abc import Sequence
from typing import Any

from asyncpg import Record

from services.catalog.store import MOST_RANKED, Position, Sort, Tally, Wanted
from services.catalog.store.postgres_products import COLUMNS, quoted

FEW = 5000  # products that have what is sought are all looked at; where more have, one walks along the order

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

# Which way is short is not known before: of what begins with a word the planner always expects as many. Where few fit,
# the index of terms says which. Where many do, they are found by walking along the order: CASE hides the index from the
# planner, and lets it expect many.
_SOUGHT = """
WITH few AS MATERIALIZED (
    SELECT p.id, p.name, p.price, p.version, p.terms FROM products p {stock}
    WHERE p.terms @@ {terms}::tsquery AND {where} LIMIT {few:d} + 1
), chosen AS (
    (SELECT p.id, {key} AS sorted_by FROM few p
     WHERE (SELECT count(*) <= {few:d} FROM few) ORDER BY {order} LIMIT {most:d})
    UNION ALL
    (SELECT p.id, {key} FROM products p {stock}
     WHERE (SELECT count(*) > {few:d} FROM few) AND CASE WHEN p.terms @@ {terms}::tsquery THEN true END
       AND {where}
     ORDER BY {order} LIMIT {most:d})
), page AS (
    SELECT id, sorted_by FROM chosen WHERE {further} ORDER BY sorted_by {direction}, id {direction} LIMIT {limit:d}
)
SELECT {columns}, page.sorted_by
FROM page JOIN products p ON p.id = page.id JOIN stock s ON s.product_id = p.id
ORDER BY page.sorted_by {direction}, p.id {direction}
"""

# Each product once for each category that it is in or below. One stands for all that are in the same categories.
_COUNTS = """
WITH RECURSIVE above (category_id, ancestor) AS (
    SELECT id, id FROM categories
    UNION SELECT a.category_id, c.parent_id FROM above a JOIN categories c ON c.id = a.ancestor
    WHERE c.parent_id IS NOT NULL
), found AS (
    SELECT min(p.id::text)::uuid AS one, count(*)::bigint AS products
    FROM products p {stock} WHERE {where} GROUP BY p.category_id, p.more_categories
), within AS (
    SELECT DISTINCT a.ancestor, f.one, f.products
    FROM found f JOIN product_categories l ON l.product_id = f.one JOIN above a ON a.category_id = l.category_id
)
SELECT NULL::uuid AS category_id, coalesce(sum(products), 0)::bigint AS products FROM found
UNION ALL
SELECT ancestor, sum(products)::bigint FROM within GROUP BY ancestor
"""


class Parameters(list[Any]):
    def mark(self, value: Any) -> str:
        """Where it stands in the statement."""
        self.append(value)
        return f"${len(self)}"


def listing(
    wanted: Wanted, sort: Sort, after: Position | None, limit: int, *, ranked: int = MOST_RANKED, few: int = FEW
) -> tuple[str, list[Any]]:
    """The statement and its parameters; `sorted_by` is what `position` needs."""
    values = Parameters()
    where, terms = " AND ".join(_where(wanted, values)), _terms(wanted)
    key, beyond, direction = _sorted(wanted, sort, values)
    marks = f"({values.mark(after.value)}, {values.mark(after.id)})" if after else ""
    onwards = f"({key}, p.id) {beyond} {marks}" if after else "true"
    order = f"{key} {direction}, p.id {direction}"
    if not terms:
        sql = f"""SELECT {COLUMNS}, {key} AS sorted_by
            FROM products p JOIN stock s ON s.product_id = p.id
            WHERE {where} AND {onwards} ORDER BY {order} LIMIT {limit:d}"""  # noqa: S608  constant texts
        return sql, values
    chosen = {"where": f"{where} AND {onwards}", "order": order, "most": limit, "further": "true"}
    if sort is Sort.RELEVANCE:
        further = f"(sorted_by, id) {beyond} {marks}" if after else "true"
        chosen = {"where": where, "order": "p.id DESC", "most": ranked, "further": further}
    shown = {"columns": COLUMNS, "key": key, "direction": direction, "limit": limit}
    sql = _SOUGHT.format(terms=values.mark(terms), stock=_stock(wanted), few=few, **chosen, **shown)
    return sql, values


def position(sort: Sort, row: Record) -> Position:
    value = row["sorted_by"]
    return Position(sort, str(value) if sort is Sort.NEWEST else value, row["id"])


def counting(wanted: Wanted) -> tuple[str, list[Any]]:
    values = Parameters()
    conditions = _where(wanted, values)
    if terms := _terms(wanted):
        conditions.append(f"p.terms @@ {values.mark(terms)}::tsquery")
    return _COUNTS.format(stock=_stock(wanted), where=" AND ".join(conditions)), values


def counts_of(rows: Sequence[Record]) -> Tally:
    found = {row["category_id"]: row["products"] for row in rows}
    return Tally(found.pop(None), found)


def _where(wanted: Wanted, values: Parameters) -> list[str]:
    conditions = ["NOT p.deleted"]
    for name, condition in _FILTERS.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(condition.format(values.mark(value)))
    if wanted.words is not None and not wanted.words:
        conditions.append("false")
    return conditions


def _terms(wanted: Wanted) -> str:
    """A tsquery; empty where nothing is sought."""
    begun = [f"{quoted(word)}:*" for word in wanted.words or ()]
    return " & ".join([*begun, *map(quoted, wanted.attributes)])


def _stock(wanted: Wanted) -> str:
    """Where it is asked for."""
    return "" if wanted.in_stock is None else "JOIN stock s ON s.product_id = p.id"


def _sorted(wanted: Wanted, sort: Sort, values: Parameters) -> tuple[str, str, str]:
    """What it is sorted by, what comes after that, and the direction."""
    if sort is not Sort.RELEVANCE:
        return _SORTS[sort]
    words = [quoted(word) for word in wanted.words or ()]
    points = [_POINTS.format(values.mark(f"{word}:A"), values.mark(f"{word}:*A"), values.mark(word)) for word in words]
    return f"({' + '.join(points) or 'p.version - p.version'})", *_BY_POINTS
