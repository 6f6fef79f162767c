-- Current-state tables, where what happened earlier may reach us later: what a collector could not send when it was new.

-- Where the event that told a row stood first: under which assignment of the device, in which log and where. Rows of
-- before this migration don't say; whatever is told of them next is newer.
ALTER TABLE mtd.state_row
    ADD COLUMN epoch        int8 NOT NULL DEFAULT 0,
    ADD COLUMN source_log   uuid,
    ADD COLUMN source_seq   int8;

-- Whether one event came after another where the device was polled. Within a log positions tell, and no clock matters.
CREATE FUNCTION mtd.told_later(
    a_epoch int8, a_log uuid, a_seq int8, a_at timestamptz, b_epoch int8, b_log uuid, b_seq int8, b_at timestamptz
) RETURNS bool LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN a_log IS NULL THEN false
        WHEN a_epoch <> b_epoch THEN a_epoch > b_epoch
        WHEN a_log = b_log THEN a_seq > b_seq
        ELSE a_at > b_at
    END
$$;

-- Since when each table is known whole: what stood before that in its collector's log says nothing any more. `begun`:
-- the first part of what tells the table again, in parts, which have come as far as the key `told_up_to`.
CREATE TABLE mtd.state_mark (
    tenant_id           uuid NOT NULL,
    device_id           uuid NOT NULL,
    table_name          text NOT NULL,
    log_id              uuid NOT NULL,
    seq                 int8 NOT NULL,
    epoch               int8,
    source_log          uuid,
    source_seq          int8,
    collected_us        int8,
    begun_epoch         int8,
    begun_source_log    uuid,
    begun_source_seq    int8,
    begun_collected_us  int8,
    told_up_to          text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, device_id, table_name)
) WITH (fillfactor = 70);

SELECT mtd.raise_wall('mtd.state_mark');
