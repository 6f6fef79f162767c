-- Every collector's tables name the things of its series; so far, those of interfaces did only.

CREATE TABLE mtd.label_source (
    tenant_id       uuid NOT NULL REFERENCES mtd.tenant,
    table_name      text NOT NULL,  -- current-state table whose rows name the instances of a scope
    scope           text NOT NULL,
    name_field      text NOT NULL,
    comment_field   text NOT NULL,
    place           int2 NOT NULL,  -- of the tables of a scope, the lowest that knows an instance names it
    PRIMARY KEY (tenant_id, table_name)
);

-- The tables that name its instances: those of its scope.
ALTER TABLE mtd.metric ADD label_tables text[] NOT NULL DEFAULT '{}';
UPDATE mtd.metric SET label_tables = ARRAY[label_table] WHERE label_table <> '';

INSERT INTO mtd.label_source
SELECT DISTINCT ON (tenant_id, label_table) tenant_id, label_table, scope, 'name', 'comment', 0
FROM mtd.metric WHERE label_table <> '' ORDER BY tenant_id, label_table, scope;

-- What people call the instances of a metric: name, comment or both, per device.
CREATE OR REPLACE VIEW mtd.instance_label WITH (security_invoker = true) AS
SELECT s.tenant_id, s.device_id, s.table_name, s.row_key AS instance,
       CASE WHEN d.naming = 'name' OR coalesce(s.fields ->> n.comment_field, '') = ''
            THEN nullif(s.fields ->> n.name_field, '')
            WHEN d.naming = 'comment' OR coalesce(s.fields ->> n.name_field, '') = ''
            THEN s.fields ->> n.comment_field
            ELSE (s.fields ->> n.name_field) || ' (' || (s.fields ->> n.comment_field) || ')'
       END AS label,
       n.scope
FROM mtd.label_source n
JOIN mtd.state_row s ON s.tenant_id = n.tenant_id AND s.table_name = n.table_name
JOIN mtd.device d ON d.tenant_id = s.tenant_id AND d.device_id = s.device_id
-- Looked up for the few rows of further tables: each instance of a scope has one label.
WHERE CASE WHEN n.place > 0 THEN (
    SELECT true FROM mtd.label_source o
    JOIN mtd.state_row x ON x.tenant_id = o.tenant_id AND x.table_name = o.table_name
    WHERE o.tenant_id = n.tenant_id AND o.scope = n.scope AND o.place < n.place
      AND x.device_id = s.device_id AND x.row_key = s.row_key
    LIMIT 1
  ) END IS NOT TRUE;

-- As it was, but for the join that looks labels up.
CREATE OR REPLACE VIEW mtd.telemetry WITH (security_invoker = true) AS
SELECT f.tenant_id, f.device_id, d.name AS device, e.metric, e.instance,
       coalesce(l.label, e.instance) AS label,
       CASE WHEN coalesce(m.scope, '') = '' OR e.instance = '' THEN e.metric
            ELSE m.scope || '.' || coalesce(l.label, e.instance) || substr(e.metric, length(m.scope) + 1)
       END AS key,
       f.ts_collected AS ts,
       v.value,
       CASE WHEN e.lane = 'counter' THEN f.counters[e.position] END AS value_int,
       CASE WHEN m.kind = 'state' AND abs(v.value) < 1e9 THEN m.states ->> (v.value::int4::text) END AS value_text,
       e.lane = 'rate' AND coalesce(e.position = ANY (f.low_confidence), false) AS low_confidence,
       e.lane, m.unit,
       date_bin('1 hour', f.ts_collected, timestamptz '1970-01-01 00:00:00+00') AS hour
FROM mtd.telemetry_frame f
JOIN mtd.series_layout_entry e ON e.tenant_id = f.tenant_id AND e.layout_id = f.layout_id
CROSS JOIN LATERAL (
    SELECT CASE e.lane
               WHEN 'counter' THEN f.counters[e.position]::float8
               WHEN 'gauge' THEN f.gauges[e.position]
               ELSE f.rates[e.position]::float8
           END AS value
) v
JOIN mtd.device d ON d.tenant_id = f.tenant_id AND d.device_id = f.device_id
LEFT JOIN mtd.metric m ON m.tenant_id = e.tenant_id AND m.key = e.metric
LEFT JOIN mtd.instance_label l
       ON l.tenant_id = f.tenant_id AND l.device_id = f.device_id
      AND l.table_name = ANY (m.label_tables) AND l.instance = e.instance
WHERE v.value IS NOT NULL
UNION ALL
SELECT s.tenant_id, s.device_id, d.name, s.metric, s.instance,
       coalesce(l.label, s.instance),
       CASE WHEN coalesce(m.scope, '') = '' OR s.instance = '' THEN s.metric
            ELSE m.scope || '.' || coalesce(l.label, s.instance) || substr(s.metric, length(m.scope) + 1)
       END,
       p.ts,
       p.value,
       CASE WHEN s.lane = 'counter' THEN p.whole END,
       CASE WHEN m.kind = 'state' AND abs(p.value) < 1e9 THEN m.states ->> (p.value::int4::text) END,
       false,
       s.lane, m.unit, b.hour
FROM mtd.series s
JOIN mtd.telemetry_block b ON b.series_id = s.series_id
JOIN mtd.telemetry_axis a ON a.device_id = s.device_id AND a.poll_group = s.poll_group AND a.hour = b.hour
CROSS JOIN LATERAL mtd.block_points(
    b.form, b.hour, a.polls, a.first_ms, a.step_ms, a.jitter1, a.jitter2, a.jitter4,
    b.base, b.divisor, b.value1, b.value2, b.value4, b.value8, b.value8f) p
JOIN mtd.device d ON d.tenant_id = s.tenant_id AND d.device_id = s.device_id
LEFT JOIN mtd.metric m ON m.tenant_id = s.tenant_id AND m.key = s.metric
LEFT JOIN mtd.instance_label l
       ON l.tenant_id = s.tenant_id AND l.device_id = s.device_id
      AND l.table_name = ANY (m.label_tables) AND l.instance = s.instance
UNION ALL
-- None where the counter fell or more than three intervals passed, as when they
-- are hot; none at the first poll of an hour, whose predecessor is in another block.
-- After a fall, a counter that is back where it was had only dipped: the rate is
-- that since the poll before it (mtd/codec/rollups/rates.py). The times of rates that
-- are withheld are computed once per block, of blocks that have some.
SELECT s.tenant_id, s.device_id, d.name, m.key, s.instance,
       coalesce(l.label, s.instance),
       CASE WHEN m.scope = '' OR s.instance = '' THEN m.key
            ELSE m.scope || '.' || coalesce(l.label, s.instance) || substr(m.key, length(m.scope) + 1)
       END,
       p.ts,
       (p.whole - p.before) * m.rate_scale * 1000 / (p.ms - p.before_ms),
       NULL::int8,
       NULL::text,
       false,
       'rate', m.unit, b.hour
FROM mtd.metric m
JOIN mtd.series s ON s.tenant_id = m.tenant_id AND s.metric = m.rate_of AND s.lane = 'counter'
JOIN mtd.telemetry_block b ON b.series_id = s.series_id
JOIN mtd.telemetry_axis a ON a.device_id = s.device_id AND a.poll_group = s.poll_group AND a.hour = b.hour
CROSS JOIN LATERAL (
    SELECT r.ts, r.ms, r.whole,
           CASE WHEN r.dipped THEN r.earlier ELSE r.before END AS before,
           CASE WHEN r.dipped THEN r.earlier_ms ELSE r.before_ms END AS before_ms,
           r.withheld_ms
    FROM (
        SELECT q.ts, q.ms, q.whole, lag(q.whole) OVER w AS before, lag(q.ms) OVER w AS before_ms,
               lag(q.whole, 2) OVER w AS earlier, lag(q.ms, 2) OVER w AS earlier_ms,
               lag(q.whole, 2) OVER w > lag(q.whole) OVER w AND q.whole >= lag(q.whole, 2) OVER w AS dipped,
               CASE WHEN b.withheld IS NOT NULL THEN ARRAY(
                   SELECT a.first_ms + (u.n - 1) * a.step_ms
                          + coalesce(a.jitter1[u.n]::int4, a.jitter2[u.n]::int4, a.jitter4[u.n], 0)
                   FROM (SELECT unnest(b.withheld) AS n) u
               ) END AS withheld_ms
        FROM mtd.block_points(
            b.form, b.hour, a.polls, a.first_ms, a.step_ms, a.jitter1, a.jitter2, a.jitter4,
            b.base, b.divisor, b.value1, b.value2, b.value4, b.value8, b.value8f) q
        WINDOW w AS ()
    ) r
) p
JOIN mtd.device d ON d.tenant_id = s.tenant_id AND d.device_id = s.device_id
LEFT JOIN mtd.instance_label l
       ON l.tenant_id = s.tenant_id AND l.device_id = s.device_id
      AND l.table_name = ANY (m.label_tables) AND l.instance = s.instance
WHERE m.rate_of <> '' AND p.whole >= p.before AND p.ms > p.before_ms AND p.ms - p.before_ms <= 3 * a.step_ms
  AND (p.withheld_ms IS NULL OR p.ms <> ALL (p.withheld_ms));

CREATE OR REPLACE VIEW mtd.metric_latest WITH (security_invoker = true) AS
SELECT f.tenant_id, f.device_id, d.name AS device, f.poll_group, e.metric, e.instance,
       coalesce(l.label, e.instance) AS label,
       CASE WHEN coalesce(m.scope, '') = '' OR e.instance = '' THEN e.metric
            ELSE m.scope || '.' || coalesce(l.label, e.instance) || substr(e.metric, length(m.scope) + 1)
       END AS key,
       f.ts_collected AS ts,
       v.value,
       CASE WHEN e.lane = 'counter' THEN f.counters[e.position] END AS value_int,
       CASE WHEN m.kind = 'state' AND abs(v.value) < 1e9 THEN m.states ->> (v.value::int4::text) END AS value_text,
       e.lane = 'rate' AND coalesce(e.position = ANY (f.low_confidence), false) AS low_confidence,
       e.lane, m.unit
FROM mtd.latest f
JOIN mtd.series_layout_entry e ON e.tenant_id = f.tenant_id AND e.layout_id = f.layout_id
CROSS JOIN LATERAL (
    SELECT CASE e.lane
               WHEN 'counter' THEN f.counters[e.position]::float8
               WHEN 'gauge' THEN f.gauges[e.position]
               ELSE f.rates[e.position]::float8
           END AS value
) v
JOIN mtd.device d ON d.tenant_id = f.tenant_id AND d.device_id = f.device_id
LEFT JOIN mtd.metric m ON m.tenant_id = e.tenant_id AND m.key = e.metric
LEFT JOIN mtd.instance_label l
       ON l.tenant_id = f.tenant_id AND l.device_id = f.device_id
      AND l.table_name = ANY (m.label_tables) AND l.instance = e.instance
WHERE v.value IS NOT NULL
  -- Looked up for the few rows that it may be true of: as EXISTS it would be worked out for all devices.
  AND CASE WHEN m.tier <> f.poll_group THEN (
    SELECT true FROM mtd.latest n
    JOIN mtd.series_layout_entry x ON x.tenant_id = n.tenant_id AND x.layout_id = n.layout_id
    WHERE n.tenant_id = f.tenant_id AND n.device_id = f.device_id AND n.poll_group = m.tier
      AND x.metric = e.metric AND x.instance = e.instance AND x.lane = e.lane
    LIMIT 1
  ) END IS NOT TRUE;

-- Read by nobody any more; the version before writes it, and can still be gone back to.
ALTER TABLE mtd.metric ALTER COLUMN label_table SET DEFAULT '';

-- Whoever may read the views keeps being able to.
DO $$
DECLARE
    reader record;
BEGIN
    FOR reader IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS name
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid IN ('mtd.instance_label'::regclass, 'mtd.metric'::regclass)
          AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('GRANT SELECT ON mtd.label_source TO %s', reader.name);
    END LOOP;
END $$;
