-- One fact that a poll and a log line both tell is one event: each of them has its row, and knows the other's.

ALTER TABLE mtd.event
    ADD COLUMN source       int2,   -- who told it: 1 a poll, 2 a log line; null: nobody else can tell it
    ADD COLUMN fact         int8,   -- number of the thing and its new state; null: nobody else can tell it
    ADD COLUMN fact_before  int8,   -- of a poll: that of the state before; null if it isn't known
    -- The other row of the same fact, which tells when it was collected; null: there is none.
    ADD COLUMN mate_log_id  uuid,
    ADD COLUMN mate_seq     int8,
    ADD COLUMN mate_part    int2,
    ADD COLUMN mate_ts      timestamptz;

CREATE INDEX event_fact ON mtd.event (device_id, fact, ts_collected) WHERE fact IS NOT NULL;
CREATE INDEX event_fact_before ON mtd.event (device_id, fact_before, ts_collected) WHERE fact_before IS NOT NULL;
