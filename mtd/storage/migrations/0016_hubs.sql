-- Several hubs on one database.

-- The log of each hub, and the hub itself. What a hub's log brought of collectors' logs is decided once, and noted:
-- by `decided`, the last of its events for which that was done. Those of `uncounted` were projected by an mtd that
-- noted nothing: all of them are this log's.
CREATE TABLE mtd.hub_log (
    tenant_id   uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',  -- of no tenant
    log_id      uuid NOT NULL PRIMARY KEY,
    decided     int8 NOT NULL DEFAULT 0,
    uncounted   int8multirange NOT NULL DEFAULT '{}'
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

SELECT mtd.raise_wall('mtd.hub_log');
SELECT mtd.raise_wall('mtd.hub_source');
