"""Products in Azure SQL: how a row is read, and how many are written with what they are found by."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import msgspec

from libs.common.azuresql import ForeignKeyViolation, Row, Transaction, UniqueViolation
from libs.common.errors import NotFound
from services.catalog.bulk import unknown_categories
from services.catalog.domain import Details, Media, Product, Value
from services.catalog.search import terms
from services.catalog.store import SkuTaken
from services.catalog.store.rows import plain

MOST_AT_ONCE = 100  # are indexed anew in one commit

COLUMNS = """
p.id, p.sku, p.name, p.description, p.price, p.currency, p.category_id, p.opening_stock, p.media, p.version, p.deleted,
p.more_categories, p.attributes, p.status, p.tax_rate, s.on_hand
"""
_OF_STOCK = "JOIN stock AS s ON s.product_id = p.id"
PRODUCT = f"SELECT {COLUMNS} FROM products AS p {_OF_STOCK} WHERE p.id = ? AND p.deleted = 0"  # noqa: S608  constant texts
LOCK_PRODUCT = f"""
SELECT {COLUMNS} FROM products AS p WITH (UPDLOCK, ROWLOCK) {_OF_STOCK} WHERE p.id = ? AND p.deleted = 0
"""  # noqa: S608  constant texts
_LOCK_SAME_SKU = f"""
SELECT {COLUMNS}
FROM OPENJSON(?) WITH (sku nvarchar(64) '$.sku') AS asked
JOIN products AS p WITH (UPDLOCK, ROWLOCK) ON p.sku = asked.sku COLLATE Latin1_General_100_BIN2 {_OF_STOCK}
WHERE p.deleted = 0
ORDER BY p.id
OPTION (FORCE ORDER, LOOP JOIN, MAXDOP 1)
"""  # noqa: S608  constant texts
_LOCK_TO_INDEX = f"""
SELECT TOP (?) {COLUMNS} FROM products AS p WITH (UPDLOCK, READPAST, ROWLOCK) {_OF_STOCK}
WHERE p.indexed <> p.version
ORDER BY p.id
"""  # noqa: S608  constant texts
# They are held until the end, so that nobody deletes one meanwhile.
_SAME_CATEGORIES = """
SELECT c.id FROM OPENJSON(?) WITH (id char(32) '$.id') AS asked
JOIN categories AS c WITH (REPEATABLEREAD) ON c.id = CONVERT(binary(16), asked.id, 2)
ORDER BY c.id
"""

_ADD = """
INSERT INTO products (id, sku, name, description, price, currency, category_id, opening_stock, media, version, deleted,
                      more_categories, attributes, status, tax_rate, indexed)
SELECT CONVERT(binary(16), n.id, 2), n.sku, n.name, n.description, n.price, n.currency,
       CONVERT(binary(16), n.category_id, 2), n.opening_stock, n.media, n.version, n.deleted,
       n.more_categories, n.attributes, n.status, n.tax_rate, n.version
FROM OPENJSON(?) WITH (
    id char(32) '$.id', sku nvarchar(64) '$.sku', name nvarchar(400) '$.name',
    description nvarchar(max) '$.description', price bigint '$.price', currency varchar(3) '$.currency',
    category_id char(32) '$.category_id', opening_stock bigint '$.opening_stock', media nvarchar(max) '$.media',
    version bigint '$.version', deleted bit '$.deleted', more_categories nvarchar(max) '$.more_categories',
    attributes nvarchar(max) '$.attributes', status varchar(10) '$.status', tax_rate bigint '$.tax_rate'
) AS n;
INSERT INTO stock (product_id)
SELECT CONVERT(binary(16), n.id, 2) FROM OPENJSON(?) WITH (id char(32) '$.id') AS n;
"""
_WRITE = """
UPDATE p
SET sku = n.sku, name = n.name, description = n.description, price = n.price, currency = n.currency,
    category_id = CONVERT(binary(16), n.category_id, 2), media = n.media, version = n.version, deleted = n.deleted,
    more_categories = n.more_categories, attributes = n.attributes, status = n.status, tax_rate = n.tax_rate,
    indexed = n.version
FROM OPENJSON(?) WITH (
    id char(32) '$.id', sku nvarchar(64) '$.sku', name nvarchar(400) '$.name',
    description nvarchar(max) '$.description', price bigint '$.price', currency varchar(3) '$.currency',
    category_id char(32) '$.category_id', media nvarchar(max) '$.media',
    version bigint '$.version', deleted bit '$.deleted', more_categories nvarchar(max) '$.more_categories',
    attributes nvarchar(max) '$.attributes', status varchar(10) '$.status', tax_rate bigint '$.tax_rate'
) AS n
JOIN products AS p ON p.id = CONVERT(binary(16), n.id, 2)
WHERE p.version <= n.version
OPTION (FORCE ORDER, LOOP JOIN, MAXDOP 1);
DELETE FROM product_categories
WHERE product_id IN (SELECT CONVERT(binary(16), n.id, 2) FROM OPENJSON(?) WITH (id char(32) '$.id') AS n);
DELETE FROM product_terms
WHERE product_id IN (SELECT CONVERT(binary(16), n.id, 2) FROM OPENJSON(?) WITH (id char(32) '$.id') AS n);
"""
_INDEX = """
INSERT INTO product_categories (category_id, product_id)
SELECT CONVERT(binary(16), n.category_id, 2), CONVERT(binary(16), n.product_id, 2)
FROM OPENJSON(?) WITH (category_id char(32) '$.category_id', product_id char(32) '$.product_id') AS n;
INSERT INTO product_terms (term, product_id, weight)
SELECT n.term, CONVERT(binary(16), n.product_id, 2), n.weight
FROM OPENJSON(?) WITH (term nvarchar(400) '$.term', product_id char(32) '$.product_id', weight bigint '$.weight') AS n
"""

_media = msgspec.json.Decoder(list[Media])
_categories = msgspec.json.Decoder(tuple[UUID, ...])
_attributes = msgspec.json.Decoder(dict[str, Value])
_rows = msgspec.json.Encoder(uuid_format="hex")


def product_of(row: Row | None) -> Product:
    """Raises NotFound."""
    if row is None:
        raise NotFound
    said = Details(
        row.sku,
        row.name,
        row.description,
        row.price,
        row.currency,
        UUID(bytes=row.category_id) if row.category_id else None,
        more_categories=_categories.decode(row.more_categories),
        attributes=_attributes.decode(row.attributes),
        status=row.status,
        tax_rate=row.tax_rate,
    )
    return Product(
        id=UUID(bytes=row.id),
        details=said,
        opening_stock=row.opening_stock,
        media=_media.decode(row.media),
        version=row.version,
        deleted=row.deleted,
        in_stock=row.on_hand > 0,
    )


def add(tx: Transaction, products: Collection[Product]) -> None:
    rows = _sent(map(_row, products))
    tx.execute(f"{_ADD}{_INDEX}", rows, rows, *_index(products))


def write(tx: Transaction, products: Collection[Product]) -> None:
    rows = _sent(map(_row, products))
    tx.execute(f"{_WRITE}{_INDEX}", rows, rows, rows, *_index(products))


def lock_same_sku(tx: Transaction, products: Iterable[Product]) -> dict[str, Product]:
    skus = sorted({product.details.sku for product in products})
    found = map(product_of, tx.fetch(_LOCK_SAME_SKU, _sent({"sku": sku} for sku in skus)))
    return {product.details.sku: product for product in found}


def lock_categories(tx: Transaction, products: Iterable[Product]) -> set[UUID]:
    """Those of them that are there."""
    asked = sorted({category for product in products for category in product.details.category_ids})
    return {UUID(bytes=row.id) for row in tx.fetch(_SAME_CATEGORIES, _sent({"id": each} for each in asked))}


def index_some(tx: Transaction) -> int:
    """How many another version has written, or a copy has brought, and are found by what they say from now on."""
    products = [product_of(row) for row in tx.fetch(_LOCK_TO_INDEX, MOST_AT_ONCE)]
    if products:
        write(tx, products)
    return len(products)


@contextmanager
def refused(details: Details) -> Iterator[None]:
    try:
        yield
    except UniqueViolation as error:
        raise SkuTaken("sku", f"another product has the SKU {details.sku}") from error
    except ForeignKeyViolation as error:
        raise unknown_categories(details.category_ids) from error


def _sent(rows: Iterable[dict[str, Any]]) -> str:
    return _rows.encode(list(rows)).decode()


def _row(product: Product) -> dict[str, Any]:
    said = product.details
    return {
        **plain(product),
        "media": msgspec.json.encode(product.media).decode(),
        "deleted": int(product.deleted),
        "more_categories": msgspec.json.encode(said.more_categories).decode(),
        "attributes": msgspec.json.encode(said.attributes).decode(),
    }


def _index(products: Collection[Product]) -> tuple[str, str]:
    """Of what can be found: its categories and its terms."""
    found = [product for product in products if not product.deleted]
    categories = (
        {"category_id": each, "product_id": product.id}
        for product in found
        for each in dict.fromkeys(product.details.category_ids)
    )
    words = (
        {"term": term, "product_id": product.id, "weight": int(weight)}
        for product in found
        for term, weight in terms(product.details).items()
    )
    return _sent(categories), _sent(words)
