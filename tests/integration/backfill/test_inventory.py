"""Devices for a history: those that are known, and generated ones."""

from __future__ import annotations

import pytest

from mtd.backfill.inventory import generated_devices, known_devices, tenant_of
from mtd.core.errors import NotFound
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.storage.cold.connection import ColdConnection

NORTH = "00000000-0000-4000-8000-000000000002"

pytestmark = pytest.mark.postgres


def test_generated_devices_are_switched_off_and_named(postgres_dsn: str) -> None:
    with ColdConnection(postgres_dsn) as connection:
        plans = generated_devices(connection, 2, 3, DEFAULT_TENANT_ID)
        assert generated_devices(connection, 2, 3, DEFAULT_TENANT_ID) == plans
        assert connection.fetch("SELECT name, enabled FROM mtd.device ORDER BY 1") == [
            ("generated-001", False),
            ("generated-002", False),
        ]
        assert connection.fetch("SELECT count(*) FROM mtd.device_credential") == [(0,)]
        names = connection.fetch(
            "SELECT interface_id, name FROM mtd.interface WHERE device = 'generated-001'"
        )
        assert names == [("*1", "ether1"), ("*2", "ether2"), ("*3", "ether3")]


def test_devices_that_are_known_have_their_own_ports(postgres_dsn: str) -> None:
    with ColdConnection(postgres_dsn) as connection:
        made = generated_devices(connection, 2, 3, DEFAULT_TENANT_ID)
        connection.execute("DELETE FROM mtd.state_row WHERE device_id = %s", [made[1].device_id])
        found = known_devices(connection, [], 7, DEFAULT_TENANT_ID)
        assert [plan.name for plan in found] == ["generated-001", "generated-002"]
        assert [port.instance for port in found[0].ports] == ["*1", "*2", "*3"]
        assert len(found[1].ports) == 7
        assert known_devices(connection, ["generated-002"], 7, DEFAULT_TENANT_ID) == found[1:]
        with pytest.raises(NotFound, match="nowhere"):
            known_devices(connection, ["nowhere"], 7, DEFAULT_TENANT_ID)


def test_tenants_have_devices_of_their_own(postgres_dsn: str) -> None:
    with ColdConnection(postgres_dsn) as connection:
        assert (
            tenant_of(connection, "default") == tenant_of(connection, DEFAULT_TENANT_ID) == DEFAULT_TENANT_ID
        )
        connection.execute("INSERT INTO mtd.tenant (tenant_id, name) VALUES (%s, 'north')", [NORTH])
        assert tenant_of(connection, "north") == NORTH
        ours = generated_devices(connection, 2, 3, DEFAULT_TENANT_ID)
        theirs = generated_devices(connection, 2, 3, NORTH)
        assert {plan.device_id for plan in ours}.isdisjoint(plan.device_id for plan in theirs)
        assert known_devices(connection, [], 3, NORTH) == theirs
        assert known_devices(connection, [], 3, DEFAULT_TENANT_ID) == ours
        with pytest.raises(NotFound, match="'south'"):
            tenant_of(connection, "south")
