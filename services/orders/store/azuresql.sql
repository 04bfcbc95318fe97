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
