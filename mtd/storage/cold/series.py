"""The numbers of series."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from mtd.storage.cold.connection import ColdConnection


class SeriesKey(NamedTuple):
    """A series of a device; ``lane`` is counter or gauge."""

    metric: str
    instance: str
    lane: str
    poll_group: str


class SeriesIds:
    """Numbers by device and key, remembered for the devices that were asked for last."""

    def __init__(self, devices: int = 1000) -> None:
        self._devices = devices
        self._known: dict[str, dict[SeriesKey, int]] = {}

    def get_or_create(
        self, connection: ColdConnection, tenant_id: str, device_id: str, keys: Collection[SeriesKey]
    ) -> dict[SeriesKey, int]:
        """Return the numbers of series of a device; those that are new are given one.

        Better outside of a transaction: what is made in one isn't remembered,
        because it may be rolled back.
        """
        known = self._known.get(device_id)
        if known is None or not all(key in known for key in keys):
            known = self._read(connection, device_id)
        missing = [key for key in keys if key not in known]
        if missing:
            connection.execute(
                "INSERT INTO mtd.series (tenant_id, device_id, metric, instance, lane, poll_group)"
                " SELECT %s::uuid, %s::uuid, * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])"
                " ON CONFLICT DO NOTHING",
                [tenant_id, device_id, *map(list, zip(*missing, strict=True))],
            )
            known = self._read(connection, device_id)
        if not (missing and connection.in_transaction):
            self._remember(device_id, known)
        return {key: known[key] for key in keys}

    def _read(self, connection: ColdConnection, device_id: str) -> dict[SeriesKey, int]:
        rows = connection.fetch(
            "SELECT metric, instance, lane, poll_group, series_id FROM mtd.series WHERE device_id = %s",
            [device_id],
        )
        return {SeriesKey(*names): number for *names, number in rows}

    def _remember(self, device_id: str, known: dict[SeriesKey, int]) -> None:
        self._known.pop(device_id, None)
        self._known[device_id] = known
        while len(self._known) > self._devices:
            del self._known[next(iter(self._known))]


def tenant_names(connection: ColdConnection) -> dict[str, str]:
    """Return the name of each tenant by its id."""
    return {
        str(key): str(name) for key, name in connection.fetch("SELECT tenant_id::text, name FROM mtd.tenant")
    }
