"""The statements of orders in Azure SQL."""

from collections.abc import Mapping

from services.orders.domain import UNQUOTED
from services.orders.store.entries import split
from services.orders.transitions import Status

# What the order relied on is looked at again where it is written: the cached prices must still hold, and the buyer must
# be active. Where one is not so, there is no order, and nothing that hangs on it; the answer says which. A key that is
# not new ends the batch with an error: that is rare, and looking first would lock the range around it. The buyer's line
# stays locked until the commit, so that nobody is erased meanwhile.
PLACE = """
BEGIN TRANSACTION;
INSERT INTO orders (id, customer_id, status, currency, total, lines, version, placed_at)
SELECT ?, customer_id, 'placed', ?, ?, ?, 1, ?
FROM directory WITH (REPEATABLEREAD, ROWLOCK)
WHERE customer_id = ? AND status = 'active' AND NOT EXISTS (
    SELECT 1 FROM OPENJSON(?) WITH (product_id char(32) '$.product_id', version bigint '$.version') AS r
    WHERE NOT EXISTS (
        SELECT 1 FROM price_list AS p
        WHERE p.product_id = CONVERT(binary(16), r.product_id, 2) AND p.version = r.version AND p.listed = 1
    )
);
INSERT INTO idempotency (customer_id, [key], fingerprint, order_id, answer, at)
SELECT customer_id, ?, ?, id, ?, placed_at FROM orders WHERE id = ?;
INSERT INTO history (order_id, version, status, at) SELECT id, version, status, placed_at FROM orders WHERE id = ?;
INSERT INTO outbox (event) SELECT ? FROM orders WHERE id = ?;
COMMIT TRANSACTION;
SELECT
    (SELECT COUNT(*) FROM orders WHERE id = ?) AS placed,
    (SELECT status FROM directory WHERE customer_id = ?) AS buyer
"""
BUYER = "SELECT status FROM directory WHERE customer_id = ?"

COLUMNS = """id, customer_id, status, currency, lines, reason, version, placed_at, payment, fulfilment, carrier,
    tracking, payment_refusal"""
ORDER = f"SELECT {COLUMNS} FROM orders WHERE id = ?"  # noqa: S608  constant texts
LOCK_ORDER = f"SELECT {COLUMNS} FROM orders WITH (UPDLOCK, ROWLOCK) WHERE id = ?"  # noqa: S608  constant texts
# Spelled out, so that the indexes for a few orders among many are found.
IN: Mapping[Status | None, str] = {None: ""} | {
    status: "status = '{}' AND fulfilment = '{}' AND".format(*split(status)) for status in Status
}

CHANGE = """
UPDATE orders
SET status = ?, fulfilment = ?, payment = ?, reason = ?, carrier = ?, tracking = ?,
    payment_refusal = ?, version = ?
WHERE id = ?
"""
SETTLE = """
INSERT INTO history (order_id, version, status, at, reason)
SELECT id, version, status, ?, reason FROM orders WHERE id = ?
"""
NOTE = """
INSERT INTO timeline (order_id, mark, kind, name, attempt, version, at, reason)
SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM timeline WHERE order_id = ? AND mark = ?)
"""
_LINES = """
FROM (
    SELECT CAST('' AS nvarchar(400)) COLLATE Latin1_General_100_BIN2 AS mark, 'told' AS kind,
           CONCAT('order-', status) AS name, at, 1 AS attempt, reason, version
    FROM history WHERE order_id = ?
    UNION ALL
    SELECT mark, kind, name, at, attempt, reason, version FROM timeline WHERE order_id = ?
) AS line
"""
TIMELINE = f"""
SELECT TOP (?) mark, kind, name, at, attempt, reason, version {_LINES}
WHERE at > ? OR (at = ? AND (version > ? OR (version = ? AND mark > ?))) ORDER BY at, version, mark
"""
TOLD = f"SELECT mark, kind, name, at, attempt, reason, version {_LINES} WHERE kind = 'told' ORDER BY version"
VERSIONS = """
SELECT id, version FROM orders
WHERE id IN (SELECT CONVERT(binary(16), w.id, 2) FROM OPENJSON(?) WITH (id char(32) '$.id') AS w)
"""
WAITING = "SELECT TOP (?) id FROM orders WHERE status = 'placed' AND id < ? ORDER BY id"

# The orders are locked first: whoever changes one of them meanwhile has its reason hushed, too.
LOCK_OF_CUSTOMER = """
SELECT id FROM orders WITH (UPDLOCK, ROWLOCK) WHERE customer_id = ? AND placed_at <= ? ORDER BY id
"""
HUSH_HISTORY = """
UPDATE history SET reason = ''
WHERE order_id IN (SELECT id FROM orders WHERE customer_id = ? AND placed_at <= ?)
"""
HUSH_TIMELINE = """
UPDATE timeline SET reason = ''
WHERE order_id IN (SELECT id FROM orders WHERE customer_id = ? AND placed_at <= ?)
"""
DISOWN = f"""
UPDATE orders SET customer_id = ?, reason = '', carrier = '', tracking = '', version = version + 1,
    payment_refusal = CASE payment_refusal WHEN '' THEN '' ELSE '{UNQUOTED}' END
WHERE customer_id = ? AND placed_at <= ?
"""  # noqa: S608  constant texts

# HOLDLOCK: else two at once could both find that there is no such row yet.
NOTE_PRICE = """
MERGE INTO price_list WITH (HOLDLOCK) AS known
USING (VALUES (?, ?, ?, ?, ?, ?, ?, ?)) AS news (product_id, sku, name, price, currency, version, listed, tax_rate)
ON known.product_id = news.product_id
WHEN MATCHED AND known.version < news.version THEN
    UPDATE SET sku = news.sku, name = news.name, price = news.price, currency = news.currency,
        version = news.version, listed = news.listed, tax_rate = news.tax_rate
WHEN NOT MATCHED THEN
    INSERT (product_id, sku, name, price, currency, version, listed, tax_rate)
    VALUES (news.product_id, news.sku, news.name, news.price, news.currency, news.version, news.listed, news.tax_rate);
"""

KNOW_CUSTOMER = """
MERGE INTO directory WITH (HOLDLOCK) AS known
USING (VALUES (?, ?, ?)) AS news (customer_id, status, version)
ON known.customer_id = news.customer_id
WHEN MATCHED AND known.version < news.version THEN
    UPDATE SET status = news.status, version = news.version
WHEN NOT MATCHED THEN
    INSERT (customer_id, status, version) VALUES (news.customer_id, news.status, news.version);
"""
PRICES = """
SELECT product_id, sku, name, price, currency, version, tax_rate
FROM price_list
WHERE listed = 1 AND product_id IN (
SELECT CONVERT(binary(16), id, 2) FROM OPENJSON(?) WITH (id char(32) '$.id'))
"""


def orders(status: Status | None, *, of_customer: bool) -> str:
    """A page of them, newest first."""
    whose = "customer_id = ? AND" if of_customer else ""
    return f"SELECT TOP (?) {COLUMNS} FROM orders WHERE {whose} {IN[status]} id < ? AND id >= ? ORDER BY id DESC"  # noqa: S608
