-- Who polls what: leases, collectors that take part, and the device of each.

-- Names that somebody holds for a while. Whether a lease is over is judged by this server's clock.
CREATE TABLE mtd.lease (
    tenant_id   uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',  -- of no tenant
    name        text NOT NULL CHECK (name <> ''),
    holder      text NOT NULL CHECK (holder <> ''),
    epoch       int8 NOT NULL,  -- grows with each new holder
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name)
) WITH (fillfactor = 50);

-- One row: what the coordinator's transactions are fenced by. It is locked by all that change an assignment, so that
-- revisions are seen in their order.
CREATE TABLE mtd.coordination (
    tenant_id       uuid PRIMARY KEY DEFAULT '00000000-0000-0000-0000-000000000000'
                    CHECK (tenant_id = '00000000-0000-0000-0000-000000000000'),
    term            int8 NOT NULL DEFAULT 0,  -- grows with each coordinator: an older one changes nothing any more
    coordinator     text NOT NULL DEFAULT '',
    revision        int8 NOT NULL DEFAULT 0,  -- grows with each change of assignments
    changed_at      timestamptz NOT NULL DEFAULT now()
);
INSERT INTO mtd.coordination DEFAULT VALUES;

-- Processes that poll, or did: edges of a tenant, and daemons of no tenant.
CREATE TABLE mtd.collector_membership (
    tenant_id       uuid NOT NULL,
    collector_id    text NOT NULL CHECK (collector_id <> ''),  -- an edge's is a UUID; a daemon's is its name
    name            text NOT NULL,
    instance_id     uuid NOT NULL,   -- of this start of it
    term            int8 NOT NULL,   -- grows each time that it joins
    lease_epoch     int8 NOT NULL,   -- of the lease by which it takes part
    version         text NOT NULL DEFAULT '',
    edge            bool NOT NULL,
    tenants         uuid[],          -- that it may poll for; null: all
    state           text NOT NULL CHECK (state IN ('online', 'offline', 'left')),
    joined_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),  -- of the state
    PRIMARY KEY (collector_id)
);
CREATE INDEX collector_membership_tenant ON mtd.collector_membership (tenant_id);

-- What operators say about collectors that poll.
CREATE TABLE mtd.collector_setting (
    tenant_id       uuid NOT NULL,
    collector_id    text NOT NULL CHECK (collector_id <> ''),
    draining        bool NOT NULL DEFAULT false,
    weight          float8 NOT NULL DEFAULT 1 CHECK (weight > 0 AND weight <= 1000),
    sites_only      bool NOT NULL DEFAULT false,  -- polls nothing but its sites, and nobody else polls these
    canary_percent  int2 CHECK (canary_percent BETWEEN 0 AND 100),
    canary_group_id uuid,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collector_id),
    FOREIGN KEY (tenant_id, canary_group_id) REFERENCES mtd.device_group ON DELETE SET NULL (canary_group_id)
);
CREATE INDEX collector_setting_tenant ON mtd.collector_setting (tenant_id);

-- Sites whose devices a collector polls rather than others.
CREATE TABLE mtd.collector_site (
    tenant_id       uuid NOT NULL,
    collector_id    text NOT NULL CHECK (collector_id <> ''),
    site_id         uuid NOT NULL,
    PRIMARY KEY (tenant_id, collector_id, site_id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES mtd.site ON DELETE CASCADE
);

-- A device, or the devices of a site, may be polled by two collectors at a time.
ALTER TABLE mtd.device ADD COLUMN collector text NOT NULL DEFAULT '';  -- that polls it if it can; empty: any
ALTER TABLE mtd.device ADD COLUMN redundancy int2 CHECK (redundancy BETWEEN 1 AND 2);  -- null: as its site says
ALTER TABLE mtd.site ADD COLUMN redundancy int2 CHECK (redundancy BETWEEN 1 AND 2);    -- null: one

-- Who polls a device. ``slot`` 1 is of those that two poll.
CREATE TABLE mtd.device_assignment (
    tenant_id       uuid NOT NULL,
    device_id       uuid NOT NULL,
    slot            int2 NOT NULL DEFAULT 0 CHECK (slot BETWEEN 0 AND 1),
    collector_id    text NOT NULL CHECK (collector_id <> ''),
    epoch           int8 NOT NULL,  -- what it observes carries it; of both slots the same
    granted_epoch   int8 NOT NULL,  -- when this collector got it: what it says of an older one is out of date
    state           text NOT NULL CHECK (state IN ('assigned', 'releasing', 'free')),
    hold            text NOT NULL CHECK (hold IN ('lease', 'exclusive', 'withdrawn')),  -- by what it is polled
    revision        int8 NOT NULL,  -- of its last change
    reason          text NOT NULL DEFAULT '',
    since           timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, device_id, slot),
    FOREIGN KEY (tenant_id, device_id) REFERENCES mtd.device ON DELETE CASCADE
) WITH (fillfactor = 70);
CREATE INDEX device_assignment_collector ON mtd.device_assignment (collector_id);

-- The newest values of a device are those of its newest collector.
ALTER TABLE mtd.latest ADD COLUMN lease_epoch int8 NOT NULL DEFAULT 0;

-- Of devices that two collectors poll at a time: which poll of an interval was kept. It is written with its frame, so
-- that the other one, however late it comes, finds it.
CREATE TABLE mtd.redundant_poll (
    tenant_id       uuid NOT NULL,
    device_id       uuid NOT NULL,
    poll_group      text NOT NULL,
    interval_start  timestamptz NOT NULL,
    log_id          uuid NOT NULL,
    seq             int8 NOT NULL,
    PRIMARY KEY (tenant_id, device_id, poll_group, interval_start)
);
CREATE INDEX redundant_poll_start ON mtd.redundant_poll USING brin (interval_start);
CREATE INDEX redundant_poll_log ON mtd.redundant_poll (log_id, seq);

-- Coordinators look again when something changed by which they decide.
CREATE FUNCTION mtd.notify_coordinator() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mtd_coordination', 'plan');
    RETURN NULL;
END $$;

CREATE TRIGGER coordination_changed AFTER INSERT OR UPDATE OR DELETE ON mtd.collector_setting
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.notify_coordinator();
CREATE TRIGGER coordination_changed AFTER INSERT OR UPDATE OR DELETE ON mtd.collector_site
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.notify_coordinator();
CREATE TRIGGER coordination_changed AFTER INSERT OR UPDATE OF tenants, state, term ON mtd.collector_membership
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.notify_coordinator();
CREATE TRIGGER coordination_changed AFTER INSERT OR DELETE ON mtd.device_group_member
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.notify_coordinator();
-- Devices of the site are polled otherwise, and planned anew.
CREATE FUNCTION mtd.notify_devices_of_site() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mtd_device', '');
    RETURN NULL;
END $$;
CREATE TRIGGER devices_changed AFTER UPDATE OF redundancy ON mtd.site
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.notify_devices_of_site();
CREATE TRIGGER coordination_changed AFTER UPDATE OF state ON mtd.collector
    FOR EACH STATEMENT EXECUTE FUNCTION mtd.notify_coordinator();

SELECT mtd.close_wall('mtd.lease');
SELECT mtd.close_wall('mtd.coordination');
SELECT mtd.close_wall('mtd.redundant_poll');
SELECT mtd.raise_wall('mtd.collector_membership');
SELECT mtd.raise_wall('mtd.collector_setting', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.raise_wall('mtd.collector_site', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.raise_wall('mtd.device_assignment');
