-- migration 1: outbox and inbox, the same in every service's database

CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE outbox_dead (
    event bytea NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE inbox (
    cause text PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_by_age ON inbox (at);

-- migration 2: how far a copy into this database has got; empty otherwise

CREATE TABLE copying (
    what text PRIMARY KEY,
    reached text NOT NULL
);
