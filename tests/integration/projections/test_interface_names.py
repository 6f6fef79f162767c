"""What interfaces are called, for who is told of them by number."""

from __future__ import annotations

import pytest

from mtd.storage.stores.interface_names import interface_names
from tests.integration.projections.kit import DEVICE, TENANT, World, in_world, now_us, table

OTHER_TENANT = "20000000-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    ("naming", "label"), [("name", "ether1"), ("comment", "Uplink"), ("both", "ether1 (Uplink)")]
)
def test_names_and_labels_are_those_of_the_inventory(postgres_dsn: str, naming: str, label: str) -> None:
    async def body(world: World) -> None:
        await world.ask(
            "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode, naming)"
            " VALUES (%s, %s, 'core-1', '192.0.2.1', 8728, 'u', 'off', %s)",
            TENANT, DEVICE, naming,
        )  # fmt: skip
        await world.project(
            table(now_us(), {"*1": {"name": "ether1", "comment": "Uplink"}, "*A": {"type": "ether"}})
        )
        assert await interface_names(world.db, TENANT, DEVICE) == {"*1": ("ether1", label)}
        assert await interface_names(world.db, OTHER_TENANT, DEVICE) == {}

    in_world(postgres_dsn, body)
