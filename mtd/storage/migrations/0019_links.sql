-- What edges say of themselves over their links, beside what all say that send.

ALTER TABLE mtd.ingest_agent
    ADD COLUMN buffer_bytes         int8 NOT NULL DEFAULT 0,
    ADD COLUMN oldest_unsent_at     timestamptz,  -- null: nothing waits
    ADD COLUMN last_push_at         timestamptz,  -- null: nothing was acknowledged since it was started
    ADD COLUMN pressure             text NOT NULL DEFAULT 'none',  -- the uppermost tier that it thins out, or none
    ADD COLUMN memory_bytes         int8 NOT NULL DEFAULT 0,       -- 0: it didn't say
    ADD COLUMN clock_synchronised   bool;         -- null: it didn't say
