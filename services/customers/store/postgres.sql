-- migration 1: customers

CREATE TABLE customers (
    id uuid PRIMARY KEY,
    -- Personal data; all NULL once the customer is erased. The other columns stay: see domain.Customer.
    name text,
    email text,
    language text CHECK (language IN ('en', 'de')),
    address jsonb,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'blocked')),
    version bigint NOT NULL DEFAULT 0,
    CHECK (num_nulls(name, email, language) = 0 OR num_nulls(name, email, language, address) = 4)
);
-- Addresses are ASCII; "C", because lower() of other collations is not theirs (a Turkish I).
CREATE UNIQUE INDEX customers_by_email ON customers (lower(email COLLATE "C"));

-- migration 2: letters wanted, a list for staff

-- NULL: as it is where nothing is said. More addresses lie in `address`, which the version before empties, too.
ALTER TABLE customers ADD COLUMN preferences jsonb;
CREATE INDEX customers_by_status ON customers (status, id) WHERE name IS NOT NULL;
