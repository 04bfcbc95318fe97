"""Products in PostgreSQL: how a row is read, and how many are written with what they are found by."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import ForeignKeyViolationError, Record, UniqueViolationError

from libs.common.errors import NotFound
from libs.common.postgres import Transaction
from services.catalog.bulk import unknown_categories
from services.catalog.domain import Details, Media, Product, Value
from services.catalog.search import Terms, Weight, terms
from services.catalog.store import SkuTaken
from services.catalog.store.rows import plain

MOST_AT_ONCE = 200  # are indexed anew in one commit

_OWN = """
id, sku, name, description, price, currency, category_id, opening_stock, media, version, deleted, more_categories,
attributes, status, tax_rate
"""
COLUMNS = f"p.{', p.'.join(_OWN.split(', '))}, s.on_hand > 0 AS in_stock"
PRODUCT = f"SELECT {COLUMNS} FROM products p JOIN stock s ON s.product_id = p.id"  # noqa: S608  constant texts
# The SELECT hides from the planner how many there are, so that it needs no plan for each number; LATERAL and LIMIT are
# one look into the index for each.
READ = f"""
SELECT {COLUMNS}
FROM unnest((SELECT $1::uuid[])) AS asked (id),
    LATERAL (SELECT {_OWN} FROM products WHERE id = asked.id LIMIT 1) p,
    LATERAL (SELECT on_hand FROM stock WHERE product_id = asked.id LIMIT 1) s
WHERE NOT p.deleted
"""  # noqa: S608  constant texts

# Many are one parameter and one plan. Readers of `given` see the tables as they were before.
_GIVEN = """
WITH given AS (
    SELECT n.id, n.sku, n.name, n.description, n.price, n.currency, n.category_id, n.opening_stock, n.media, n.version,
           n.deleted, n.more_categories, n.attributes, n.status, n.tax_rate, n.terms, n.category_ids
    FROM json_to_recordset($1::json) AS n (
        id uuid, sku text, name text, description text, price bigint, currency text, category_id uuid,
        opening_stock bigint, media jsonb, version bigint, deleted boolean, more_categories jsonb, attributes jsonb,
        status text, tax_rate bigint, terms tsvector, category_ids uuid[]
    )
)"""
_ADD = f"""{_GIVEN}, added AS (
    INSERT INTO products (id, sku, name, description, price, currency, category_id, opening_stock, media, version,
                          deleted, more_categories, attributes, status, tax_rate, terms, indexed)
    SELECT id, sku, name, description, price, currency, category_id, opening_stock, media, version,
           deleted, more_categories, attributes, status, tax_rate, terms, version FROM given
), counted AS (
    INSERT INTO stock (product_id) SELECT id FROM given
)
INSERT INTO product_categories (category_id, product_id)
SELECT DISTINCT listed.category_id, given.id FROM given, unnest(given.category_ids) AS listed (category_id)
"""  # noqa: S608  constant texts
_WRITE = f"""{_GIVEN}, written AS (
    UPDATE products p
    SET sku = n.sku, name = n.name, description = n.description, price = n.price, currency = n.currency,
        category_id = n.category_id, media = n.media, version = n.version, deleted = n.deleted,
        more_categories = n.more_categories, attributes = n.attributes, status = n.status, tax_rate = n.tax_rate,
        terms = n.terms, indexed = n.version
    FROM given n WHERE p.id = n.id
), gone AS (
    DELETE FROM product_categories l USING given n
    WHERE l.product_id = n.id AND NOT l.category_id = ANY(n.category_ids)
)
INSERT INTO product_categories (category_id, product_id)
SELECT DISTINCT listed.category_id, given.id FROM given, unnest(given.category_ids) AS listed (category_id)
ON CONFLICT DO NOTHING
"""  # noqa: S608  constant texts
_TO_INDEX = f"{PRODUCT} WHERE p.indexed <> p.version ORDER BY p.id LIMIT $1 FOR UPDATE OF p SKIP LOCKED"

_media = msgspec.json.Decoder(list[Media])
_categories = msgspec.json.Decoder(tuple[UUID, ...])
_attributes = msgspec.json.Decoder(dict[str, Value])


def product_of(row: Record | None) -> Product:
    """Of COLUMNS, by their places: that is twice as fast as by their names. Raises NotFound."""
    if row is None:
        raise NotFound
    product_id, sku, name, description, price, currency, category_id, opening_stock, media, version, deleted, *more = (
        row
    )
    others, attributes, status, tax_rate, in_stock = more[:5]
    categories, said = _categories.decode(others), _attributes.decode(attributes)
    details = Details(sku, name, description, price, currency, category_id, categories, said, status, tax_rate)
    return Product(product_id, details, opening_stock, _media.decode(media), version, deleted, in_stock)


async def add(tx: Transaction, products: Iterable[Product]) -> None:
    await tx.execute(_ADD, _sent(products))


async def write(tx: Transaction, products: Iterable[Product]) -> None:
    await tx.execute(_WRITE, _sent(products))


async def index_some(tx: Transaction) -> int:
    """How many another version has written, or a copy has brought, and are found by what they say from now on."""
    products = [product_of(row) for row in await tx.fetch(_TO_INDEX, MOST_AT_ONCE)]
    if products:
        await write(tx, products)
    return len(products)


@contextmanager
def refused(details: Details) -> Iterator[None]:
    try:
        yield
    except UniqueViolationError as error:
        raise SkuTaken("sku", f"another product has the SKU {details.sku}") from error
    except ForeignKeyViolationError as error:
        raise unknown_categories(details.category_ids) from error


def _sent(products: Iterable[Product]) -> str:
    return msgspec.json.encode([_row(product) for product in products]).decode()


def _row(product: Product) -> dict[str, Any]:
    said = product.details
    return {
        **plain(product),
        "media": product.media,
        "deleted": product.deleted,
        "more_categories": said.more_categories,
        "attributes": said.attributes,
        "terms": _vector(terms(said)),
        "category_ids": () if product.deleted else said.category_ids,
    }


def _vector(found: Terms) -> str:
    """As text of type tsvector. Where in the text a term stands does not matter."""
    return " ".join(f"{quoted(term)}:1{'A' if weight is Weight.NAME else 'D'}" for term, weight in found.items())


def quoted(term: str) -> str:
    """In a tsvector or tsquery."""
    text = term.replace("\\", "\\\\").replace("'", "''")
    return f"'{text}'"
