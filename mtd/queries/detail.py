"""One device with all that is known of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.metric import Tier
from mtd.model.selection import EVERYTHING, REST, explained
from mtd.model.selection import TABLE as SELECTION
from mtd.queries.devices import DeviceQueries
from mtd.queries.records import CapabilityRow, DeviceDetail, InterfaceRow
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

MAX_INTERFACES = 5000

Fields = Mapping[str, str]


class DetailQueries:
    """Reads the inventory, the status, capabilities and interfaces."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._devices = DeviceQueries(db)

    async def detail(self, device_id: str, tenant_id: str = DEFAULT_TENANT_ID) -> DeviceDetail:
        """Return a device by its id. Raises NotFound."""
        view = await self._devices.get(device_id, tenant_id)
        device = (tenant_id, view.device_id)

        async def read(tx: Transaction) -> tuple[list[Row], list[Row], _Interfaces]:
            await tx.execute(
                "SELECT serial_number, architecture FROM device_status WHERE tenant_id = %s AND device_id = %s",
                device,
            )
            status = tx.fetchall()
            await tx.execute(
                "SELECT name, present, detail FROM device_capability WHERE tenant_id = %s AND device_id = %s"
                " ORDER BY name",
                device,
            )
            capabilities = tx.fetchall()
            return status, capabilities, await _read_interfaces(tx, device)

        status, capabilities, interfaces = await self._db.run("queries.device_detail", read, tenant=tenant_id)
        serial_number, architecture = status[0] if status else ("", "")
        return DeviceDetail(
            view,
            serial_number,
            architecture,
            [CapabilityRow(*row) for row in capabilities],
            await asyncio.to_thread(_interfaces, interfaces),
        )

    async def interfaces(self, device_id: str, tenant_id: str = DEFAULT_TENANT_ID) -> list[InterfaceRow]:
        """Return the interfaces of a device by its id, by their names."""

        async def read(tx: Transaction) -> _Interfaces:
            return await _read_interfaces(tx, (tenant_id, device_id))

        found = await self._db.run("queries.interfaces", read, tenant=tenant_id)
        return await asyncio.to_thread(_interfaces, found)


@dataclass(frozen=True, slots=True)
class _Interfaces:
    """What the tables say of interfaces, of ethernet ports, and of what is chosen for the live tier."""

    rows: Sequence[Row]
    ports: Sequence[Row]
    chosen: Sequence[Row]


async def _read_interfaces(tx: Transaction, device: tuple[str, str]) -> _Interfaces:
    await tx.execute(
        "SELECT interface_id, name, comment, label, type, to_us(changed_at), fields FROM interface"
        " WHERE tenant_id = %s AND device_id = %s ORDER BY name LIMIT %s",
        (*device, MAX_INTERFACES),
    )
    rows = tx.fetchall()
    await tx.execute(
        "SELECT row_key, fields FROM state_row WHERE tenant_id = %s AND device_id = %s"
        " AND table_name = 'ethernet' LIMIT %s",
        (*device, MAX_INTERFACES),
    )
    ports = tx.fetchall()
    await tx.execute(
        "SELECT fields, to_us(changed_at) FROM state_row WHERE tenant_id = %s AND device_id = %s"
        " AND table_name = %s AND fields ->> 'scope' = 'iface'",
        (*device, SELECTION),
    )
    return _Interfaces(rows, ports, tx.fetchall())


def _interfaces(found: _Interfaces) -> list[InterfaceRow]:
    """Return interfaces, each with what its ethernet port says of itself, and how often it is read."""
    by_name = {fields.get("name", key): fields for key, fields in found.ports}
    chosen = {fields["instance"]: (fields, since_us) for fields, since_us in found.chosen}
    return [
        InterfaceRow(
            interface_id,
            name or interface_id,
            comment,
            label or name or interface_id,
            kind or "",
            changed_us,
            _joined(fields, by_name.get(name, {})),
            *_tier(interface_id, chosen),
        )
        for interface_id, name, comment, label, kind, changed_us, fields in found.rows
    ]


def _tier(interface_id: str, chosen: Mapping[str, tuple[Fields, int]]) -> tuple[str, str, str, int | None]:
    """Return the tier, the reason, the reason in words, and since when. Nothing is chosen: everything is live."""
    if interface_id in chosen:
        fields, since_us = chosen[interface_id]
        return fields["tier"], fields["reason"], explained(fields["reason"]), since_us
    for fields, _ in chosen.values():
        return fields["rest"], REST, explained(REST), None
    return Tier.T0, EVERYTHING, explained(EVERYTHING), None


def _joined(fields: Fields, port: Fields) -> Fields:
    return {**fields, **{f"ethernet.{key}": value for key, value in port.items()}}
