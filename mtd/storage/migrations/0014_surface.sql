-- Requests that may be repeated, and where devices belong.

-- What was asked with a request_id, so that the same request is done once. Of the answer
-- only what holds no secret is kept.
CREATE TABLE mtd.api_request (
    tenant_id   uuid NOT NULL,
    request_id  uuid NOT NULL,
    method      text NOT NULL,
    digest      bytea NOT NULL,  -- SHA-256 of the request without its id and its secrets
    claimed_at  timestamptz NOT NULL DEFAULT now(),
    done_at     timestamptz,     -- null: under way, or the daemon ended meanwhile
    answer      bytea,           -- the message, as it was sent; null: not kept
    PRIMARY KEY (tenant_id, request_id)
);
CREATE INDEX api_request_claimed_at ON mtd.api_request (tenant_id, claimed_at);

-- Sites have what people know of them, and revisions like devices.
ALTER TABLE mtd.site ADD CONSTRAINT site_name_check CHECK (name <> '');
ALTER TABLE mtd.site ADD CONSTRAINT site_labels_check CHECK (
    jsonb_typeof(labels) = 'object' AND NOT jsonb_path_exists(labels, '$.* ? (@.type() != "string")'));
ALTER TABLE mtd.site ADD COLUMN address text NOT NULL DEFAULT '';
ALTER TABLE mtd.site ADD COLUMN notes text NOT NULL DEFAULT '';
ALTER TABLE mtd.site ADD COLUMN revision int8 NOT NULL DEFAULT 1;
ALTER TABLE mtd.site ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();

-- The foreign key of devices looks for the devices of a site that is removed.
CREATE INDEX device_site ON mtd.device (tenant_id, site_id) WHERE site_id IS NOT NULL;

-- Groups cut across sites: "core", "resellers". A device may be in several.
CREATE TABLE mtd.device_group (
    tenant_id   uuid NOT NULL REFERENCES mtd.tenant,
    group_id    uuid NOT NULL DEFAULT gen_random_uuid(),
    name        text NOT NULL CHECK (name <> ''),
    labels      jsonb NOT NULL DEFAULT '{}' CHECK (
        jsonb_typeof(labels) = 'object' AND NOT jsonb_path_exists(labels, '$.* ? (@.type() != "string")')),
    notes       text NOT NULL DEFAULT '',
    revision    int8 NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, group_id),
    UNIQUE (tenant_id, name)
);

-- A group in use isn't removed by itself; a device takes its memberships along.
CREATE TABLE mtd.device_group_member (
    tenant_id   uuid NOT NULL,
    group_id    uuid NOT NULL,
    device_id   uuid NOT NULL,
    PRIMARY KEY (tenant_id, device_id, group_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES mtd.device_group,
    FOREIGN KEY (tenant_id, device_id) REFERENCES mtd.device ON DELETE CASCADE
);
CREATE INDEX device_group_member_group ON mtd.device_group_member (tenant_id, group_id);

SELECT mtd.raise_wall('mtd.api_request', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.raise_wall('mtd.device_group', 'INSERT', 'UPDATE', 'DELETE');
SELECT mtd.raise_wall('mtd.device_group_member', 'INSERT', 'UPDATE', 'DELETE');
