-- migration 1: customers

CREATE TABLE customers (
    id binary(16) NOT NULL PRIMARY KEY,
    -- Personal data; all NULL once the customer is erased. The other columns stay: see domain.Customer.
    name nvarchar(400),
    email varchar(254),
    email_key AS CAST(LOWER(email COLLATE Latin1_General_100_BIN2) AS varchar(254)) PERSISTED, -- addresses are ASCII
    language varchar(2) CHECK (language IN ('en', 'de')),
    address nvarchar(max) CHECK (ISJSON(address) = 1),
    status varchar(7) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'blocked')),
    version bigint NOT NULL DEFAULT 0,
    CHECK (
        (name IS NOT NULL AND email IS NOT NULL AND language IS NOT NULL)
        OR (name IS NULL AND email IS NULL AND language IS NULL AND address IS NULL)
    )
);
CREATE UNIQUE INDEX customers_by_email ON customers (email_key) WHERE email IS NOT NULL;

-- migration 2: letters wanted, a list for staff

-- NULL: as it is where nothing is said. More addresses lie in `address`, which the version before empties, too.
ALTER TABLE customers ADD preferences nvarchar(max) CHECK (ISJSON(preferences) = 1);
CREATE INDEX customers_by_status ON customers (status, id) WHERE name IS NOT NULL;
