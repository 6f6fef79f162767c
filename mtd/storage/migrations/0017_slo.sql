-- Service levels: what was promised, counted by the minute. And devices that nobody looks at, because their collector
-- isn't heard of: that says nothing of the devices.

-- Of a tenant, or of no tenant: what is promised to all.
CREATE TABLE mtd.service_level (
    tenant_id   uuid NOT NULL,
    objective   text NOT NULL,
    minute      timestamptz NOT NULL,
    good        float8 NOT NULL CHECK (good >= 0),
    total       float8 NOT NULL CHECK (total >= good),
    PRIMARY KEY (tenant_id, objective, minute)
) WITH (fillfactor = 50);
CREATE INDEX service_level_minute ON mtd.service_level USING brin (minute);

-- One row: when the fleet was looked at last. Several hubs share it, so that each moment is counted once.
CREATE TABLE mtd.service_level_look (
    tenant_id   uuid PRIMARY KEY DEFAULT '00000000-0000-0000-0000-000000000000'
                CHECK (tenant_id = '00000000-0000-0000-0000-000000000000'),
    looked_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO mtd.service_level_look DEFAULT VALUES;

-- Whether its clock was so far off at the last look that an event told so.
ALTER TABLE mtd.ingest_agent ADD COLUMN clock_skewed bool NOT NULL DEFAULT false;

-- Who isn't heard of, or was stopped. Doors see of a hub, and of another tenant's collector that polls for theirs, no
-- more than that; of others nothing.
CREATE FUNCTION mtd.absent_collector() RETURNS TABLE (collector_id text, name text, state text, since timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = mtd, pg_temp ROWS 10 AS $$
    SELECT m.collector_id, m.name, m.state, m.changed_at FROM mtd.collector_membership m WHERE m.state <> 'online'
       AND (current_setting('role') <> 'mtd_door'
            OR m.tenant_id IN (mtd.current_tenant(), '00000000-0000-0000-0000-000000000000')
            OR EXISTS (SELECT FROM mtd.device_assignment a
                        WHERE a.collector_id = m.collector_id AND a.tenant_id = mtd.current_tenant()))
$$;
REVOKE EXECUTE ON FUNCTION mtd.absent_collector() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mtd.absent_collector() TO mtd_door, mtd_writer;

-- Devices of which nobody who is to poll them is there: since when, and whose absence that is.
CREATE VIEW mtd.device_unobserved WITH (security_invoker = true) AS
    SELECT a.tenant_id, a.device_id, max(o.since) AS since, min(o.name) AS collector,
           bool_and(o.state = 'left') AS stopped
      FROM mtd.device_assignment a LEFT JOIN mtd.absent_collector() o USING (collector_id)
     GROUP BY a.tenant_id, a.device_id
    HAVING bool_and(o.collector_id IS NOT NULL);

SELECT mtd.raise_wall('mtd.service_level');
SELECT mtd.close_wall('mtd.service_level_look');
SELECT mtd.open_view('mtd.device_unobserved');
