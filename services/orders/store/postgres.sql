-- migration 1: orders, and their copies of others' facts

CREATE TABLE orders (
    id uuid PRIMARY KEY, -- version 7: sorts by time
    customer_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('placed', 'confirmed', 'rejected', 'cancelled')),
    currency text NOT NULL,
    total bigint NOT NULL CHECK (total >= 0),
    lines jsonb NOT NULL,
    reason text NOT NULL DEFAULT '',
    version int NOT NULL,
    placed_at timestamptz NOT NULL
);
CREATE INDEX orders_of_customer ON orders (customer_id, id DESC);

CREATE TABLE history (
    order_id uuid NOT NULL REFERENCES orders,
    version int NOT NULL,
    status text NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (order_id, version)
);

CREATE TABLE idempotency (
    customer_id uuid NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    order_id uuid NOT NULL,
    answer bytea NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (customer_id, key)
);

CREATE TABLE price_list (
    product_id uuid PRIMARY KEY,
    sku text NOT NULL,
    name text NOT NULL,
    price bigint NOT NULL,
    currency text NOT NULL,
    version bigint NOT NULL,
    listed boolean NOT NULL
);

CREATE TABLE directory (
    customer_id uuid PRIMARY KEY,
    status text NOT NULL CHECK (status IN ('active', 'blocked', 'erased')),
    version bigint NOT NULL
);
