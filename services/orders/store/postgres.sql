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

-- migration 2: payment, tax, the way to the customer, and the timeline
-- Whatever is new has a default, and `status` none that is new, so that the version before can serve beside this one.

CREATE TABLE timeline (
    order_id uuid NOT NULL REFERENCES orders,
    mark text NOT NULL, -- the cause of what was heard, or the version that told it
    kind text NOT NULL,
    name text NOT NULL,
    attempt int NOT NULL,
    version int NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (order_id, mark)
);

ALTER TABLE orders
    ADD payment text NOT NULL DEFAULT 'none',
    ADD fulfilment text NOT NULL DEFAULT '' CHECK (fulfilment IN ('', 'shipped', 'delivered', 'returned')),
    ADD carrier text NOT NULL DEFAULT '',
    ADD tracking text NOT NULL DEFAULT '';

ALTER TABLE price_list ADD tax_rate int NOT NULL DEFAULT 0;

CREATE INDEX orders_waiting ON orders (id) WHERE status = 'placed';
CREATE INDEX orders_on_their_way ON orders (fulfilment, id) WHERE fulfilment <> '';

-- migration 3: what was called off, which is little, and else looked for among all

CREATE INDEX orders_called_off ON orders (status, id) WHERE status IN ('rejected', 'cancelled');

-- migration 4: why the provider will not capture a payment. Beside the payment, which the version before has to know

ALTER TABLE orders ADD payment_refusal text NOT NULL DEFAULT '';
