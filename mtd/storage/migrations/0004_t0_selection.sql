-- What is read at the live tier: settings by device, and newest values that two poll groups may hold.

-- Limits ("interfaces", "metrics": a number or "all") and "pins"; what is missing is the collector's default.
ALTER TABLE mtd.device ADD t0 jsonb NOT NULL DEFAULT '{}' CHECK (
    jsonb_typeof(t0) = 'object' AND t0 - ARRAY['interfaces', 'metrics', 'pins'] = '{}');

-- An interface that moves to another poll group is in two of them for a moment. Its value is shown
-- once: from the group of its metric's tier, which is read more often than the one that it may be left to.
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
      AND l.table_name = m.label_table AND l.instance = e.instance
WHERE v.value IS NOT NULL
  -- Looked up for the few rows that it may be true of: as EXISTS it would be worked out for all devices.
  AND CASE WHEN m.tier <> f.poll_group THEN (
    SELECT true FROM mtd.latest n
    JOIN mtd.series_layout_entry x ON x.tenant_id = n.tenant_id AND x.layout_id = n.layout_id
    WHERE n.tenant_id = f.tenant_id AND n.device_id = f.device_id AND n.poll_group = m.tier
      AND x.metric = e.metric AND x.instance = e.instance AND x.lane = e.lane
    LIMIT 1
  ) END IS NOT TRUE;
