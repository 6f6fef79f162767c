-- Data keys of tenants, and sets of credentials.

-- What seals a tenant's secrets, itself sealed ("wrapped") by a master key that is never in the database.
-- One key of a tenant seals, those before it still open. Nothing is stored here in clear.
CREATE TABLE mtd.tenant_data_key (
    tenant_id       uuid NOT NULL,
    key_id          uuid NOT NULL,
    wrapped         bytea NOT NULL,
    master_key_id   bytea NOT NULL CHECK (length(master_key_id) = 4),
    created_at      timestamptz NOT NULL DEFAULT now(),
    -- When all secrets of the tenant were sealed with it: until then a rotation is under way.
    complete_at     timestamptz,
    retired_at      timestamptz,  -- when another began to seal
    PRIMARY KEY (tenant_id, key_id),
    CONSTRAINT tenant_data_key_key_id UNIQUE (key_id)
);

CREATE UNIQUE INDEX tenant_data_key_current ON mtd.tenant_data_key (tenant_id) WHERE retired_at IS NULL;
CREATE INDEX tenant_data_key_master ON mtd.tenant_data_key (master_key_id);

-- A login that devices share, for one purpose.
CREATE TABLE mtd.credential_set (
    tenant_id       uuid NOT NULL,
    credential_id   uuid NOT NULL,
    name            text NOT NULL CHECK (name <> ''),
    purpose         text NOT NULL CHECK (purpose IN ('readonly', 'diagnostics', 'config-audit')),
    username        text NOT NULL DEFAULT '',
    notes           text NOT NULL DEFAULT '',
    revision        int8 NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, credential_id),
    CONSTRAINT credential_set_name_key UNIQUE (tenant_id, name)
);

-- Its secrets: sealed, or said to be elsewhere ("vault:routers/core#password").
CREATE TABLE mtd.credential_secret (
    tenant_id       uuid NOT NULL,
    credential_id   uuid NOT NULL,
    kind            text NOT NULL
        CHECK (kind IN ('password', 'snmp_community', 'snmp_auth_password', 'snmp_priv_password')),
    secret          bytea,
    reference       text,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, credential_id, kind),
    FOREIGN KEY (tenant_id, credential_id) REFERENCES mtd.credential_set ON DELETE CASCADE,
    CHECK (num_nonnulls(secret, reference) = 1)
);

-- Sets are named, so that a device's settings read as people write them; a new name goes to all devices.
ALTER TABLE mtd.device
    ADD readonly_credentials        text,
    ADD diagnostics_credentials     text,
    ADD config_audit_credentials    text,
    ADD CONSTRAINT device_readonly_credentials_fkey FOREIGN KEY (tenant_id, readonly_credentials)
        REFERENCES mtd.credential_set (tenant_id, name) ON UPDATE CASCADE,
    ADD CONSTRAINT device_diagnostics_credentials_fkey FOREIGN KEY (tenant_id, diagnostics_credentials)
        REFERENCES mtd.credential_set (tenant_id, name) ON UPDATE CASCADE,
    ADD CONSTRAINT device_config_audit_credentials_fkey FOREIGN KEY (tenant_id, config_audit_credentials)
        REFERENCES mtd.credential_set (tenant_id, name) ON UPDATE CASCADE;

CREATE INDEX device_readonly_credentials ON mtd.device (tenant_id, readonly_credentials)
    WHERE readonly_credentials IS NOT NULL;
CREATE INDEX device_diagnostics_credentials ON mtd.device (tenant_id, diagnostics_credentials)
    WHERE diagnostics_credentials IS NOT NULL;
CREATE INDEX device_config_audit_credentials ON mtd.device (tenant_id, config_audit_credentials)
    WHERE config_audit_credentials IS NOT NULL;

-- Collectors follow sets as they follow devices.
CREATE FUNCTION mtd.notify_credential_set() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mtd_device', '');
    RETURN NULL;
END $$;

CREATE TRIGGER credential_set_changed AFTER INSERT OR UPDATE OR DELETE ON mtd.credential_set
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.notify_credential_set();
CREATE TRIGGER credential_secret_changed AFTER INSERT OR UPDATE OR DELETE ON mtd.credential_secret
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.notify_credential_set();

-- A door seals what callers give, so it sees the key that seals, wrapped. It reads no secret, not even sealed.
SELECT mtd.raise_wall('mtd.tenant_data_key', 'INSERT');
SELECT mtd.raise_wall('mtd.credential_set', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.raise_wall('mtd.credential_secret', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.show_columns('mtd.credential_secret', 'tenant_id', 'credential_id', 'kind', 'reference', 'updated_at');
