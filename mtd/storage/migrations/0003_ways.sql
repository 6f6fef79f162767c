-- Ways to a device beside the API: REST and SNMP, and the secrets of SNMP.

ALTER TABLE mtd.device
    -- Those that may be used, the best first; empty: all that there are settings for.
    ADD ways                    text[] NOT NULL DEFAULT '{}' CHECK (ways <@ ARRAY['api', 'rest', 'snmp']),
    ADD rest_port               int4 NOT NULL DEFAULT 0 CHECK (rest_port BETWEEN 0 AND 65535),  -- 0: as the router says
    -- Empty: as the API's.
    ADD rest_tls_mode           text NOT NULL DEFAULT ''
        CHECK (rest_tls_mode IN ('', 'off', 'verify', 'pinned', 'anonymous', 'insecure')),
    ADD rest_tls_fingerprint    text NOT NULL DEFAULT '',
    ADD snmp_version            text NOT NULL DEFAULT '' CHECK (snmp_version IN ('', '2c', '3')),  -- empty: no SNMP
    ADD snmp_port               int4 NOT NULL DEFAULT 161 CHECK (snmp_port BETWEEN 1 AND 65535),
    ADD snmp_username           text NOT NULL DEFAULT '',
    ADD snmp_auth               text NOT NULL DEFAULT 'none' CHECK (snmp_auth IN ('none', 'md5', 'sha1')),
    ADD snmp_priv               text NOT NULL DEFAULT 'none' CHECK (snmp_priv IN ('none', 'des', 'aes'));

-- Secrets besides the password, which older versions of mtd keep in device_credential.
CREATE TABLE mtd.device_secret (
    tenant_id   uuid NOT NULL,
    device_id   uuid NOT NULL,
    name        text NOT NULL CHECK (name IN ('snmp_community', 'snmp_auth_password', 'snmp_priv_password')),
    secret      bytea NOT NULL,  -- encrypted by the vault
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, device_id, name),
    FOREIGN KEY (tenant_id, device_id) REFERENCES mtd.device ON DELETE CASCADE
);

CREATE TRIGGER secret_changed AFTER INSERT OR UPDATE OR DELETE ON mtd.device_secret
    FOR EACH ROW EXECUTE FUNCTION mtd.notify_device();
