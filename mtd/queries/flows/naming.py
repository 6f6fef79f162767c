"""Names of the interfaces that flows tell of by number."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from mtd.storage.cold.connection import ColdConnection

# RouterOS tells in flows what it tells over SNMP as ifIndex, and that is the internal id of an interface (`.id`),
# which its API writes as "*" and hexadecimal digits. The interfaces egg keys its table and its series by that id, whichever
# way it reads them: see mtd_collector_interfaces.snmp.
_INTERNAL_ID = re.compile(r"\*([0-9A-Fa-f]{1,8})")


class InterfaceName(NamedTuple):
    """``name`` as the router has it, ``label`` as the device's setting wants it shown."""

    name: str
    label: str


def index_of(instance: str) -> int | None:
    """Return the number that flows have for an interface of this internal id; None if it is no such id."""
    found = _INTERNAL_ID.fullmatch(instance)
    return int(found[1], 16) if found is not None else None


def names_of(
    conn: ColdConnection, tenant_id: str, device_ids: Collection[str]
) -> dict[tuple[str, int], InterfaceName]:
    """Return the names of devices' interfaces by device and number. Interfaces of sessions have none."""
    rows = conn.fetch(
        "SELECT device_id::text, interface_id, coalesce(name, ''), coalesce(label, '') FROM interface"
        " WHERE tenant_id = %s AND device_id = ANY (%s::uuid[])",
        (tenant_id, sorted(device_ids)),
    )
    found = {}
    for device_id, instance, name, label in rows:
        index = index_of(instance)
        if index is not None:
            found[device_id, index] = InterfaceName(name, label)
    return found


def devices_of(conn: ColdConnection, tenant_id: str, device_ids: Collection[str]) -> dict[str, str]:
    """Return the names of devices by their ids; of those that are in the inventory."""
    rows = conn.fetch(
        "SELECT device_id::text, name FROM device WHERE tenant_id = %s AND device_id = ANY (%s::uuid[])",
        (tenant_id, sorted(device_ids)),
    )
    return dict(rows)
