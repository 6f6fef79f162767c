-- Users, API tokens, and what tenants may use.
--
-- Users and tokens of the nil tenant are super-admins, and only those: no tenant's door sees them.

ALTER TABLE mtd.tenant
    ADD enabled     bool NOT NULL DEFAULT true,
    ADD revision    int8 NOT NULL DEFAULT 1,
    ADD updated_at  timestamptz NOT NULL DEFAULT now(),
    ADD CONSTRAINT tenant_name_check CHECK (name <> '' AND length(name) <= 100);

CREATE TABLE mtd.user_account (
    tenant_id       uuid NOT NULL,
    home_tenant_id  uuid GENERATED ALWAYS AS (
        nullif(tenant_id, '00000000-0000-0000-0000-000000000000'::uuid)) STORED REFERENCES mtd.tenant,
    user_id         uuid NOT NULL DEFAULT gen_random_uuid(),
    name            text NOT NULL CHECK (name <> '' AND length(name) <= 100),
    role            text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'super-admin')),
    enabled         bool NOT NULL DEFAULT true,
    oidc_issuer     text NOT NULL DEFAULT '',  -- empty: logs in with a password
    oidc_subject    text NOT NULL DEFAULT '',
    revision        int8 NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    last_login_at   timestamptz,
    PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT user_account_id_key UNIQUE (user_id),
    CONSTRAINT user_account_name_key UNIQUE (tenant_id, name),
    CHECK ((role = 'super-admin') = (tenant_id = '00000000-0000-0000-0000-000000000000')),
    CHECK ((oidc_issuer = '') = (oidc_subject = ''))
);

-- A person of an identity provider is one user.
CREATE UNIQUE INDEX user_account_oidc_key ON mtd.user_account (oidc_issuer, oidc_subject) WHERE oidc_subject <> '';

-- A table of its own: doors write hashes, and never read them.
CREATE TABLE mtd.user_password (
    tenant_id   uuid NOT NULL,
    user_id     uuid NOT NULL,
    hash        text NOT NULL,  -- argon2id, with its parameters and salt
    changed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES mtd.user_account ON DELETE CASCADE
);

CREATE TABLE mtd.api_token (
    tenant_id       uuid NOT NULL,
    home_tenant_id  uuid GENERATED ALWAYS AS (
        nullif(tenant_id, '00000000-0000-0000-0000-000000000000'::uuid)) STORED REFERENCES mtd.tenant,
    token_id        text NOT NULL CHECK (token_id ~ '^[0-9A-Za-z]{12}$'),
    name            text NOT NULL CHECK (name <> '' AND length(name) <= 100),
    role            text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'super-admin')),
    scopes          text[] NOT NULL CHECK (cardinality(scopes) > 0),
    secret_hash     bytea NOT NULL CHECK (length(secret_hash) = 32),  -- SHA-256: the secret is random
    previous_hash   bytea,        -- the secret before the last rotation
    previous_until  timestamptz,  -- until when it is good, too
    expires_at      timestamptz,  -- null: never
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    rotated_at      timestamptz,
    last_used_at    timestamptz,  -- to some minutes
    revoked_at      timestamptz,
    PRIMARY KEY (tenant_id, token_id),
    CONSTRAINT api_token_id_key UNIQUE (token_id),
    CHECK ((role = 'super-admin') = (tenant_id = '00000000-0000-0000-0000-000000000000')),
    CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
);

-- Of the tokens that are good, each has a name of its own.
CREATE UNIQUE INDEX api_token_name_key ON mtd.api_token (tenant_id, name) WHERE revoked_at IS NULL;

-- What a tenant may use. Null, or no row: no limit.
CREATE TABLE mtd.quota (
    tenant_id               uuid PRIMARY KEY REFERENCES mtd.tenant,
    devices                 int4 CHECK (devices >= 0),
    collectors              int4 CHECK (collectors >= 0),
    ingest_points_per_s     int4 CHECK (ingest_points_per_s >= 0),
    retention_days          int4 CHECK (retention_days >= 1),
    diagnostics_per_hour    int4 CHECK (diagnostics_per_hour >= 0),
    updated_at              timestamptz NOT NULL DEFAULT now()
);

-- Daemons keep what they know of callers for a while: these tell them to forget it. The payload is
-- what changed, of which tenant, and its id, or the tenant's where it has none.
CREATE FUNCTION mtd.notify_identity() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb;
BEGIN
    IF TG_OP = 'DELETE' THEN changed := to_jsonb(OLD); ELSE changed := to_jsonb(NEW); END IF;
    PERFORM pg_notify('mtd_identity', concat_ws(' ', TG_TABLE_NAME, changed ->> 'tenant_id',
        coalesce(changed ->> 'user_id', changed ->> 'token_id', changed ->> 'tenant_id')));
    RETURN NULL;
END $$;

CREATE TRIGGER identity_changed AFTER INSERT OR DELETE OR UPDATE OF name, enabled ON mtd.tenant
    FOR EACH ROW EXECUTE FUNCTION mtd.notify_identity();
CREATE TRIGGER identity_changed AFTER INSERT OR DELETE OR UPDATE OF name, role, enabled, oidc_issuer, oidc_subject
    ON mtd.user_account FOR EACH ROW EXECUTE FUNCTION mtd.notify_identity();
CREATE TRIGGER identity_changed AFTER INSERT OR DELETE OR UPDATE OF changed_at ON mtd.user_password
    FOR EACH ROW EXECUTE FUNCTION mtd.notify_identity();
CREATE TRIGGER identity_changed AFTER INSERT OR DELETE
    OR UPDATE OF name, role, scopes, secret_hash, previous_hash, previous_until, expires_at, revoked_at
    ON mtd.api_token FOR EACH ROW EXECUTE FUNCTION mtd.notify_identity();
CREATE TRIGGER identity_changed AFTER INSERT OR DELETE OR UPDATE ON mtd.quota
    FOR EACH ROW EXECUTE FUNCTION mtd.notify_identity();

-- Devices of a tenant that is switched off aren't polled.
CREATE FUNCTION mtd.notify_devices_of_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mtd_device', NEW.tenant_id::text);
    RETURN NULL;
END $$;

CREATE TRIGGER devices_changed AFTER UPDATE OF enabled ON mtd.tenant
    FOR EACH ROW WHEN (OLD.enabled <> NEW.enabled) EXECUTE FUNCTION mtd.notify_devices_of_tenant();

SELECT mtd.raise_wall('mtd.user_account', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.raise_wall('mtd.user_password', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.show_columns('mtd.user_password', 'tenant_id', 'user_id', 'changed_at');
SELECT mtd.raise_wall('mtd.api_token', 'INSERT', 'UPDATE');
SELECT mtd.raise_wall('mtd.quota');
