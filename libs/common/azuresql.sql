-- migration 1: outbox and inbox, the same in every service's database

CREATE TABLE outbox (
    seq bigint IDENTITY PRIMARY KEY,
    event varbinary(max) NOT NULL
);

CREATE TABLE outbox_dead (
    event varbinary(max) NOT NULL,
    reason nvarchar(max) NOT NULL,
    at datetimeoffset(6) NOT NULL DEFAULT SYSUTCDATETIME()
);

CREATE TABLE inbox (
    cause nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY,
    at datetimeoffset(6) NOT NULL DEFAULT SYSUTCDATETIME()
);
CREATE INDEX inbox_by_age ON inbox (at);

-- migration 2: how far a copy into this database has got; empty otherwise

CREATE TABLE copying (
    what nvarchar(50) NOT NULL PRIMARY KEY,
    reached nvarchar(max) NOT NULL
);
