"""Lines of routers' logs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtd.core.errors import Refused
from mtd.queries.config import QueriesConfig
from mtd.queries.devices import DeviceQueries
from mtd.queries.limits import TenantLimits
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

EVENT_TYPE = re.compile(r"[a-z0-9_.]{1,100}\*?")
_TOKEN = re.compile(r"(\d{1,18})/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(\d{1,18})/(\d{1,9})")
_SEVERE = 4
_WILD = re.compile(r"[%_\\]")
MAX_NAMES = 100
MAX_SEARCH = 200


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines; what is empty or None holds for all. Times are microseconds since the epoch, [start, end)."""

    devices: Sequence[str] = ()
    event_types: Sequence[str] = ()
    topics: Sequence[str] = ()
    severity: int | None = None
    contains: str = ""
    start_us: int | None = None
    end_us: int | None = None


@dataclass(frozen=True, slots=True)
class LogLineView:
    """One line as it is read. ``device`` is empty if it isn't in the inventory any more."""

    received_us: int
    device_id: str
    device: str
    sender: str
    severity: int | None
    topics: Sequence[str]
    text: str
    original: str
    event_type: str
    entity_type: str
    entity: str
    field: str
    old: str
    new: str
    values: Mapping[str, str]
    repeats: int
    token: str
    """Where what is older begins."""


_SELECT = """
SELECT to_us(r.ts), r.device_id::text, coalesce(d.name, ''), r.sender, r.severity, r.topics, r.text,
       coalesce(r.original, r.head || r.text), r.event_type, r.entity_type, r.entity, r.field, r.old_value, r.new_value,
       r.found, r.repeats, r.log_id::text, r.seq, r.part
FROM log_record r LEFT JOIN device d USING (tenant_id, device_id)
WHERE {conditions} ORDER BY r.ts DESC, r.log_id DESC, r.seq DESC, r.part DESC LIMIT %s
"""


class LogQueries:
    """Reads ``log_record``."""

    def __init__(self, db: Database, limits: TenantLimits | None = None) -> None:
        self._db = db
        self._devices = DeviceQueries(db)
        self._limits = limits or TenantLimits(QueriesConfig())

    async def page(
        self, tenant_id: str, wanted: LogFilter, *, after: str = "", limit: int = 100
    ) -> Sequence[LogLineView]:
        """Return lines, the newest first, at most ``limit`` behind a token. Raises NotFound and Refused."""
        conditions, values = ["r.tenant_id = %s"], [tenant_id]
        await self._of_devices(tenant_id, wanted, conditions, values)
        _what(wanted, conditions, values)
        _when(wanted, after, conditions, values)

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(_SELECT.format(conditions=" AND ".join(conditions)), [*values, limit])
            return tx.fetchall()

        async with self._limits.turn(tenant_id):
            rows = await self._db.run("queries.log_lines", read, tenant=tenant_id)
        return [_view(row) for row in rows]

    async def _of_devices(
        self, tenant_id: str, wanted: LogFilter, conditions: list[str], values: list[Any]
    ) -> None:
        if not wanted.devices:
            return
        if len(wanted.devices) > MAX_NAMES:
            raise Refused(f"devices: {len(wanted.devices)} are more than {MAX_NAMES}")
        ids = [(await self._devices.get(name, tenant_id)).device_id for name in wanted.devices]
        # Of one, the index gives lines in their order.
        conditions.append("r.device_id = %s::uuid" if len(ids) == 1 else "r.device_id = ANY (%s::uuid[])")
        values.append(ids[0] if len(ids) == 1 else ids)


def _what(wanted: LogFilter, conditions: list[str], values: list[Any]) -> None:
    for name, given in (("event_types", wanted.event_types), ("topics", wanted.topics)):
        if len(given) > MAX_NAMES:
            raise Refused(f"{name}: {len(given)} are more than {MAX_NAMES}")
    if wanted.event_types:
        _of_types(wanted.event_types, conditions, values)
    if wanted.topics:
        conditions.append("r.topics && %s")
        values.append(list(wanted.topics))
    if wanted.severity is not None:
        conditions.append("r.severity <= %s")
        values.append(wanted.severity)
        if wanted.severity <= _SEVERE:
            conditions.append("r.severity <= 4")  # said so that the index of those is found
    if wanted.contains:
        if "\0" in wanted.contains:
            raise Refused("contains: U+0000 is in no line")
        if len(wanted.contains) > MAX_SEARCH:
            raise Refused(f"contains: more than {MAX_SEARCH} characters")
        conditions.append("coalesce(r.original, r.head || r.text) ILIKE %s")
        values.append("%" + _WILD.sub(r"\\\g<0>", wanted.contains) + "%")


def _of_types(types: Sequence[str], conditions: list[str], values: list[Any]) -> None:
    """Exact ones, and ranges: both are found by the index."""
    found = ["r.event_type = ANY (%s)"]
    values.append([one for one in types if not one.endswith("*")])
    for one in types:
        if not EVENT_TYPE.fullmatch(one):
            raise Refused(f"event_types: {one!r} is no type of an event, such as interface.oper.changed")
        if one.endswith("*"):
            found.append("(r.event_type >= %s AND r.event_type < %s)")
            values += [one[:-1], one[:-1] + "\x7f"]
    conditions.append(f"r.event_type <> '' AND ({' OR '.join(found)})")


def _when(wanted: LogFilter, after: str, conditions: list[str], values: list[Any]) -> None:
    if wanted.start_us is not None:
        conditions.append("r.ts >= from_us(%s)")
        values.append(wanted.start_us)
    if wanted.end_us is not None:
        conditions.append("r.ts < from_us(%s)")
        values.append(wanted.end_us)
    if after:
        found = _TOKEN.fullmatch(after)
        if found is None:
            raise Refused("page_token is not one that this server gave out; begin without a token")
        # The first says no more than the second, but days that are newer aren't opened for it.
        conditions.append(
            "r.ts <= from_us(%s) AND (r.ts, r.log_id, r.seq, r.part) < (from_us(%s), %s::uuid, %s, %s)"
        )
        values += [int(found[1]), int(found[1]), found[2], int(found[3]), int(found[4])]


def _view(row: Row) -> LogLineView:
    us, device_id, *told, found, repeats, log_id, seq, part = row
    values = (us, device_id or "", *told, found or {}, repeats, f"{us}/{log_id}/{seq}/{part}")
    return LogLineView(*values)
