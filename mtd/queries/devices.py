"""Devices with what was learned about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from mtd.core.errors import NotFound
from mtd.model.device import DEFAULT_TENANT_ID, DeviceStatus
from mtd.model.ways import TABLE, states_of
from mtd.queries.records import DeviceView
from mtd.storage.pool import Database
from mtd.storage.stores.device_settings import COLUMNS, DeviceRecord, record_of
from mtd.storage.stores.places import GROUPS, SITES, place_id
from mtd.storage.txn import Row, Transaction

_DEVICE_COLUMNS = ", ".join(f"d.{name.strip()}" for name in COLUMNS.split(","))
_SELECT = f"""
SELECT coalesce(s.status, 'unknown'), coalesce(s.reason, ''), to_us(s.since),
       to_us(greatest(s.last_ok_at, (SELECT max(l.ts_collected) FROM latest l
                                     WHERE l.tenant_id = d.tenant_id AND l.device_id = d.device_id))),
       coalesce(s.routeros_version, ''), coalesce(s.board_name, ''), coalesce(s.identity, ''),
       coalesce(s.routeros_major, 0),
       (SELECT jsonb_object_agg(c.name, c.detail) FROM device_capability c
        WHERE c.tenant_id = d.tenant_id AND c.device_id = d.device_id AND c.present),
       (SELECT jsonb_object_agg(c.name, c.detail) FROM device_capability c
        WHERE c.tenant_id = d.tenant_id AND c.device_id = d.device_id AND NOT c.present),
       (SELECT jsonb_object_agg(w.row_key, w.fields) FROM state_row w
        WHERE w.tenant_id = d.tenant_id AND w.device_id = d.device_id AND w.table_name = '{TABLE}'),
       coalesce((SELECT p.name FROM site p WHERE p.tenant_id = d.tenant_id AND p.site_id = d.site_id), ''),
       (SELECT array_agg(g.name ORDER BY g.name) FROM device_group_member m
        JOIN device_group g USING (tenant_id, group_id)
        WHERE m.tenant_id = d.tenant_id AND m.device_id = d.device_id),
       u.collector, to_us(u.since), u.stopped,
       {_DEVICE_COLUMNS}
FROM device d LEFT JOIN device_status s USING (tenant_id, device_id)
LEFT JOIN device_unobserved u USING (tenant_id, device_id)
WHERE d.tenant_id = %s
"""  # noqa: S608 - composed of constants


class DeviceQueries:
    """Reads the inventory together with the status."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, device: str, tenant_id: str = DEFAULT_TENANT_ID) -> DeviceView:
        """Return a device by its name or id. Raises NotFound."""

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(
                f"{_SELECT} AND (d.device_id::text = %s OR d.name = %s) ORDER BY d.device_id::text = %s DESC LIMIT 1",
                (tenant_id, device, device, device),
            )
            return tx.fetchall()

        rows = await self._db.run("queries.device", read, tenant=tenant_id)
        if not rows:
            raise NotFound(f"there is no device {device!r}")
        return _view(rows[0])

    async def list(
        self,
        tenant_id: str = DEFAULT_TENANT_ID,
        *,
        after_name: str = "",
        limit: int = 100,
        site: str = "",
        group: str = "",
    ) -> Sequence[DeviceView]:
        """Return devices by name, at most ``limit`` behind ``after_name``.

        Of a site and of a group, by name or id, where one is given. Raises NotFound if there is no such one.
        """

        async def read(tx: Transaction) -> Sequence[Row]:
            where, values = "", []
            if site:
                where += " AND d.site_id = %s"
                values.append(await place_id(tx, tenant_id, SITES, site))
            if group:
                where += (
                    " AND EXISTS (SELECT FROM device_group_member m WHERE m.tenant_id = d.tenant_id"
                    " AND m.device_id = d.device_id AND m.group_id = %s)"
                )
                values.append(await place_id(tx, tenant_id, GROUPS, group))
            await tx.execute(
                f"{_SELECT}{where} AND d.name > %s ORDER BY d.name LIMIT %s",
                (tenant_id, *values, after_name, limit),
            )
            return tx.fetchall()

        return [_view(row) for row in await self._db.run("queries.devices", read, tenant=tenant_id)]


def view_of_new(record: DeviceRecord) -> DeviceView:
    """Return the view of a device that was just added: nothing is known of it yet."""
    return DeviceView(
        device_id=record.device_id,
        tenant_id=record.tenant_id,
        settings=record.settings,
        revision=record.revision,
        created_us=_us(record.created_at),
        updated_us=_us(record.updated_at),
        status=DeviceStatus.UNKNOWN if record.settings.enabled else DeviceStatus.DISABLED,
    )


def shown_status(
    status: str, reason: str, *, enabled: bool, absent: str | None = None, stopped: bool = False
) -> tuple[DeviceStatus, str]:
    """Return a stored status as the inventory's last word has it: that may be newer.

    While ``absent``, the collector that is to poll it, isn't there, nothing is known of a device: it isn't down.
    """
    if not enabled:
        return DeviceStatus.DISABLED, ""
    if absent is not None:
        how = "was stopped" if stopped else "isn't heard of"
        before = (
            f"; it was {status} before"
            if status in (DeviceStatus.UP, DeviceStatus.DEGRADED, DeviceStatus.DOWN)
            else ""
        )
        return DeviceStatus.UNKNOWN, f"its collector {absent} {how}{before}"
    if status == DeviceStatus.DISABLED:
        return DeviceStatus.UNKNOWN, "switched on, not polled yet"
    return DeviceStatus(status), reason


def _view(row: Row) -> DeviceView:
    status, reason, since_us, last_seen_us, version, board, identity, *more = row
    major, capabilities, lacking, ways, site, groups, collector, absent_us, stopped, *columns = more
    new = view_of_new(record_of(tuple(columns)))
    status, reason = shown_status(
        status, reason, enabled=new.settings.enabled, absent=collector, stopped=bool(stopped)
    )
    return replace(
        new,
        settings=replace(new.settings, site=site, groups=tuple(groups or ())),
        status=status,
        status_reason=reason,
        status_since_us=since_us if collector is None else absent_us,
        last_seen_us=last_seen_us,
        routeros_version=version,
        board_name=board,
        identity=identity,
        capabilities=capabilities or {},
        absent_capabilities=lacking or {},
        routeros_major=major,
        ways=states_of(ways or {}),
    )


def _us(time: dt.datetime) -> int:
    return (time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
