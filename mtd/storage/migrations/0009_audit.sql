-- The audit log: one chain of entries over all tenants, so that the removal of a tenant's shows.
--
-- Each entry holds the hash of the one before it and its own, over all its fields
-- (mtd/security/audit_chain.py). Nothing is ever changed; the oldest go when a
-- checkpoint names the last that goes, and an entry of the chain tells of it.

CREATE TABLE mtd.audit_entry (
    position     int8 PRIMARY KEY,  -- 1, 2, 3, ... without gaps
    entry_id     uuid NOT NULL UNIQUE,  -- so that what is sent twice is stored once
    ts           timestamptz NOT NULL,  -- when it happened; it may be stored later
    tenant_id    uuid NOT NULL,
    action       text NOT NULL,
    outcome      text NOT NULL,
    caller_kind  text NOT NULL,
    caller       text NOT NULL,
    caller_id    text NOT NULL,
    role         text NOT NULL,
    peer         text NOT NULL,
    target       text NOT NULL,
    detail       jsonb NOT NULL,  -- texts by name
    prev_hash    bytea NOT NULL CHECK (octet_length(prev_hash) = 32),
    hash         bytea NOT NULL CHECK (octet_length(hash) = 32)
);
CREATE INDEX audit_entry_tenant ON mtd.audit_entry (tenant_id, position);
CREATE INDEX audit_entry_ts ON mtd.audit_entry (ts);

-- The end of the chain: one row, locked by whoever appends.
CREATE TABLE mtd.audit_head (
    one        bool PRIMARY KEY DEFAULT true CHECK (one),
    chain_id   uuid NOT NULL DEFAULT gen_random_uuid(),
    position   int8 NOT NULL DEFAULT 0,
    hash       bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(hash) = 32),
    tenant_id  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'  -- of no tenant
);
INSERT INTO mtd.audit_head DEFAULT VALUES;

-- Up to where entries were removed because their time was over: the last of them.
CREATE TABLE mtd.audit_checkpoint (
    position   int8 PRIMARY KEY,
    hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
    told_by    int8 NOT NULL,  -- the entry that tells of it
    tenant_id  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'  -- of no tenant
);

-- Refuses every change, whoever asks, the owner included: but for the removal of what a checkpoint covers.
CREATE FUNCTION mtd.audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit_entry' THEN
        IF OLD.position <= (SELECT max(c.position) FROM mtd.audit_checkpoint c) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER stays BEFORE UPDATE OR DELETE ON mtd.audit_entry
    FOR EACH ROW EXECUTE FUNCTION mtd.audit_stays();
CREATE TRIGGER stays_whole BEFORE TRUNCATE ON mtd.audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.audit_stays();
CREATE TRIGGER stays BEFORE UPDATE OR DELETE ON mtd.audit_checkpoint
    FOR EACH ROW EXECUTE FUNCTION mtd.audit_stays();
CREATE TRIGGER stays_whole BEFORE TRUNCATE ON mtd.audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.audit_stays();
CREATE TRIGGER stays BEFORE DELETE ON mtd.audit_head
    FOR EACH ROW EXECUTE FUNCTION mtd.audit_stays();
CREATE TRIGGER stays_whole BEFORE TRUNCATE ON mtd.audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.audit_stays();

-- The end of the chain moves forward only, and stays the chain that it is.
CREATE FUNCTION mtd.audit_moves_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.position <= OLD.position OR NEW.chain_id <> OLD.chain_id THEN
        RAISE EXCEPTION 'the audit log is append-only: its end can''t go back from % to %', OLD.position, NEW.position
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moves_on BEFORE UPDATE ON mtd.audit_head
    FOR EACH ROW EXECUTE FUNCTION mtd.audit_moves_on();

-- Removes what the newest checkpoint covers. Nobody but the owner has the right to remove entries otherwise.
CREATE FUNCTION mtd.audit_prune() RETURNS int8 LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed int8;
BEGIN
    DELETE FROM mtd.audit_entry e WHERE e.position <= (SELECT max(c.position) FROM mtd.audit_checkpoint c);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

SELECT mtd.raise_wall('mtd.audit_entry');
SELECT mtd.close_wall('mtd.audit_head');
SELECT mtd.close_wall('mtd.audit_checkpoint');

-- Whoever writes appends, and no more.
REVOKE UPDATE, DELETE ON mtd.audit_entry, mtd.audit_checkpoint FROM mtd_writer;
REVOKE INSERT, DELETE ON mtd.audit_head FROM mtd_writer;
REVOKE EXECUTE ON FUNCTION mtd.audit_prune() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mtd.audit_prune() TO mtd_writer;
