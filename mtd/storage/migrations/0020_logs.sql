-- Lines of devices' logs, as they sent them, and what the rules made of them. Kept for a time of their own.

CREATE TABLE mtd.log_record (
    tenant_id   uuid NOT NULL,
    device_id   uuid,                   -- null: of a sender that is nobody's device
    log_id      uuid NOT NULL,
    seq         int8 NOT NULL,
    part        int4 NOT NULL,          -- which line of the event, from 0
    ts          timestamptz NOT NULL,   -- when it came in, by the collector's clock
    severity    int2,                   -- of syslog: 0 emergency to 7 debug; null: not told
    facility    int2,
    topics      text[] NOT NULL,
    event_type  text COLLATE "C" NOT NULL,          -- empty: no rule knows the message
    entity_type text NOT NULL,
    entity      text NOT NULL,
    field       text NOT NULL,
    old_value   text NOT NULL,
    new_value   text NOT NULL,
    found       jsonb,                  -- what the rule found in the message, by name; null: nothing
    text        text NOT NULL,
    head        text NOT NULL,          -- what came before the text: both are the line, unless original is set
    original    text,
    form        text NOT NULL,
    sender      text NOT NULL,
    host        text NOT NULL,
    program     text NOT NULL,
    process     text NOT NULL,
    told_time   text NOT NULL,
    repeats     int8 NOT NULL,          -- so often it came once more within the window of repeats
    cut         bool NOT NULL
) PARTITION BY RANGE (ts);
CREATE INDEX log_record_tenant_ts ON mtd.log_record (tenant_id, ts DESC);
CREATE INDEX log_record_type_ts ON mtd.log_record (tenant_id, event_type, ts DESC) WHERE event_type <> '';
CREATE INDEX log_record_severe_ts ON mtd.log_record (tenant_id, ts DESC) WHERE severity <= 4;
CREATE INDEX log_record_device_ts ON mtd.log_record (device_id, ts DESC) WHERE device_id IS NOT NULL;

SELECT mtd.raise_wall('mtd.log_record');
