-- The internal CA: collectors, the tokens that they enrol with, and their certificates.

-- A collector belongs to the tenant that invited it.
CREATE TABLE mtd.collector (
    tenant_id       uuid NOT NULL REFERENCES mtd.tenant,
    collector_id    uuid NOT NULL DEFAULT gen_random_uuid(),
    name            text NOT NULL CHECK (name <> '' AND length(name) <= 100),
    state           text NOT NULL DEFAULT 'invited' CHECK (state IN ('invited', 'active', 'disabled')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    created_by      text NOT NULL,
    enrolled_at     timestamptz,
    last_seen_at    timestamptz,  -- to a minute or so
    last_seen_peer  text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, collector_id),
    CONSTRAINT collector_id_key UNIQUE (collector_id),
    CONSTRAINT collector_name_key UNIQUE (tenant_id, name)
);

-- Tenants that a collector serves beside its own; super-admins say so.
CREATE TABLE mtd.collector_tenant (
    tenant_id       uuid NOT NULL REFERENCES mtd.tenant ON DELETE CASCADE,  -- the one that is served
    collector_id    uuid NOT NULL REFERENCES mtd.collector (collector_id) ON DELETE CASCADE,
    PRIMARY KEY (tenant_id, collector_id)
);
CREATE INDEX collector_tenant_collector ON mtd.collector_tenant (collector_id);

CREATE TABLE mtd.enrolment_token (
    tenant_id       uuid NOT NULL,
    token_id        text NOT NULL CHECK (token_id ~ '^[0-9a-f]{16}$'),
    collector_id    uuid NOT NULL,
    secret_hash     bytea NOT NULL CHECK (length(secret_hash) = 32),  -- SHA-256: the secret is random
    created_at      timestamptz NOT NULL DEFAULT now(),
    created_by      text NOT NULL,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,  -- set once, by the statement that lets the collector in
    used_by_peer    text,
    PRIMARY KEY (tenant_id, token_id),
    CONSTRAINT enrolment_token_id_key UNIQUE (token_id),
    CHECK ((used_at IS NULL) = (used_by_peer IS NULL)),
    FOREIGN KEY (tenant_id, collector_id) REFERENCES mtd.collector ON DELETE CASCADE
);
CREATE INDEX enrolment_token_collector ON mtd.enrolment_token (tenant_id, collector_id);

-- Only what is here is believed, whatever the CA has signed.
CREATE TABLE mtd.certificate (
    tenant_id       uuid NOT NULL,
    fingerprint     bytea NOT NULL CHECK (length(fingerprint) = 32),  -- SHA-256 of all of it
    collector_id    uuid NOT NULL,
    serial          text NOT NULL,   -- hexadecimal
    authority       bytea NOT NULL,  -- fingerprint of the CA that signed it
    issued_at       timestamptz NOT NULL,
    not_after       timestamptz NOT NULL,
    revoked_at      timestamptz,
    revoked_reason  text,
    PRIMARY KEY (tenant_id, fingerprint),
    CONSTRAINT certificate_fingerprint_key UNIQUE (fingerprint),
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL)),
    FOREIGN KEY (tenant_id, collector_id) REFERENCES mtd.collector ON DELETE CASCADE
);
CREATE INDEX certificate_collector ON mtd.certificate (tenant_id, collector_id);

-- Daemons know all collectors by heart: this tells them to look again, so that what is revoked is so at once.
CREATE FUNCTION mtd.notify_collector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mtd_collector', CASE TG_OP WHEN 'DELETE' THEN OLD.collector_id ELSE NEW.collector_id END::text);
    RETURN NULL;
END $$;

CREATE TRIGGER collector_changed AFTER INSERT OR DELETE OR UPDATE OF name, state ON mtd.collector
    FOR EACH ROW EXECUTE FUNCTION mtd.notify_collector();
CREATE TRIGGER collector_changed AFTER INSERT OR UPDATE OR DELETE ON mtd.collector_tenant
    FOR EACH ROW EXECUTE FUNCTION mtd.notify_collector();
CREATE TRIGGER collector_changed AFTER INSERT OR UPDATE OR DELETE ON mtd.certificate
    FOR EACH ROW EXECUTE FUNCTION mtd.notify_collector();

SELECT mtd.raise_wall('mtd.collector', 'INSERT', 'UPDATE');
SELECT mtd.raise_wall('mtd.collector_tenant');
-- What a token's secret hashes to is of no use to doors.
SELECT mtd.raise_wall('mtd.enrolment_token', 'INSERT', 'UPDATE');
SELECT mtd.show_columns('mtd.enrolment_token', 'tenant_id', 'token_id', 'collector_id', 'created_at', 'created_by',
                        'expires_at', 'used_at', 'used_by_peer');
SELECT mtd.raise_wall('mtd.certificate', 'UPDATE');
