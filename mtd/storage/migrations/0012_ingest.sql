-- What collectors and integrators send.

-- Keys by which programs sign what they send.
CREATE TABLE mtd.ingest_key (
    tenant_id       uuid NOT NULL REFERENCES mtd.tenant,
    key_id          text NOT NULL PRIMARY KEY,
    name            text NOT NULL CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    created_at      timestamptz NOT NULL DEFAULT now(),
    rotated_at      timestamptz NOT NULL DEFAULT now(),
    revoked_at      timestamptz,
    last_used_at    timestamptz,
    CONSTRAINT ingest_key_of_tenant_key UNIQUE (tenant_id, key_id)
);
-- The name of a key that was revoked may be given again.
CREATE UNIQUE INDEX ingest_key_name_key ON mtd.ingest_key (tenant_id, name) WHERE revoked_at IS NULL;

-- Their secrets, sealed; after a rotation the one before stays good for a while.
CREATE TABLE mtd.ingest_key_secret (
    tenant_id   uuid NOT NULL,
    key_id      text NOT NULL,
    generation  text NOT NULL,
    secret      bytea NOT NULL,
    good_until  timestamptz,  -- null: for as long as the key is
    made_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key_id, generation),
    FOREIGN KEY (tenant_id, key_id) REFERENCES mtd.ingest_key (tenant_id, key_id)
);

-- Those who verify signatures know all keys, and hear of changes.
CREATE FUNCTION mtd.notify_ingest_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mtd_ingest_key', '');
    RETURN NULL;
END $$;
CREATE TRIGGER ingest_key_changed AFTER UPDATE OF revoked_at ON mtd.ingest_key
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.notify_ingest_key();
CREATE TRIGGER ingest_key_secret_changed AFTER INSERT OR UPDATE OR DELETE ON mtd.ingest_key_secret
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.notify_ingest_key();

-- Logs of collectors: whose each is, and which of its events are in this database. A range
-- comes in with the transaction that writes what the events mean.
CREATE TABLE mtd.ingest_log (
    tenant_id       uuid NOT NULL,
    log_id          uuid NOT NULL PRIMARY KEY,
    collector       text NOT NULL DEFAULT '',  -- empty: nobody has claimed it yet
    projected       int8multirange NOT NULL DEFAULT '{}',
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at    timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- UUIDs of events that their makers may tell twice, and the event that was stored for each.
CREATE TABLE mtd.ingest_event (
    tenant_id       uuid NOT NULL,
    event_id        uuid NOT NULL,
    log_id          uuid NOT NULL,
    seq             int8 NOT NULL,
    stored_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, event_id)
);
CREATE INDEX ingest_event_log ON mtd.ingest_event (log_id, seq);
CREATE INDEX ingest_event_stored ON mtd.ingest_event (stored_at);

-- What programs that send say of themselves.
CREATE TABLE mtd.ingest_agent (
    tenant_id       uuid NOT NULL,
    source          text NOT NULL,  -- who called, as the audit log names it
    agent           text NOT NULL,
    version         text NOT NULL,
    capabilities    text[] NOT NULL,
    buffer_depth    int8 NOT NULL,
    jobs_running    int4 NOT NULL,
    poll_errors     int8 NOT NULL,
    clock_ahead_s   float8 NOT NULL,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, source, agent)
) WITH (fillfactor = 70);

SELECT mtd.raise_wall('mtd.ingest_key', 'INSERT', 'UPDATE');
SELECT mtd.raise_wall('mtd.ingest_key_secret', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.show_columns('mtd.ingest_key_secret', 'tenant_id', 'key_id', 'generation', 'good_until', 'made_at');
SELECT mtd.close_wall('mtd.ingest_log');
SELECT mtd.close_wall('mtd.ingest_event');
SELECT mtd.raise_wall('mtd.ingest_agent', 'INSERT', 'UPDATE');
