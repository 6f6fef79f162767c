-- What was found in the network: devices that could be added, and who is next to whom.

-- Looks for neighbours and interfaces read these rows of all devices; no update moves a row in it.
CREATE INDEX state_row_link ON mtd.state_row (tenant_id, table_name)
    WHERE table_name IN ('interface', 'neighbor', 'ip_address', 'ipv6_address');

-- The newest values first, each once, and no more than anybody needs.
CREATE FUNCTION mtd.merged(newer anyarray, older anyarray) RETURNS anyarray LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT array(SELECT value FROM unnest(newer || older) WITH ORDINALITY AS t (value, n)
                       GROUP BY value ORDER BY min(n) LIMIT 16) $$;

-- Made of the log. Texts are the newest that were told; empty: not told.
CREATE TABLE mtd.device_proposal (
    tenant_id       uuid NOT NULL,
    proposal_id     uuid NOT NULL,  -- derived from what it is known by
    log_id          uuid NOT NULL,  -- newest event that told of it
    seq             int8 NOT NULL,
    thing           text NOT NULL,  -- what it is known by, whichever of its interfaces was seen
    address         text NOT NULL,
    mac_address     text NOT NULL,
    identity        text NOT NULL,
    platform        text NOT NULL,
    version         text NOT NULL,
    board           text NOT NULL,
    software_id     text NOT NULL,
    interface_name  text NOT NULL,
    addresses       text[] NOT NULL,  -- all that it was seen with
    mac_addresses   text[] NOT NULL,
    ports           int4[] NOT NULL,
    found_by        text[] NOT NULL,
    first_seen_at   timestamptz NOT NULL,
    last_seen_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, proposal_id)
) WITH (fillfactor = 70);

-- Made by operators: it stays when proposals are made again of the log. None: nobody decided.
CREATE TABLE mtd.device_proposal_decision (
    tenant_id   uuid NOT NULL REFERENCES mtd.tenant,
    proposal_id uuid NOT NULL,
    state       text NOT NULL CHECK (state IN ('ignored', 'adopted')),
    device_id   uuid,  -- what it was adopted as; a device that is removed may be proposed again
    decided_at  timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'adopted') = (device_id IS NOT NULL)),
    PRIMARY KEY (tenant_id, proposal_id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES mtd.device ON DELETE CASCADE
);

-- MAC addresses of the interfaces of devices. Those of VRRP belong to whoever is master.
CREATE VIEW mtd.interface_mac WITH (security_invoker = true) AS
SELECT s.tenant_id, s.device_id, s.row_key AS interface_id, s.fields ->> 'name' AS name,
       upper(s.fields ->> 'mac-address') AS mac_address
FROM mtd.state_row s
JOIN mtd.device d USING (tenant_id, device_id)
WHERE s.table_name = 'interface' AND s.fields ->> 'mac-address' <> ''
  AND upper(s.fields ->> 'mac-address') NOT LIKE '00:00:5E:00:0_:%'
  AND s.fields ->> 'mac-address' <> '00:00:00:00:00:00';

-- Who is next to whom: which interface of a device has which neighbour, and, where
-- the neighbour is a device as well, which interface of that it is.
CREATE VIEW mtd.neighbor WITH (security_invoker = true) AS
SELECT DISTINCT ON (s.tenant_id, s.device_id, s.row_key)
       s.tenant_id, s.device_id, d.name AS device, s.row_key AS neighbor_key,
       split_part(s.fields ->> 'interface', ',', 1) AS interface,
       i.row_key AS interface_id,
       coalesce(s.fields ->> 'address', '') AS address,
       coalesce(upper(s.fields ->> 'mac-address'), '') AS mac_address,
       coalesce(s.fields ->> 'identity', '') AS identity,
       coalesce(s.fields ->> 'platform', '') AS platform,
       coalesce(s.fields ->> 'version', '') AS version,
       coalesce(s.fields ->> 'board', '') AS board,
       coalesce(s.fields ->> 'system-description', '') AS system_description,
       coalesce(s.fields ->> 'discovered-by', '') AS discovered_by,
       coalesce(s.fields ->> 'interface-name', '') AS interface_name,
       m.device_id AS neighbor_device_id, n.name AS neighbor_device, m.interface_id AS neighbor_interface_id,
       s.first_seen, s.changed_at
FROM mtd.state_row s
JOIN mtd.device d ON d.tenant_id = s.tenant_id AND d.device_id = s.device_id
LEFT JOIN mtd.state_row i
       ON i.tenant_id = s.tenant_id AND i.device_id = s.device_id AND i.table_name = 'interface'
      AND i.fields ->> 'name' = split_part(s.fields ->> 'interface', ',', 1)
LEFT JOIN mtd.interface_mac m
       ON m.tenant_id = s.tenant_id AND m.mac_address = upper(s.fields ->> 'mac-address')
      AND m.device_id <> s.device_id
LEFT JOIN mtd.device n ON n.tenant_id = m.tenant_id AND n.device_id = m.device_id
WHERE s.table_name = 'neighbor'
-- Several interfaces of a device may share a MAC address: the one that it names itself goes first.
ORDER BY s.tenant_id, s.device_id, s.row_key,
         (m.name = regexp_replace(coalesce(s.fields ->> 'interface-name', ''), '^.*/', '')) DESC NULLS LAST,
         m.device_id, m.interface_id;

-- All addresses by which a device is known: that at which it is polled, and its own.
CREATE VIEW mtd.device_address WITH (security_invoker = true) AS
SELECT tenant_id, device_id, host AS address FROM mtd.device
UNION ALL
SELECT s.tenant_id, s.device_id, split_part(s.fields ->> 'address', '/', 1)
FROM mtd.state_row s
JOIN mtd.device d USING (tenant_id, device_id)
WHERE s.table_name IN ('ip_address', 'ipv6_address') AND s.fields ->> 'address' <> '';
