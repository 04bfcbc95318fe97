"""The statements of orders in PostgreSQL."""

from collections.abc import Mapping

from services.orders.domain import UNQUOTED
from services.orders.store.entries import split
from services.orders.transitions import Status

# Many at once, each by itself: what an order relied on is looked at again where it is written. The cached prices must
# still hold, the buyer must be active, and the key must be new; else nothing of that order is written. The line of the
# buyer stays locked until the commit, so that nobody is erased meanwhile. All processes take keys in the same order.
# Each (SELECT $n) hides from the planner how many there are, so that it needs no plan for each number; LATERAL and
# LIMIT are one look into the index for each.
PLACE = """
WITH asked AS MATERIALIZED (
    SELECT id, customer_id, currency, total, lines, placed_at, key, fingerprint, answer, event, place
    FROM unnest((SELECT $1::uuid[]), (SELECT $2::uuid[]), (SELECT $3::text[]), (SELECT $4::bigint[]),
                (SELECT $5::text[]), (SELECT $6::timestamptz[]), (SELECT $7::text[]), (SELECT $8::bytea[]),
                (SELECT $9::bytea[]), (SELECT $10::bytea[]))
    WITH ORDINALITY AS a (id, customer_id, currency, total, lines, placed_at, key, fingerprint, answer, event, place)
), first AS (
    INSERT INTO idempotency (customer_id, key, fingerprint, order_id, answer, at)
    SELECT a.customer_id, a.key, a.fingerprint, a.id, a.answer, a.placed_at
    FROM asked a, LATERAL (
        SELECT status FROM directory WHERE customer_id = a.customer_id LIMIT 1 FOR SHARE
    ) buyer
    WHERE buyer.status = 'active' AND a.id NOT IN (
        SELECT r.order_id
        FROM unnest((SELECT $11::uuid[]), (SELECT $12::uuid[]), (SELECT $13::bigint[]))
        AS r (order_id, product_id, version)
        LEFT JOIN LATERAL (SELECT listed, version FROM price_list WHERE product_id = r.product_id LIMIT 1) p ON true
        WHERE p.version IS DISTINCT FROM r.version OR NOT p.listed
    )
    ORDER BY a.customer_id, a.key
    ON CONFLICT DO NOTHING
    RETURNING order_id
), placed AS (
    INSERT INTO orders (id, customer_id, status, currency, total, lines, version, placed_at)
    SELECT a.id, a.customer_id, 'placed', a.currency, a.total, a.lines::jsonb, 1, a.placed_at
    FROM first f JOIN asked a ON a.id = f.order_id
), noted AS (
    INSERT INTO history (order_id, version, status, at)
    SELECT a.id, 1, 'placed', a.placed_at FROM first f JOIN asked a ON a.id = f.order_id
), told AS (
    INSERT INTO outbox (event) SELECT a.event FROM first f JOIN asked a ON a.id = f.order_id ORDER BY a.place
)
SELECT order_id FROM first
"""
BUYER = "SELECT status FROM directory WHERE customer_id = $1"

# Named, here and in all stores: a column that the next version adds must not change what this one gets.
COLUMNS = """id, customer_id, status, currency, lines, reason, version, placed_at, payment, fulfilment, carrier,
    tracking, payment_refusal"""
ORDER = f"SELECT {COLUMNS} FROM orders WHERE id = $1"  # noqa: S608  constant texts
# Spelled out, so that the indexes for a few orders among many are found.
IN: Mapping[Status | None, str] = {None: ""} | {
    status: "status = '{}' AND fulfilment = '{}' AND".format(*split(status)) for status in Status
}

CHANGE = """
WITH changed AS (
    UPDATE orders
    SET status = $2, fulfilment = $3, payment = $4, reason = $5, carrier = $6, tracking = $7,
        payment_refusal = $8, version = $9
    WHERE id = $1
)
INSERT INTO history (order_id, version, status, at, reason) SELECT $1, $9, $2, $10, $5 WHERE $11
"""
NOTE = """
INSERT INTO timeline (order_id, mark, kind, name, attempt, version, at, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
"""
_LINES = """
SELECT mark, kind, name, at, attempt, reason, version FROM (
    SELECT '' AS mark, 'told' AS kind, 'order-' || status AS name, at, 1 AS attempt, reason, version
    FROM history WHERE order_id = $1
    UNION ALL
    SELECT mark COLLATE "C", kind, name, at, attempt, reason, version FROM timeline WHERE order_id = $1
) AS line
"""
TIMELINE = f"{_LINES} WHERE (at, version, mark) > ($2, $3, $4) ORDER BY at, version, mark LIMIT $5"
TOLD = f"{_LINES} WHERE kind = 'told' ORDER BY version"
# By a statement of its own: what others have written about these orders until then is seen by the next one only.
LOCK_OF_CUSTOMER = "SELECT id FROM orders WHERE customer_id = $1 AND placed_at <= $2 ORDER BY id FOR UPDATE"
DISOWN = f"""
WITH disowned AS (
    UPDATE orders SET customer_id = $2, reason = '', carrier = '', tracking = '', version = version + 1,
        payment_refusal = CASE payment_refusal WHEN '' THEN '' ELSE '{UNQUOTED}' END
    WHERE customer_id = $1 AND placed_at <= $3 RETURNING id
), hushed AS (
    UPDATE history SET reason = '' FROM disowned WHERE order_id = id
)
UPDATE timeline SET reason = '' FROM disowned WHERE order_id = id
"""  # noqa: S608  constant texts

KNOW_CUSTOMER = """
INSERT INTO directory AS known (customer_id, status, version) VALUES ($1, $2, $3)
ON CONFLICT (customer_id) DO UPDATE SET status = excluded.status, version = excluded.version
WHERE known.version < excluded.version
"""
NOTE_PRICE = """
INSERT INTO price_list AS known (product_id, sku, name, price, currency, version, listed, tax_rate)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (product_id) DO UPDATE SET (sku, name, price, currency, version, listed, tax_rate) =
    (excluded.sku, excluded.name, excluded.price, excluded.currency, excluded.version, excluded.listed,
     excluded.tax_rate)
WHERE known.version < excluded.version
"""
PRICES = """
SELECT product_id, sku, name, price, currency, version, tax_rate
FROM price_list WHERE product_id = ANY($1::uuid[]) AND listed
"""
