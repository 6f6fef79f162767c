-- The schema of mtd. Names: singular tables, *_at or ts_* for times with zone.
-- tenant_id stands on every table, so that row-level security can come without
-- a rewrite; views are security_invoker, so that it will hold through them.

-- Microseconds since the epoch, as events carry them. STABLE, so that it is inlined.
CREATE FUNCTION mtd.from_us(us int8) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT 'epoch'::timestamptz + us * interval '1 microsecond' $$;
CREATE FUNCTION mtd.to_us(ts timestamptz) RETURNS int8 LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT (extract(epoch FROM ts) * 1000000)::int8 $$;

-- ------------------------------------------------------------------ inventory

CREATE TABLE mtd.tenant (
    tenant_id   uuid PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE mtd.site (
    tenant_id   uuid NOT NULL REFERENCES mtd.tenant,
    site_id     uuid NOT NULL DEFAULT gen_random_uuid(),
    name        text NOT NULL,
    labels      jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, site_id),
    UNIQUE (tenant_id, name)
);

CREATE TABLE mtd.device (
    tenant_id           uuid NOT NULL REFERENCES mtd.tenant,
    device_id           uuid NOT NULL DEFAULT gen_random_uuid(),
    site_id             uuid,
    name                text NOT NULL CHECK (name <> ''),
    host                text NOT NULL CHECK (host <> ''),
    port                int4 NOT NULL CHECK (port BETWEEN 1 AND 65535),
    username            text NOT NULL,
    tls_mode            text NOT NULL CHECK (tls_mode IN ('off', 'verify', 'pinned', 'anonymous', 'insecure')),
    tls_fingerprint     text NOT NULL DEFAULT '',
    code_page           text NOT NULL DEFAULT 'latin-1',
    naming              text NOT NULL DEFAULT 'name' CHECK (naming IN ('name', 'comment', 'both')),
    enabled             bool NOT NULL DEFAULT true,
    connect_timeout_s   float8 NOT NULL DEFAULT 0,  -- 0: the collector's default
    command_timeout_s   float8 NOT NULL DEFAULT 0,
    intervals_s         jsonb NOT NULL DEFAULT '{}' CHECK (  -- by tier
        jsonb_typeof(intervals_s) = 'object'
        AND intervals_s - ARRAY['t0', 't1', 't2', 't3'] = '{}'
        AND NOT jsonb_path_exists(intervals_s, '$.* ? (@.type() != "number" || @ <= 0)')),
    labels              jsonb NOT NULL DEFAULT '{}' CHECK (
        jsonb_typeof(labels) = 'object' AND NOT jsonb_path_exists(labels, '$.* ? (@.type() != "string")')),
    notes               text NOT NULL DEFAULT '',
    revision            int8 NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, device_id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES mtd.site,
    CONSTRAINT device_name_key UNIQUE (tenant_id, name)
);

-- A table of its own: readers of the inventory get no grant on it.
CREATE TABLE mtd.device_credential (
    tenant_id   uuid NOT NULL,
    device_id   uuid NOT NULL,
    secret      bytea NOT NULL,  -- the password, encrypted by the vault
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, device_id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES mtd.device ON DELETE CASCADE
);

-- Collectors follow the inventory by these notifications, whoever changes it.
CREATE FUNCTION mtd.notify_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mtd_device', CASE TG_OP WHEN 'DELETE' THEN OLD.device_id ELSE NEW.device_id END::text);
    RETURN NULL;
END $$;

CREATE TRIGGER device_changed AFTER INSERT OR UPDATE OR DELETE ON mtd.device
    FOR EACH ROW EXECUTE FUNCTION mtd.notify_device();
CREATE TRIGGER credential_changed AFTER INSERT OR UPDATE ON mtd.device_credential
    FOR EACH ROW EXECUTE FUNCTION mtd.notify_device();

-- ------------------------------------------------------------------ catalogue

CREATE TABLE mtd.catalogue_version (
    tenant_id   uuid NOT NULL REFERENCES mtd.tenant,
    version     text NOT NULL,
    stored_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, version)
);

CREATE TABLE mtd.metric (
    tenant_id       uuid NOT NULL REFERENCES mtd.tenant,
    key             text NOT NULL,
    unit            text NOT NULL,
    kind            text NOT NULL,
    tier            text NOT NULL,
    scope           text NOT NULL,
    label_table     text NOT NULL,  -- current-state table that names the instances; empty: none
    description     text NOT NULL,
    since           text NOT NULL,
    expected_min    float8,
    expected_max    float8,
    states          jsonb NOT NULL DEFAULT '{}',  -- number, as text: name of the state
    collector       text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, key)
);

-- ------------------------------------------------------------------ telemetry

CREATE TABLE mtd.series_layout (
    tenant_id   uuid NOT NULL,
    layout_id   int8 NOT NULL,
    poll_group  text NOT NULL,
    counters    int2 NOT NULL,  -- how many series each lane has
    gauges      int2 NOT NULL,
    rates       int2 NOT NULL,
    declared_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, layout_id)
);

CREATE TABLE mtd.series_layout_entry (
    tenant_id   uuid NOT NULL,
    layout_id   int8 NOT NULL,
    lane        text NOT NULL,  -- counter, gauge, rate
    position    int2 NOT NULL,  -- subscript in the lane's array, from 1
    metric      text NOT NULL,
    instance    text NOT NULL,
    PRIMARY KEY (tenant_id, layout_id, metric, instance, lane),
    FOREIGN KEY (tenant_id, layout_id) REFERENCES mtd.series_layout ON DELETE CASCADE
);

-- One row per device and poll. Columns of fixed width first: no padding.
CREATE TABLE mtd.telemetry_frame (
    tenant_id           uuid NOT NULL,
    device_id           uuid NOT NULL,
    log_id              uuid NOT NULL,
    seq                 int8 NOT NULL,
    layout_id           int8 NOT NULL,
    ts_collected        timestamptz NOT NULL,
    ts_received         timestamptz NOT NULL,
    poll_duration_us    int4 NOT NULL,
    counters            int8[] NOT NULL,
    gauges              float8[] NOT NULL,
    rates               float4[] NOT NULL,
    low_confidence      int2[]  -- subscripts in rates, from 1
) PARTITION BY RANGE (ts_collected);

-- Partitions inherit the storage of columns. EXTERNAL: never compressed, which
-- would cost more CPU than all the rest of the insert, for rows that live hot
-- for an hour; what makes a row larger than 2 KB (the counters of a router with
-- many interfaces) goes out of line, where it packs better than rows of half a page.
ALTER TABLE mtd.telemetry_frame ALTER counters SET STORAGE EXTERNAL;
ALTER TABLE mtd.telemetry_frame ALTER gauges SET STORAGE EXTERNAL;
ALTER TABLE mtd.telemetry_frame ALTER rates SET STORAGE EXTERNAL;

CREATE INDEX telemetry_frame_ts ON mtd.telemetry_frame USING brin (ts_collected) WITH (pages_per_range = 32);
CREATE INDEX telemetry_frame_device_ts ON mtd.telemetry_frame (device_id, ts_collected DESC) INCLUDE (layout_id);

-- One row per device and poll group, replaced whole: no ghosts of old layouts.
-- Rows stay below half a page (larger ones put an array out of line) and pages
-- are filled by half, so that each update finds room on its page (HOT); no
-- index on times.
CREATE TABLE mtd.latest (
    tenant_id           uuid NOT NULL,
    device_id           uuid NOT NULL,
    log_id              uuid NOT NULL,
    seq                 int8 NOT NULL,
    layout_id           int8 NOT NULL,
    ts_collected        timestamptz NOT NULL,
    ts_received         timestamptz NOT NULL,
    poll_duration_us    int4 NOT NULL,
    poll_group          text NOT NULL,
    counters            int8[] NOT NULL,
    gauges              float8[] NOT NULL,
    rates               float4[] NOT NULL,
    low_confidence      int2[],
    PRIMARY KEY (tenant_id, device_id, poll_group)
) WITH (fillfactor = 50, toast_tuple_target = 4000, autovacuum_vacuum_scale_factor = 0.5,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 1,
        toast.autovacuum_vacuum_cost_delay = 0);
ALTER TABLE mtd.latest ALTER counters SET STORAGE EXTERNAL;
ALTER TABLE mtd.latest ALTER gauges SET STORAGE EXTERNAL;
ALTER TABLE mtd.latest ALTER rates SET STORAGE EXTERNAL;

-- ------------------------------------------------------------ events, health

-- Positions follow the order of commits: who draws one holds an advisory lock
-- until its transaction ends.
CREATE SEQUENCE mtd.event_position;

-- Positions of events that are being built again: readers have seen them.
CREATE TABLE mtd.event_position_kept (
    tenant_id   uuid NOT NULL,
    log_id      uuid NOT NULL,
    seq         int8 NOT NULL,
    part        int2 NOT NULL,
    position    int8 NOT NULL,
    PRIMARY KEY (log_id, seq, part)
);

CREATE TABLE mtd.event (
    tenant_id       uuid NOT NULL,
    device_id       uuid,  -- null: about the collector
    log_id          uuid NOT NULL,
    seq             int8 NOT NULL,
    part            int2 NOT NULL DEFAULT 0,  -- one logged event may tell several things
    position        int8 NOT NULL DEFAULT nextval('mtd.event_position'),
    ts_collected    timestamptz NOT NULL,
    ts_received     timestamptz NOT NULL,
    event_type      text NOT NULL,
    severity        int2 NOT NULL,  -- 1 info, 2 warning, 3 critical
    entity_type     text NOT NULL,
    entity_id       text NOT NULL,
    entity_label    text NOT NULL,
    field           text NOT NULL,
    old_value       text NOT NULL,
    new_value       text NOT NULL,
    message         text NOT NULL
) PARTITION BY RANGE (ts_collected);
CREATE INDEX event_position_key ON mtd.event (position);
CREATE INDEX event_device_ts ON mtd.event (device_id, ts_collected DESC);

-- Each poll that failed, and each first that succeeded again.
CREATE TABLE mtd.device_health (
    tenant_id               uuid NOT NULL,
    device_id               uuid NOT NULL,
    log_id                  uuid NOT NULL,
    seq                     int8 NOT NULL,
    ts_collected            timestamptz NOT NULL,
    ts_received             timestamptz NOT NULL,
    outcome                 text NOT NULL,
    status                  text NOT NULL,
    poll_group              text NOT NULL,
    reason                  text NOT NULL,
    consecutive_failures    int8 NOT NULL,
    polls_missed            int8 NOT NULL,
    retry_in_s              float8 NOT NULL
) PARTITION BY RANGE (ts_collected);
CREATE INDEX device_health_device_ts ON mtd.device_health (device_id, ts_collected DESC);

CREATE TABLE mtd.device_status (
    tenant_id           uuid NOT NULL,
    device_id           uuid NOT NULL,
    status              text NOT NULL DEFAULT 'unknown',
    outcome             text NOT NULL DEFAULT '',
    reason              text NOT NULL DEFAULT '',
    since               timestamptz,  -- the status is what it is since then
    last_ok_at          timestamptz,  -- of the outcomes; frames tell more, see latest
    outcome_at          timestamptz,  -- newest outcome taken in: older ones change nothing
    routeros_version    text NOT NULL DEFAULT '',
    routeros_major      int4 NOT NULL DEFAULT 0,
    board_name          text NOT NULL DEFAULT '',
    architecture        text NOT NULL DEFAULT '',
    identity            text NOT NULL DEFAULT '',
    serial_number       text NOT NULL DEFAULT '',
    probed_at           timestamptz,
    log_id              uuid,  -- newest event that was taken in
    seq                 int8,
    PRIMARY KEY (tenant_id, device_id)
) WITH (fillfactor = 70);

CREATE TABLE mtd.device_capability (
    tenant_id   uuid NOT NULL,
    device_id   uuid NOT NULL,
    name        text NOT NULL,
    present     bool NOT NULL,
    detail      text NOT NULL,
    changed_at  timestamptz NOT NULL,
    log_id      uuid NOT NULL,
    seq         int8 NOT NULL,
    PRIMARY KEY (tenant_id, device_id, name)
);

-- -------------------------------------------------- current state, documents

CREATE TABLE mtd.state_row (
    tenant_id   uuid NOT NULL,
    device_id   uuid NOT NULL,
    log_id      uuid NOT NULL,
    seq         int8 NOT NULL,
    table_name  text NOT NULL,
    row_key     text NOT NULL,
    fields      jsonb NOT NULL,
    first_seen  timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, device_id, table_name, row_key)
) WITH (fillfactor = 80);

CREATE TABLE mtd.snapshot (
    tenant_id       uuid NOT NULL,
    device_id       uuid NOT NULL,
    log_id          uuid NOT NULL,
    seq             int8 NOT NULL,
    kind            text NOT NULL,
    ts_collected    timestamptz NOT NULL,
    sha256          bytea NOT NULL,
    content         text NOT NULL,  -- canonical JSON, byte by byte what was hashed
    PRIMARY KEY (tenant_id, device_id, kind, ts_collected)
);

-- ---------------------------------------------------------------- projections

CREATE TABLE mtd.projection_position (
    tenant_id   uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',  -- of no tenant: logs mix them
    log_id      uuid NOT NULL,
    name        text NOT NULL,
    position    int8 NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log_id, name)
) WITH (fillfactor = 20);

CREATE TABLE mtd.dead_letter (
    tenant_id   uuid NOT NULL,
    log_id      uuid NOT NULL,
    seq         int8 NOT NULL,
    projection  text NOT NULL,
    reason      text NOT NULL,
    envelope    bytea NOT NULL,
    stored_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log_id, seq, projection)
);

-- ----------------------------------------------------------------------- views

CREATE VIEW mtd.interface WITH (security_invoker = true) AS
SELECT s.tenant_id, s.device_id, d.name AS device, s.row_key AS interface_id,
       s.fields ->> 'name' AS name,
       coalesce(s.fields ->> 'comment', '') AS comment,
       CASE d.naming
            WHEN 'comment' THEN coalesce(nullif(s.fields ->> 'comment', ''), s.fields ->> 'name')
            WHEN 'both' THEN (s.fields ->> 'name') || coalesce(' (' || nullif(s.fields ->> 'comment', '') || ')', '')
            ELSE s.fields ->> 'name'
       END AS label,
       s.fields ->> 'type' AS type,
       s.fields ->> 'mac-address' AS mac_address,
       s.fields, s.first_seen, s.changed_at
FROM mtd.state_row s
JOIN mtd.device d USING (tenant_id, device_id)
WHERE s.table_name = 'interface';

-- What people call the instances of a metric: name, comment or both, per device.
CREATE VIEW mtd.instance_label WITH (security_invoker = true) AS
SELECT s.tenant_id, s.device_id, s.table_name, s.row_key AS instance,
       CASE d.naming
            WHEN 'comment' THEN coalesce(nullif(s.fields ->> 'comment', ''), s.fields ->> 'name')
            WHEN 'both' THEN (s.fields ->> 'name') || coalesce(' (' || nullif(s.fields ->> 'comment', '') || ')', '')
            ELSE s.fields ->> 'name'
       END AS label
FROM mtd.state_row s
JOIN mtd.device d USING (tenant_id, device_id);

-- One row per value. The joins go from the filtered frames to the entries of
-- their layout, and each array is subscripted once per selected entry: filters
-- on device, metric, instance and ts read only the partitions and rows needed.
CREATE VIEW mtd.telemetry WITH (security_invoker = true) AS
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
       e.lane, m.unit
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
WHERE v.value IS NOT NULL;

CREATE VIEW mtd.metric_latest WITH (security_invoker = true) AS
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
      AND l.table_name = m.label_table AND l.instance = e.instance
WHERE v.value IS NOT NULL;

INSERT INTO mtd.tenant (tenant_id, name) VALUES ('00000000-0000-4000-8000-000000000001', 'default');
