-- migration 1: categories, products, stock and what is set aside of it

-- Ids are binary(16), not uniqueidentifier: that one sorts by its last six bytes first, so that ids of version 7 would
-- not sort by time, and rows not be locked in the order of their ids. CONVERT(char(32), id, 2) shows one.
-- Names are two UTF-16 units a character at most. BIN2 sorts by code units, the same wherever the database stands.
CREATE TABLE categories (
    id binary(16) NOT NULL PRIMARY KEY,
    name nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
    parent_id binary(16) NULL REFERENCES categories (id),
    version bigint NOT NULL
);
CREATE INDEX categories_by_parent ON categories (parent_id);

CREATE TABLE products (
    id binary(16) NOT NULL PRIMARY KEY,
    sku nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL, -- upper and lower case are not the same
    name nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
    name_key AS CAST(LOWER(name) AS nvarchar(400)) PERSISTED NOT NULL, -- what is searched and sorted by
    description nvarchar(max) NOT NULL,
    price bigint NOT NULL CHECK (price >= 0),
    currency varchar(3) NOT NULL,
    category_id binary(16) NULL REFERENCES categories (id),
    opening_stock bigint NOT NULL CHECK (opening_stock >= 0),
    media nvarchar(max) NOT NULL CHECK (ISJSON(media) = 1),
    version bigint NOT NULL,
    deleted bit NOT NULL
);
CREATE UNIQUE INDEX products_sku ON products (sku) WHERE deleted = 0;
CREATE INDEX products_by_category ON products (category_id);
CREATE INDEX products_by_name ON products (name_key, id) WHERE deleted = 0;
CREATE INDEX products_by_price ON products (price, id) WHERE deleted = 0;

-- Born with the product, kept for good: the books must be true for what is no longer sold, too.
CREATE TABLE stock (
    product_id binary(16) NOT NULL PRIMARY KEY REFERENCES products (id),
    on_hand bigint NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold bigint NOT NULL DEFAULT 0 CHECK (sold >= 0),
    received bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0, -- 0: not counted yet
    CHECK (received = on_hand + reserved + sold)
);

CREATE TABLE reservations (
    order_id binary(16) NOT NULL PRIMARY KEY,
    status varchar(8) NOT NULL CHECK (status IN ('new', 'held', 'sold', 'released', 'refused')), -- 'new' is never committed
    lines nvarchar(max) NOT NULL DEFAULT '[]' CHECK (ISJSON(lines) = 1),
    version bigint NOT NULL DEFAULT 0
);

-- migration 2: the ledger of stock, reorder levels, what came back, who waits for what

-- A row for each movement; what moved before is written by `balance`, after this step. No reference to stock: each row
-- is written with the stock's own, which is locked, and the look would be paid for by every order.
CREATE TABLE movements (
    product_id binary(16) NOT NULL,
    version bigint NOT NULL, -- of the stock, once it had moved
    kind varchar(9) NOT NULL,
    on_hand bigint NOT NULL, -- by how much it changed, like the next three
    reserved bigint NOT NULL,
    sold bigint NOT NULL,
    received bigint NOT NULL,
    reason nvarchar(max) NOT NULL,
    order_id binary(16) NULL,
    at datetimeoffset(6) NOT NULL,
    PRIMARY KEY (product_id, version),
    CHECK (received = on_hand + reserved + sold)
);

CREATE TABLE waiting (
    product_id binary(16) NOT NULL REFERENCES stock (product_id),
    customer_id binary(16) NOT NULL,
    since datetimeoffset(6) NOT NULL,
    PRIMARY KEY (product_id, customer_id)
);
CREATE INDEX waiting_by_customer ON waiting (customer_id);

ALTER TABLE stock ADD reorder_level bigint NULL CHECK (reorder_level >= 0);
ALTER TABLE stock ADD waiting bigint NOT NULL DEFAULT 0 CHECK (waiting >= 0);
ALTER TABLE stock ADD recorded bigint NOT NULL DEFAULT 0; -- the version up to which the ledger tells all

-- Not another status: the version before would not know it, and to that what came back is as good as sold.
ALTER TABLE reservations ADD returned bit NOT NULL DEFAULT 0;

-- migration 3: several categories, attributes, status and tax of a product, and what it is found by

ALTER TABLE products ADD more_categories nvarchar(max) NOT NULL DEFAULT '[]';
ALTER TABLE products ADD attributes nvarchar(max) NOT NULL DEFAULT '{}';
ALTER TABLE products ADD status varchar(10) NOT NULL DEFAULT 'published' CHECK (status IN ('draft', 'published', 'archived'));
ALTER TABLE products ADD tax_rate bigint NOT NULL DEFAULT 1900 CHECK (tax_rate BETWEEN 0 AND 10000);
ALTER TABLE products ADD indexed bigint NOT NULL DEFAULT 0; -- at which version product_terms and product_categories were written

-- All of a product's categories, also the first.
CREATE TABLE product_categories (
    category_id binary(16) NOT NULL REFERENCES categories (id),
    product_id binary(16) NOT NULL REFERENCES products (id),
    PRIMARY KEY (category_id, product_id)
);
CREATE INDEX product_categories_by_product ON product_categories (product_id);

-- The terms of search.py. Full-text search of the server would cut texts into other words, and later than the commit.
CREATE TABLE product_terms (
    term nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
    product_id binary(16) NOT NULL REFERENCES products (id),
    weight bigint NOT NULL, -- 2: in the name or SKU, 1: elsewhere
    PRIMARY KEY (term, product_id)
);
CREATE INDEX product_terms_by_product ON product_terms (product_id);

-- migration 4: what is to be indexed anew is found at once

CREATE INDEX products_to_index ON products (indexed, version);

-- migration 5: what was answered to each delivery

-- A repeat of the key gets the same answer, another body none.
CREATE TABLE receipts (
    product_id binary(16) NOT NULL REFERENCES stock (product_id),
    [key] nvarchar(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
    fingerprint varbinary(32) NOT NULL,
    answer varbinary(max) NOT NULL,
    PRIMARY KEY (product_id, [key])
);
