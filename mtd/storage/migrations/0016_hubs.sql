-- Several hubs on one database.

-- The log of each hub, and the hub itself. What a hub's log brought of collectors' logs is decided once, and noted:
-- by `decided`, the last of its events for which that was done. Those of `uncounted` were projected by an mtd that
-- noted nothing: all of them are this log's.
CREATE TABLE mtd.hub_log (
    tenant_id   uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',  -- of no tenant
    log_id      uuid NOT NULL PRIMARY KEY,
    decided     int8 NOT NULL DEFAULT 0,
    uncounted   int8multirange NOT NULL DEFAULT '{}',
    key_ids     bytea[] NOT NULL DEFAULT '{}',  -- of the master keys that the hub has
    seen_at     timestamptz                     -- null: it has ended
) WITH (fillfactor = 50);

-- Which events of a collector's log were projected from which hub's log. `part` names a stretch of the hub's log, so
-- that this is forgotten with it: it is asked only for what the hub's log still holds.
CREATE TABLE mtd.hub_source (
    tenant_id   uuid NOT NULL,
    hub_log_id  uuid NOT NULL,
    log_id      uuid NOT NULL,
    part        int8 NOT NULL,
    projected   int8multirange NOT NULL,
    PRIMARY KEY (hub_log_id, log_id, part)
) WITH (fillfactor = 50);

-- Which hub takes a collector's log: the one that it was opened at last. Null: an older mtd.
ALTER TABLE mtd.ingest_log ADD COLUMN hub_log_id uuid;

-- Nonces of signed requests: one that was used at a hub is no good at another. Lost in a crash of the server, like what
-- a hub remembers; then requests that were signed before are refused.
CREATE UNLOGGED TABLE mtd.ingest_nonce (
    tenant_id   uuid NOT NULL,
    key_id      text NOT NULL,
    nonce       text NOT NULL,
    used_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key_id, nonce)
);
CREATE INDEX ingest_nonce_used ON mtd.ingest_nonce (used_at);

SELECT mtd.raise_wall('mtd.ingest_nonce');
SELECT mtd.raise_wall('mtd.hub_log');
SELECT mtd.raise_wall('mtd.hub_source');
