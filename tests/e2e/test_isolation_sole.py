"""A database for one tenant, by configuration: all that a daemon observes is that tenant's."""

from __future__ import annotations

from mtd.model.device import DEFAULT_TENANT_ID
from tests.e2e.kit import rig, wait_for


def test_isolation_of_a_tenant_with_a_daemon_of_its_own() -> None:
    with rig(
        "fleet", "--routers", "1", "--interfaces", "2", settings={"daemon": {"tenant": "acme"}}
    ) as stage:
        acme = stage.value("SELECT tenant_id::text FROM tenant WHERE name = 'acme'")
        assert acme != DEFAULT_TENANT_ID
        found = stage.routers["lab-0001"]
        address = ["--port", str(found["port"]), "--tls", found["client_tls"]]
        login = ["--user", found["username"], "--password", found["password"]]
        stage.mtd("device", "add", "a", "127.0.0.1", *address, *login)
        wait_for(lambda: "a" in stage.collected(), "polled")
        # A router of another tenant, left in the database: it isn't polled.
        stage.value(
            "WITH added AS (INSERT INTO device (tenant_id, name, host, port, username, tls_mode)"
            " SELECT %s, 'stray', host, port, username, tls_mode FROM device WHERE name = 'a' RETURNING 1)"
            " SELECT count(*) FROM added",
            DEFAULT_TENANT_ID,
        )
        wait_for(
            lambda: stage.value("SELECT count(*) FROM telemetry_frame WHERE tenant_id = %s", acme) > 3,
            "frames of acme",
        )
        for table in ("telemetry_frame", "event", "device_health", "latest", "state_row"):
            assert stage.sql(f"SELECT * FROM {table} WHERE tenant_id <> %s", acme) == [], table
        assert list(stage.devices()) == ["a"]
        assert stage.mtd("device", "list", "--tenant", "default", code=None).code != 0
