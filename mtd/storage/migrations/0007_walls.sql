-- Walls between tenants: row-level security on every table that belongs to tenants.
--
-- mtd_door    what doors work as: sees and changes rows of the tenant that the transaction
--             is for (app.tenant_id), and of no other; none at all if it is for no tenant
-- mtd_writer  what projections, collectors and workers work as: batches mix tenants
--
-- Nobody logs in as either of them. Owners of tables pass the walls, which COPY needs:
-- no door can become the owner. Partitions are granted to nobody: what isn't asked
-- through its parent would pass by the parent's policies.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['mtd_door', 'mtd_writer'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', wanted);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- another database of this server was quicker
        END;
        IF NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', wanted, current_user);
        END IF;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA mtd TO mtd_door, mtd_writer;

-- The tenant of a transaction; null if it is for none. STABLE, so that it is inlined and computed once.
CREATE FUNCTION mtd.current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('app.tenant_id', true), '')::uuid $$;

-- Puts a table behind the wall, and says what doors may do with it beside reading: any of
-- INSERT, UPDATE, DELETE. Every table with rows of tenants is given to it by the migration
-- that makes the table.
CREATE FUNCTION mtd.raise_wall(walled regclass, VARIADIC door_changes text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    change text;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', walled);
    EXECUTE format(
        'CREATE POLICY door ON %s TO mtd_door USING (tenant_id = mtd.current_tenant())'
        ' WITH CHECK (tenant_id = mtd.current_tenant())', walled);
    EXECUTE format('CREATE POLICY writer ON %s TO mtd_writer USING (true) WITH CHECK (true)', walled);
    EXECUTE format('GRANT SELECT ON %s TO mtd_door', walled);
    FOREACH change IN ARRAY door_changes LOOP
        EXECUTE format('GRANT %s ON %s TO mtd_door', change, walled);
    END LOOP;
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO mtd_writer', walled);
END $$;
