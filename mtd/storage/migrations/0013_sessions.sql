-- Sessions of people in the console.
--
-- The id of a session is in its browser only; here is its SHA-256, which nobody can log in with.
-- Sessions of super-admins belong to the nil tenant, as their users do.

CREATE TABLE mtd.session (
    tenant_id       uuid NOT NULL,
    user_id         uuid NOT NULL,
    session_hash    bytea NOT NULL CHECK (length(session_hash) = 32),
    method          text NOT NULL CHECK (method IN ('password', 'oidc')),
    peer            text NOT NULL CHECK (length(peer) <= 200),
    agent           text NOT NULL CHECK (length(agent) <= 200),
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_seen_at    timestamptz NOT NULL DEFAULT now(),  -- to some seconds
    idle_s          int4 NOT NULL CHECK (idle_s > 0),
    expires_at      timestamptz NOT NULL,
    PRIMARY KEY (session_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES mtd.user_account ON DELETE CASCADE
);

CREATE INDEX session_of_user ON mtd.session (tenant_id, user_id);

-- Who is disabled, gets another password or another way to log in, or whose tenant is disabled, is
-- logged out for good, whoever did it: enabled again, they log in again. As the owner, for a door
-- may do the first and not the second.
CREATE FUNCTION mtd.end_sessions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'tenant' THEN
        DELETE FROM mtd.session WHERE tenant_id = NEW.tenant_id;
    ELSE
        DELETE FROM mtd.session WHERE tenant_id = NEW.tenant_id AND user_id = NEW.user_id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER sessions_end AFTER UPDATE OF enabled ON mtd.user_account
    FOR EACH ROW WHEN (NOT NEW.enabled) EXECUTE FUNCTION mtd.end_sessions();
CREATE TRIGGER sessions_end_of_person AFTER UPDATE OF oidc_issuer, oidc_subject ON mtd.user_account
    FOR EACH ROW WHEN ((OLD.oidc_issuer, OLD.oidc_subject) <> (NEW.oidc_issuer, NEW.oidc_subject))
    EXECUTE FUNCTION mtd.end_sessions();
CREATE TRIGGER sessions_end AFTER INSERT OR UPDATE OF changed_at ON mtd.user_password
    FOR EACH ROW EXECUTE FUNCTION mtd.end_sessions();
CREATE TRIGGER sessions_end AFTER UPDATE OF enabled ON mtd.tenant
    FOR EACH ROW WHEN (NOT NEW.enabled) EXECUTE FUNCTION mtd.end_sessions();

-- Open pages end with their session, also in other processes: the payload is the hash.
CREATE FUNCTION mtd.notify_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mtd_session', encode(OLD.session_hash, 'hex'));
    RETURN NULL;
END $$;

CREATE TRIGGER session_ended AFTER DELETE ON mtd.session
    FOR EACH ROW EXECUTE FUNCTION mtd.notify_session();

SELECT mtd.raise_wall('mtd.session');
