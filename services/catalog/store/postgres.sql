-- migration 1: categories, products, stock and what is set aside of it

CREATE TABLE categories (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    parent_id uuid REFERENCES categories,
    version bigint NOT NULL
);
CREATE INDEX categories_by_parent ON categories (parent_id);

CREATE TABLE products (
    id uuid PRIMARY KEY, -- version 7: sorts by time
    sku text NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    price bigint NOT NULL CHECK (price >= 0),
    currency text NOT NULL,
    category_id uuid REFERENCES categories,
    opening_stock bigint NOT NULL CHECK (opening_stock >= 0),
    media jsonb NOT NULL,
    version bigint NOT NULL,
    deleted boolean NOT NULL
);
CREATE UNIQUE INDEX products_sku ON products (sku) WHERE NOT deleted;
CREATE INDEX products_by_category ON products (category_id);
CREATE INDEX products_by_name ON products (lower(name), id) WHERE NOT deleted;
CREATE INDEX products_by_price ON products (price, id) WHERE NOT deleted;

-- Born with the product, kept for good: the books must be true for what is no longer sold, too.
CREATE TABLE stock (
    product_id uuid PRIMARY KEY REFERENCES products,
    on_hand bigint NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold bigint NOT NULL DEFAULT 0 CHECK (sold >= 0),
    received bigint NOT NULL DEFAULT 0 CHECK (received = on_hand + reserved + sold),
    version bigint NOT NULL DEFAULT 0 -- 0: not counted yet
) WITH (fillfactor = 50); -- a hot product's row is rewritten in its page

CREATE TABLE reservations (
    order_id uuid PRIMARY KEY,
    status text NOT NULL CHECK (status IN ('new', 'held', 'sold', 'released', 'refused')), -- 'new' is never committed
    lines jsonb NOT NULL DEFAULT '[]',
    version bigint NOT NULL DEFAULT 0
);

-- migration 2: the ledger of stock, reorder levels, what came back, who waits for what

-- A row for each movement; what moved before is written by `balance`, after this step. No reference to stock: each row
-- is written with the stock's own, which is locked, and the look would be paid for by every order.
CREATE TABLE movements (
    product_id uuid NOT NULL,
    version bigint NOT NULL, -- of the stock, once it had moved
    kind text NOT NULL,
    on_hand bigint NOT NULL, -- by how much it changed, like the next three
    reserved bigint NOT NULL,
    sold bigint NOT NULL,
    received bigint NOT NULL CHECK (received = on_hand + reserved + sold),
    reason text NOT NULL,
    order_id uuid,
    at timestamptz NOT NULL,
    PRIMARY KEY (product_id, version)
);

CREATE TABLE waiting (
    product_id uuid NOT NULL REFERENCES stock,
    customer_id uuid NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (product_id, customer_id)
);
CREATE INDEX waiting_by_customer ON waiting (customer_id);

ALTER TABLE stock
    ADD COLUMN reorder_level bigint CHECK (reorder_level >= 0),
    ADD COLUMN waiting bigint NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    ADD COLUMN recorded bigint NOT NULL DEFAULT 0; -- the version up to which the ledger tells all

-- Not another status: the version before would not know it, and to that what came back is as good as sold.
ALTER TABLE reservations ADD COLUMN returned boolean NOT NULL DEFAULT false;

-- migration 3: several categories, attributes, status and tax of a product, and what it is found by

ALTER TABLE products
    ADD COLUMN more_categories jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN attributes jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN status text NOT NULL DEFAULT 'published' CHECK (status IN ('draft', 'published', 'archived')),
    ADD COLUMN tax_rate bigint NOT NULL DEFAULT 1900 CHECK (tax_rate BETWEEN 0 AND 10000),
    ADD COLUMN terms tsvector NOT NULL DEFAULT '', -- of search.py, never parsed: A is in the name or SKU, D elsewhere
    ADD COLUMN indexed bigint NOT NULL DEFAULT 0; -- at which version terms and product_categories were written
CREATE INDEX products_by_term ON products USING gin (terms);
CREATE INDEX products_to_index ON products (id) WHERE indexed <> version;

-- All of a product's categories, also the first.
CREATE TABLE product_categories (
    category_id uuid REFERENCES categories,
    product_id uuid REFERENCES products,
    PRIMARY KEY (category_id, product_id)
);
CREATE INDEX product_categories_by_product ON product_categories (product_id);

-- migration 4: what was answered to each delivery

-- A repeat of the key gets the same answer, another body none.
CREATE TABLE receipts (
    product_id uuid NOT NULL REFERENCES stock,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    answer bytea NOT NULL,
    PRIMARY KEY (product_id, key)
);
