-- Walls between tenants: row-level security on every table.
--
-- mtd_door    what doors work as: sees and changes rows of the tenant that the transaction
--             is for (app.tenant_id), and of no other; none at all if it is for no tenant
-- mtd_writer  what projections, collectors and workers work as: batches mix tenants
--
-- Nobody logs in as either of them. Owners of tables pass the walls, which COPY needs:
-- no door can become the owner. Partitions are granted to nobody, and have row-level
-- security without a policy: asked by themselves, they would pass by their parent's.

DO $$
DECLARE
    wanted text;
    -- Since 16, who made a role is a member of it that may not yet become it.
    needed text := CASE WHEN current_setting('server_version_num')::int4 >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['mtd_door', 'mtd_writer'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', wanted);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of this server was quicker
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION '% may not make the role %, which mtd works as', current_user, wanted
                    USING HINT = format('let a superuser run: CREATE ROLE %I NOLOGIN; GRANT %I TO %I; then run `mtd migrate` again',
                                        wanted, wanted, current_user);
        END;
        BEGIN
            IF NOT pg_has_role(current_user, wanted, needed) THEN
                EXECUTE format('GRANT %I TO %I', wanted, current_user);
            END IF;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION '% may not become the role %, which mtd works as', current_user, wanted
                USING HINT = format('let a superuser run: GRANT %I TO %I; then run `mtd migrate` again',
                                    wanted, current_user);
        END;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = wanted AND (rolsuper OR rolbypassrls))
           OR pg_has_role(wanted, current_user, 'MEMBER') THEN
            RAISE EXCEPTION 'the role % passes row-level security: tenants would see each other', wanted
                USING HINT = format('let a superuser run: ALTER ROLE %I NOSUPERUSER NOBYPASSRLS; REVOKE %I FROM %I;'
                                    ' then run `mtd migrate` again', wanted, current_user, wanted);
        END IF;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA mtd TO mtd_door, mtd_writer;

-- The tenant of a transaction; null if it is for none. The nil uuid is that of rows of no tenant: no door is for
-- it. STABLE, so that it is inlined and computed once.
CREATE FUNCTION mtd.current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(nullif(current_setting('app.tenant_id', true), '')::uuid, '00000000-0000-0000-0000-000000000000'::uuid);

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

-- For tables whose rows doors have no business with: only the writer passes.
CREATE FUNCTION mtd.close_wall(walled regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', walled);
    EXECUTE format('CREATE POLICY writer ON %s TO mtd_writer USING (true) WITH CHECK (true)', walled);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO mtd_writer', walled);
END $$;

-- After raise_wall: doors read no columns but these. They may still write the others.
CREATE FUNCTION mtd.show_columns(walled regclass, VARIADIC shown text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('REVOKE SELECT ON %s FROM mtd_door', walled);
    EXECUTE format('GRANT SELECT (%s) ON %s TO mtd_door',
                   (SELECT string_agg(quote_ident(name), ', ') FROM unnest(shown) AS t (name)), walled);
END $$;

-- Lets doors and the writer read a view, which must be one that asks with the rights of who asks.
CREATE FUNCTION mtd.open_view(opened regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class WHERE oid = opened AND relkind = 'v' AND 'security_invoker=true' = ANY (reloptions)) THEN
        RAISE EXCEPTION '% is no view WITH (security_invoker = true): it would show the rows of all tenants', opened;
    END IF;
    EXECUTE format('GRANT SELECT ON %s TO mtd_door, mtd_writer', opened);
END $$;

-- Lets a login of an operator, such as Grafana's, read by SQL: one tenant, or all if it is null. The policies name the
-- tenant themselves: nothing that the login sets changes what it sees. DROP OWNED BY takes it back.
CREATE FUNCTION mtd.let_read(reader regrole, tenant uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    walled regclass;
    seen text := CASE WHEN tenant IS NULL THEN 'true' ELSE format('tenant_id = %L::uuid', tenant) END;
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE oid = reader AND (rolsuper OR rolbypassrls))
       OR pg_has_role(reader, 'mtd_door', 'MEMBER') OR pg_has_role(reader, 'mtd_writer', 'MEMBER')
       OR pg_has_role(reader, current_user, 'MEMBER') THEN
        RAISE EXCEPTION '% passes the walls already, or may change rows: give this reader a login of its own', reader;
    END IF;
    IF tenant IS NOT NULL AND NOT EXISTS (SELECT FROM mtd.tenant t WHERE t.tenant_id = tenant) THEN
        RAISE EXCEPTION 'there is no tenant %', tenant;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA mtd TO %s', reader);
    FOREACH walled IN ARRAY ARRAY[
        'mtd.tenant', 'mtd.site', 'mtd.device', 'mtd.metric', 'mtd.label_source', 'mtd.series', 'mtd.series_layout',
        'mtd.series_layout_entry', 'mtd.telemetry_frame', 'mtd.telemetry_axis', 'mtd.telemetry_block', 'mtd.latest',
        'mtd.event', 'mtd.device_health', 'mtd.device_status', 'mtd.device_capability', 'mtd.state_row']::regclass[]
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS %I ON %s', 'reader ' || reader, walled);
        EXECUTE format('CREATE POLICY %I ON %s FOR SELECT TO %s USING (%s)', 'reader ' || reader, walled, reader, seen);
        EXECUTE format('GRANT SELECT ON %s TO %s', walled, reader);
    END LOOP;
    FOR walled IN SELECT oid FROM pg_class WHERE relnamespace = 'mtd'::regnamespace AND relkind = 'v' LOOP
        EXECUTE format('GRANT SELECT ON %s TO %s', walled, reader);
    END LOOP;
END $$;

-- Whoever was granted a table before reads it as before, of all tenants; not what everybody was granted:
-- doors are of everybody.
DO $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT c.oid::regclass AS walled, string_agg(DISTINCT a.grantee::regrole::text, ', ') AS roles
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.relnamespace = 'mtd'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND a.grantee NOT IN (0, c.relowner, 'mtd_door'::regrole, 'mtd_writer'::regrole)
        GROUP BY c.oid
    LOOP
        EXECUTE format('CREATE POLICY granted ON %s TO %s USING (true) WITH CHECK (true)', granted.walled, granted.roles);
    END LOOP;
END $$;

-- ------------------------------------------- configuration: changed through doors

SELECT mtd.raise_wall('mtd.tenant');
SELECT mtd.raise_wall('mtd.site', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.raise_wall('mtd.device', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.raise_wall('mtd.device_proposal_decision', 'INSERT', 'UPDATE', 'DELETE');

-- Secrets go in through doors and never come out: not even sealed.
SELECT mtd.raise_wall('mtd.device_credential', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.show_columns('mtd.device_credential', 'tenant_id', 'device_id', 'updated_at');
SELECT mtd.raise_wall('mtd.device_secret', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.show_columns('mtd.device_secret', 'tenant_id', 'device_id', 'name', 'updated_at');

-- ------------------------------------------------------ observations: read by doors

-- A device that is removed takes its current state along.
SELECT mtd.raise_wall('mtd.latest', 'DELETE');
SELECT mtd.raise_wall('mtd.state_row', 'DELETE');
SELECT mtd.raise_wall('mtd.device_status', 'DELETE');
SELECT mtd.raise_wall('mtd.device_capability', 'DELETE');

SELECT mtd.raise_wall('mtd.catalogue_version');
SELECT mtd.raise_wall('mtd.metric');
SELECT mtd.raise_wall('mtd.label_source');
SELECT mtd.raise_wall('mtd.series_layout');
SELECT mtd.raise_wall('mtd.series_layout_entry');
SELECT mtd.raise_wall('mtd.series');
SELECT mtd.raise_wall('mtd.telemetry_frame');
SELECT mtd.raise_wall('mtd.telemetry_axis');
SELECT mtd.raise_wall('mtd.telemetry_block');
SELECT mtd.raise_wall('mtd.rollup_10s');
SELECT mtd.raise_wall('mtd.rollup_1m');
SELECT mtd.raise_wall('mtd.rollup_5m');
SELECT mtd.raise_wall('mtd.event');
SELECT mtd.raise_wall('mtd.device_health');
SELECT mtd.raise_wall('mtd.snapshot');
SELECT mtd.raise_wall('mtd.device_proposal');

-- ------------------------------------------------------------ mtd's own bookkeeping

SELECT mtd.close_wall('mtd.projection_position');
SELECT mtd.close_wall('mtd.event_position_kept');
SELECT mtd.close_wall('mtd.dead_letter');
ALTER TABLE mtd.schema_version ENABLE ROW LEVEL SECURITY;  -- of the owner, who migrates

-- Drawn by who writes events, and looked at by who begins to follow them.
GRANT USAGE, SELECT ON SEQUENCE mtd.event_position TO mtd_writer;

-- --------------------------------------------------------------------------- views

SELECT mtd.open_view('mtd.interface');
SELECT mtd.open_view('mtd.instance_label');
SELECT mtd.open_view('mtd.telemetry');
SELECT mtd.open_view('mtd.metric_latest');
SELECT mtd.open_view('mtd.interface_mac');
SELECT mtd.open_view('mtd.neighbor');
SELECT mtd.open_view('mtd.device_address');

-- ---------------------------------------------------------------------- partitions

-- Those that come are made like this: mtd/storage/partitioned.py. Each takes a lock, of which there are some thousands: those
-- that somebody was granted go first, the others are refused to all but the owner anyway.
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN
        SELECT oid FROM pg_class WHERE relnamespace = 'mtd'::regnamespace AND relkind IN ('r', 'p')
           AND (relispartition OR relname ~ '^telemetry_frame_\d+_gone$')
         ORDER BY relacl IS NULL, relname LIMIT 4000
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', part);
    END LOOP;
END $$;

-- They change tables: of use to their owner only.
REVOKE EXECUTE ON FUNCTION mtd.raise_wall(regclass, text[]), mtd.close_wall(regclass),
    mtd.show_columns(regclass, text[]), mtd.open_view(regclass), mtd.let_read(regrole, uuid) FROM PUBLIC;
