"""Many products, customers and old orders at once, by the database's own means. Ids are made of their numbers."""

from uuid import UUID

import asyncpg

BUYERS = 50
STATEMENT_SECONDS = 600.0
AT_ONCE = 50_000
LOOKS = ["green", "blue", "red", "grey", "small", "large", "light", "heavy", "plain", "fine"]
THINGS = [
    "mug",
    "lamp",
    "chair",
    "table",
    "plate",
    "bowl",
    "spoon",
    "shelf",
    "clock",
    "rug",
    "box",
    "jar",
    "vase",
    "tray",
    "stool",
    "desk",
    "bench",
    "hook",
    "basket",
    "frame",
]
_FIRST = 0x0FFFFFFF_FFFF_7000_8000_000000000000  # later than all that the store itself makes: a list begins with ours

_ID = f"('{str(UUID(int=_FIRST))[:24]}' || lpad(to_hex({{}}), 12, '0'))::uuid"
_NAME = "l.look || ' ' || t.thing || ' ' || n"
_GIVEN = f"""
FROM generate_series($1::int, $2::int) AS n
CROSS JOIN LATERAL (SELECT ('{{{",".join(LOOKS)}}}'::text[])[1 + n % {len(LOOKS)}] AS look) l
CROSS JOIN LATERAL (SELECT ('{{{",".join(THINGS)}}}'::text[])[1 + n / {len(LOOKS)} % {len(THINGS)}] AS thing) t
"""
PRODUCTS = f"""
WITH made AS (
    INSERT INTO products (id, sku, name, description, price, currency, opening_stock, media, version, deleted, terms,
                          indexed)
    SELECT {_ID.format("n")}, 'BULK-' || n, {_NAME}, repeat('A thing that somebody may want to have. ', 6),
           1000 + n % 9000, 'EUR', 1000000, '[]', 1, false,
           format('%s:1A %s:1A %s:1A bulk:1A somebody:1D want:1D', l.look, t.thing, n)::tsvector, 1
    {_GIVEN} RETURNING id
)
INSERT INTO stock (product_id, on_hand, received, version, recorded) SELECT id, 1000000, 1000000, 1, 1 FROM made
"""
PRICES = f"""
INSERT INTO price_list (product_id, sku, name, price, currency, version, listed, tax_rate)
SELECT {_ID.format("n")}, 'BULK-' || n, {_NAME}, 1000 + n % 9000, 'EUR', 1, true, 1900 {_GIVEN}
"""
CUSTOMERS = f"""
INSERT INTO directory (customer_id, status, version)
SELECT {_ID.format("n")}, 'active', 1 FROM generate_series($1::int, $2::int) AS n
"""
# One every second, until a day ago; settled, but without their timelines, which neither placing nor listing reads.
ORDERS = f"""
WITH made AS (
    INSERT INTO orders (id, customer_id, status, currency, total, lines, version, placed_at, payment)
    SELECT (lpad(to_hex(at_ms), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
           {_ID.format(f"1 + n % {BUYERS}")}, 'confirmed', 'EUR', 3000, $3::text::jsonb, 4, at, 'captured'
    FROM generate_series($1::int, $2::int) AS n
    CROSS JOIN LATERAL (SELECT now() - interval '1 day' - n * interval '1 second' AS at) t
    CROSS JOIN LATERAL (SELECT (extract(epoch FROM at) * 1000)::bigint AS at_ms) m
    RETURNING id, customer_id, placed_at
), told AS (
    INSERT INTO history (order_id, version, status, at)
    SELECT id, v.version, v.status, placed_at
    FROM made CROSS JOIN (VALUES (1, 'placed'), (3, 'confirmed')) AS v (version, status)
)
INSERT INTO idempotency (customer_id, key, fingerprint, order_id, answer, at)
SELECT customer_id, id::text, ''::bytea, id, convert_to($3::text, 'UTF8'), placed_at FROM made
"""
# What the relay is just publishing is locked, and stays. ANALYZE: as autovacuum does within a minute; until then a plan
# that was made for empty tables reads all of them.
SWEEP = """
TRUNCATE orders, history, timeline, idempotency;
DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox FOR UPDATE SKIP LOCKED)
"""


def known(number: int) -> UUID:
    """The id that the number's product and customer have."""
    return UUID(int=_FIRST + number)


async def fill(url: str, statement: str, first: int, last: int, *more: str) -> None:
    """From the first number to the last, and the planner knows of it."""
    server = await asyncpg.connect(url, command_timeout=STATEMENT_SECONDS)
    try:
        for low in range(first, last + 1, AT_ONCE):
            await server.execute(statement, low, min(low + AT_ONCE - 1, last), *more)
        await server.execute("VACUUM (ANALYZE)")
        await server.execute("CHECKPOINT")
    finally:
        await server.close()


async def sweep(url: str) -> None:
    """All orders away, and what is to be told of them."""
    server = await asyncpg.connect(url, command_timeout=STATEMENT_SECONDS)
    try:
        await server.execute(SWEEP)
        await server.execute("ANALYZE")
    finally:
        await server.close()
