-- Cold telemetry: closed hours as blocks of one series each, rollups, and the
-- narrow view over hot and cold.
--
-- Hours are UTC hours. Times within a block are milliseconds. Values that the
-- router sent are stored; rates are derived from their counters at reading.

-- ------------------------------------------------------------------- series

-- What a block is of. Numbered, so that a block's key is small.
CREATE TABLE mtd.series (
    tenant_id   uuid NOT NULL,
    series_id   int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id   uuid NOT NULL,
    metric      text NOT NULL,
    instance    text NOT NULL,
    lane        text NOT NULL CHECK (lane IN ('counter', 'gauge')),
    poll_group  text NOT NULL,
    UNIQUE (device_id, metric, instance, lane, poll_group)
);

-- Which counter a rate is derived from, and what turns the counter's unit into the rate's.
ALTER TABLE mtd.metric ADD rate_of text NOT NULL DEFAULT '';
ALTER TABLE mtd.metric ADD rate_scale float8 NOT NULL DEFAULT 1;

-- ------------------------------------------------------------------- blocks

-- When a device's poll group was polled within one hour; shared by all its series of that hour.
-- The n-th poll was first_ms + (n - 1) * step_ms + jitter[n] milliseconds after the hour began.
-- jitter stands in the narrowest array that holds it; in none of them: it is 0 everywhere.
CREATE TABLE mtd.telemetry_axis (
    tenant_id   uuid NOT NULL,
    device_id   uuid NOT NULL,
    hour        timestamptz NOT NULL,
    polls       int4 NOT NULL,
    first_ms    int4 NOT NULL,
    step_ms     int4 NOT NULL,
    poll_group  text NOT NULL,
    jitter1     "char"[],
    jitter2     int2[],
    jitter4     int4[]
) PARTITION BY RANGE (hour);
CREATE UNIQUE INDEX telemetry_axis_key ON mtd.telemetry_axis (device_id, poll_group, hour);

-- The values of one series over one hour, a place for each poll of the axis. Forms:
--   c  constant   every value is base / divisor
--   o  offsets    (base + value[n]) / divisor
--   d  deltas     (base + value[1] + ... + value[n]) / divisor
--   f  floats     value8f[n]
--   z  dense      packed, which only mtd reads
-- Divisor is 1 for counters. NULL: the router gave no value.
-- withheld: polls, from 1, up to which a counter's values would give a rate and none
-- was told when they came (no link carries it, the router had rebooted). None is told
-- from here either. NULL, as a rule: there are none.
CREATE TABLE mtd.telemetry_block (
    tenant_id       uuid NOT NULL,
    hour            timestamptz NOT NULL,
    base            int8 NOT NULL,
    series_id       int4 NOT NULL,
    divisor         int4 NOT NULL,
    points          int4 NOT NULL,  -- values that are there
    form            "char" NOT NULL,
    retention       text NOT NULL,
    value1          "char"[],
    value2          int2[],
    value4          int4[],
    value8          int8[],
    value8f         float8[],
    packed          bytea,
    withheld        int4[]
) PARTITION BY LIST (retention);
CREATE UNIQUE INDEX telemetry_block_key ON mtd.telemetry_block (series_id, hour, retention);

-- Storage. Arrays keep EXTENDED, the default: of a row beyond 2 KB they are
-- compressed by pglz, which saves 45 % of realistic hours, and go out of line where
-- that doesn't suffice. What pglz can't shrink it gives up on after a kilobyte.
-- packed is dense already: EXTERNAL spares a second compression that finds nothing.
-- fillfactor stays 100: rows are written once and never updated. What PostgreSQL
-- takes on partitions only (toast_tuple_target, autovacuum) is set by those who make
-- them: mtd/storage/partitioned.py says why.
ALTER TABLE mtd.telemetry_block ALTER packed SET STORAGE EXTERNAL;

-- A partition per class, so that each class is dropped by tables, in constant
-- time. More classes come by the configuration.
CREATE TABLE mtd.telemetry_block_standard PARTITION OF mtd.telemetry_block
    FOR VALUES IN ('standard') PARTITION BY RANGE (hour);

-- ------------------------------------------------------------------ rollups

-- A row holds the consecutive buckets [start, start + buckets * step) of a
-- series: an hour at first, whole days of the coarser steps later. packed is
-- mtd.codec.rollups: count, minimum, maximum, mean and 95th percentile of each
-- bucket, of counters also growth and last value.
CREATE TABLE mtd.rollup_10s (
    tenant_id   uuid NOT NULL,
    start       timestamptz NOT NULL,
    series_id   int4 NOT NULL,
    buckets     int4 NOT NULL,
    retention   text NOT NULL,
    packed      bytea NOT NULL
) PARTITION BY LIST (retention);
ALTER TABLE mtd.rollup_10s ALTER packed SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX rollup_10s_key ON mtd.rollup_10s (series_id, start, retention);

CREATE TABLE mtd.rollup_1m (LIKE mtd.rollup_10s INCLUDING STORAGE) PARTITION BY LIST (retention);
CREATE UNIQUE INDEX rollup_1m_key ON mtd.rollup_1m (series_id, start, retention);

CREATE TABLE mtd.rollup_5m (LIKE mtd.rollup_10s INCLUDING STORAGE) PARTITION BY LIST (retention);
CREATE UNIQUE INDEX rollup_5m_key ON mtd.rollup_5m (series_id, start, retention);

CREATE TABLE mtd.rollup_10s_standard PARTITION OF mtd.rollup_10s
    FOR VALUES IN ('standard') PARTITION BY RANGE (start);
CREATE TABLE mtd.rollup_1m_standard PARTITION OF mtd.rollup_1m
    FOR VALUES IN ('standard') PARTITION BY RANGE (start);
CREATE TABLE mtd.rollup_5m_standard PARTITION OF mtd.rollup_5m
    FOR VALUES IN ('standard') PARTITION BY RANGE (start);

-- ---------------------------------------------------- hot partitions by hour

-- Frames are partitioned by the hour from here on. Days that were made ahead and
-- are empty make room; days with frames stay until they are compacted or dropped.
DO $$
DECLARE
    day regclass;
    used bool;
BEGIN
    FOR day IN
        SELECT i.inhrelid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'mtd.telemetry_frame'::regclass AND c.relname ~ '^telemetry_frame_\d{8}$'
          AND c.relname > 'telemetry_frame_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', day) INTO used;
        IF NOT used THEN
            EXECUTE format('DROP TABLE %s', day);
        END IF;
    END LOOP;
END $$;

-- ----------------------------------------------------------------------- views

-- The points of one block, in order: time, milliseconds after the hour began, the
-- integer before it is divided (NULL for floats), the value. Each form is a branch
-- with a filter that is decided once per block. Set-returning functions in a
-- SELECT list run in step and are not stored in between; a window without ORDER BY
-- takes rows as they come, so that nothing is sorted; OFFSET 0 has the time of a
-- point computed once, for the filter as for the result.
-- STABLE and without SET, so that it is inlined.
CREATE FUNCTION mtd.block_points(
    form "char", hour timestamptz, polls int4, first_ms int4, step_ms int4,
    jitter1 "char"[], jitter2 int2[], jitter4 int4[], base int8, divisor int4,
    value1 "char"[], value2 int2[], value4 int4[], value8 int8[], value8f float8[]
) RETURNS TABLE (ts timestamptz, ms int4, whole int8, value float8) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT s.ts, s.ms, s.whole, s.whole::float8 / divisor
    FROM (
        SELECT hour + u.ms * interval '1 millisecond' AS ts, u.ms, u.v,
               base + sum(u.v) OVER (ROWS UNBOUNDED PRECEDING) AS whole
        FROM (
            SELECT first_ms + generate_series(0, polls - 1) * step_ms
                       + unnest(coalesce(jitter1::int4[], jitter2::int4[], jitter4, array_fill(0, ARRAY[polls]))) AS ms,
                   unnest(coalesce(value1::int4[], value2::int4[], value4)) AS v
            WHERE form = 'd'
        ) u
    ) s WHERE s.v IS NOT NULL
    UNION ALL
    SELECT s.ts, s.ms, s.whole, s.value
    FROM (
        SELECT hour + u.ms * interval '1 millisecond' AS ts, u.ms, base + u.v AS whole,
               (base + u.v)::float8 / divisor AS value
        FROM (
            SELECT first_ms + generate_series(0, polls - 1) * step_ms
                       + unnest(coalesce(jitter1::int4[], jitter2::int4[], jitter4, array_fill(0, ARRAY[polls]))) AS ms,
                   unnest(coalesce(value1::int4[]::int8[], value2::int8[], value4::int8[], value8)) AS v
            WHERE form = 'o'
        ) u OFFSET 0
    ) s WHERE s.whole IS NOT NULL
    UNION ALL
    SELECT s.ts, s.ms, base, base::float8 / divisor
    FROM (
        SELECT hour + u.ms * interval '1 millisecond' AS ts, u.ms
        FROM (
            SELECT first_ms + generate_series(0, polls - 1) * step_ms
                       + unnest(coalesce(jitter1::int4[], jitter2::int4[], jitter4, array_fill(0, ARRAY[polls]))) AS ms
            WHERE form = 'c'
        ) u OFFSET 0
    ) s
    UNION ALL
    SELECT s.ts, s.ms, NULL::int8, s.value
    FROM (
        SELECT hour + u.ms * interval '1 millisecond' AS ts, u.ms, u.v AS value
        FROM (
            SELECT first_ms + generate_series(0, polls - 1) * step_ms
                       + unnest(coalesce(jitter1::int4[], jitter2::int4[], jitter4, array_fill(0, ARRAY[polls]))) AS ms,
                   unnest(value8f) AS v
            WHERE form = 'f'
        ) u OFFSET 0
    ) s WHERE s.value IS NOT NULL
$$;

-- One row per value: frames, blocks, and the rates of blocks' counters. Dense
-- blocks are not in it. A filter on ts reads only the frames needed; of blocks,
-- it is the filter on hour that does: PostgreSQL can't derive one from the
-- other. mtd.telemetry_range() names both.
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
      AND l.table_name = m.label_table AND l.instance = e.instance
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
      AND l.table_name = m.label_table AND l.instance = s.instance
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
      AND l.table_name = m.label_table AND l.instance = s.instance
WHERE m.rate_of <> '' AND p.whole >= p.before AND p.ms > p.before_ms AND p.ms - p.before_ms <= 3 * a.step_ms
  AND (p.withheld_ms IS NULL OR p.ms <> ALL (p.withheld_ms));

-- One metric of one device over [since, until), for people: it names the hours
-- as well, so that only their blocks are read. date_bin is IMMUTABLE, so that the
-- planner sees the partitions.
CREATE FUNCTION mtd.telemetry_range(device text, metric text, since timestamptz, until timestamptz)
    RETURNS SETOF mtd.telemetry LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT t.* FROM mtd.telemetry t
    WHERE t.device = $1 AND t.metric = $2 AND t.ts >= $3 AND t.ts < $4
      AND t.hour >= date_bin('1 hour', $3, timestamptz '1970-01-01 00:00:00+00') AND t.hour < $4
$$;

-- Whoever may read the view keeps being able to.
DO $$
DECLARE
    reader record;
BEGIN
    FOR reader IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS name
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid = 'mtd.telemetry_frame'::regclass AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
    LOOP
        EXECUTE format(
            'GRANT SELECT ON mtd.series, mtd.telemetry_axis, mtd.telemetry_block,'
            ' mtd.rollup_10s, mtd.rollup_1m, mtd.rollup_5m TO %s', reader.name);
    END LOOP;
END $$;
