-- Flows that exporters told of: the records as they came, and what they add up to.

-- Records of one template, one exporter and one minute, column by column (mtd.codec.flows.block).
CREATE TABLE mtd.flow_block (
    tenant_id uuid NOT NULL,
    device_id uuid NOT NULL,
    log_id    uuid NOT NULL,
    seq       int8 NOT NULL,
    ts        timestamptz NOT NULL,     -- when they came in, by the collector's clock
    first_ts  timestamptz NOT NULL,     -- when the earliest of the flows began, by that clock as well
    last_ts   timestamptz NOT NULL,     -- when the last of them ended
    exporter  text NOT NULL,            -- address that they came from
    form      int2 NOT NULL,            -- FlowForm of the event
    sampling  int2 NOT NULL,            -- FlowSampling of the event
    records   int4 NOT NULL,
    octets    int8 NOT NULL,            -- as the records say
    packets   int8 NOT NULL,
    estimated_octets  int8 NOT NULL,    -- times the sampling of each record
    estimated_packets int8 NOT NULL,
    block     bytea STORAGE EXTERNAL NOT NULL   -- compressed already
) PARTITION BY RANGE (ts);
CREATE INDEX flow_block_tenant_ts ON mtd.flow_block (tenant_id, ts);
CREATE INDEX flow_block_device_ts ON mtd.flow_block (device_id, ts);

-- Minutes of exporters whose sums aren't those of their blocks any more, and hours whose aren't those of their minutes.
CREATE TABLE mtd.flow_due (
    tenant_id uuid NOT NULL,
    device_id uuid NOT NULL,
    bucket_s  int4 NOT NULL,            -- 60 or 3600
    bucket    timestamptz NOT NULL,     -- when it begins
    changed   int8 NOT NULL DEFAULT 1,  -- counts up, so that who adds and who sums wait for each other
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket_s, bucket, tenant_id, device_id)
);

-- What the records of a minute (or an hour) of one exporter add up to by one dimension: the largest, and all others.
-- octets and packets are the estimated ones. Dimension "total" has one key, of no bytes.
CREATE TABLE mtd.flow_sum_1m (
    tenant_id uuid NOT NULL,
    device_id uuid NOT NULL,
    bucket    timestamptz NOT NULL,
    dimension text COLLATE "C" NOT NULL,
    keys      bytea NOT NULL,           -- of one width each, one behind the other, the largest first
    octets    int8[] NOT NULL,
    packets   int8[] NOT NULL,
    flows     int8[] NOT NULL,
    other_keys    int8 NOT NULL,        -- how many keys beside these; of an hour, at least so many
    other_octets  int8 NOT NULL,
    other_packets int8 NOT NULL,
    other_flows   int8 NOT NULL,
    PRIMARY KEY (device_id, dimension, bucket)
) PARTITION BY RANGE (bucket);
CREATE INDEX flow_sum_1m_tenant ON mtd.flow_sum_1m (tenant_id, dimension, bucket);

CREATE TABLE mtd.flow_sum_1h (LIKE mtd.flow_sum_1m INCLUDING ALL) PARTITION BY RANGE (bucket);
CREATE INDEX flow_sum_1h_tenant ON mtd.flow_sum_1h (tenant_id, dimension, bucket);

SELECT mtd.raise_wall('mtd.flow_block');
SELECT mtd.raise_wall('mtd.flow_due');
SELECT mtd.raise_wall('mtd.flow_sum_1m');
SELECT mtd.raise_wall('mtd.flow_sum_1h');
