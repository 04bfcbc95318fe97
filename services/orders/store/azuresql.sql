-- migration 1: orders, and their copies of others' facts

-- Ids are binary(16), not uniqueidentifier: that one sorts by its last six bytes first, so that ids of version 7 would
-- not sort by time. CONVERT(char(32), id, 2) shows one.
-- Text that is looked up is nvarchar, for that is how the driver sends text: beside a varchar column it is the column
-- that would be converted, and its index no longer sought. BIN2, for upper and lower case are not the same.
CREATE TABLE orders (
    id binary(16) NOT NULL PRIMARY KEY,
    customer_id binary(16) NOT NULL,
    status varchar(9) NOT NULL CHECK (status IN ('placed', 'confirmed', 'rejected', 'cancelled')),
    currency varchar(3) NOT NULL,
    total bigint NOT NULL CHECK (total >= 0),
    lines nvarchar(max) NOT NULL CHECK (ISJSON(lines) = 1),
    reason nvarchar(max) NOT NULL DEFAULT '',
    version int NOT NULL,
    placed_at datetimeoffset(6) NOT NULL
);
CREATE INDEX orders_of_customer ON orders (customer_id, id DESC);

CREATE TABLE history (
    order_id binary(16) NOT NULL REFERENCES orders (id),
    version int NOT NULL,
    status varchar(9) NOT NULL,
    at datetimeoffset(6) NOT NULL,
    reason nvarchar(max) NOT NULL DEFAULT '',
    PRIMARY KEY (order_id, version)
);

CREATE TABLE idempotency (
    customer_id binary(16) NOT NULL,
    [key] nvarchar(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
    fingerprint varbinary(32) NOT NULL,
    order_id binary(16) NOT NULL,
    answer varbinary(max) NOT NULL,
    at datetimeoffset(6) NOT NULL,
    PRIMARY KEY (customer_id, [key])
);

CREATE TABLE price_list (
    product_id binary(16) NOT NULL PRIMARY KEY,
    sku nvarchar(64) NOT NULL,
    name nvarchar(400) NOT NULL, -- 200 characters, which may be two UTF-16 units each
    price bigint NOT NULL,
    currency varchar(3) NOT NULL,
    version bigint NOT NULL,
    listed bit NOT NULL
);

CREATE TABLE directory (
    customer_id binary(16) NOT NULL PRIMARY KEY,
    status varchar(7) NOT NULL CHECK (status IN ('active', 'blocked', 'erased')),
    version bigint NOT NULL
);

-- migration 2: payment, tax, the way to the customer, and the timeline
-- Whatever is new has a default, and `status` none that is new, so that the version before can serve beside this one.

CREATE TABLE timeline (
    order_id binary(16) NOT NULL REFERENCES orders (id),
    mark nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL, -- the cause of what was heard, or the version that told it
    kind varchar(10) NOT NULL,
    name nvarchar(200) NOT NULL,
    attempt int NOT NULL,
    version int NOT NULL,
    at datetimeoffset(6) NOT NULL,
    reason nvarchar(max) NOT NULL,
    PRIMARY KEY (order_id, mark)
);

ALTER TABLE orders ADD payment varchar(10) NOT NULL DEFAULT 'none';
ALTER TABLE orders ADD fulfilment varchar(9) NOT NULL DEFAULT ''
    CHECK (fulfilment IN ('', 'shipped', 'delivered', 'returned'));
ALTER TABLE orders ADD carrier nvarchar(200) NOT NULL DEFAULT '';
ALTER TABLE orders ADD tracking nvarchar(200) NOT NULL DEFAULT '';
ALTER TABLE price_list ADD tax_rate int NOT NULL DEFAULT 0;

-- migration 3: what waits, and what is on its way; apart, for a batch is read before its columns are there

CREATE INDEX orders_waiting ON orders (id) WHERE status = 'placed';
CREATE INDEX orders_on_their_way ON orders (fulfilment, id) WHERE fulfilment <> '';

-- migration 4: what was called off, which is little, and else looked for among all

CREATE INDEX orders_called_off ON orders (status, id) WHERE status IN ('rejected', 'cancelled');

-- migration 5: why the provider will not capture a payment. Beside the payment, which the version before has to know

ALTER TABLE orders ADD payment_refusal nvarchar(2000) NOT NULL DEFAULT '';
