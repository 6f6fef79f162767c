"""Stored events, in the order of their positions."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.model.device import DEFAULT_TENANT_ID, Severity
from mtd.queries.patterns import like
from mtd.queries.records import StoredEvent
from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.stores.events import LOCK_TO_READ_POSITIONS
from mtd.storage.txn import Row, Transaction

_SEVERITIES = {1: Severity.INFO, 2: Severity.WARNING, 3: Severity.CRITICAL}
_NUMBERS = {severity: number for number, severity in _SEVERITIES.items()}

_SELECT = (
    "SELECT e.position, to_us(e.ts_collected), coalesce(e.device_id::text, ''), coalesce(d.name, ''),"
    " e.event_type, e.severity, e.entity_type, e.entity_id,"
    " CASE WHEN e.entity_type = 'device' AND e.entity_label = '' THEN coalesce(d.name, '')"
    "      ELSE e.entity_label END,"
    " e.field, e.old_value, e.new_value, e.message"
    " FROM event e LEFT JOIN device d USING (tenant_id, device_id)"
)


class EventQueries:
    """Reads ``event``."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def after(
        self,
        position: int,
        limit: int,
        *,
        tenant_id: str = DEFAULT_TENANT_ID,
        devices: Sequence[str] = (),
        min_severity: Severity = Severity.INFO,
    ) -> list[StoredEvent]:
        """Return at most ``limit`` events behind a position; fewer than that: there are no more now.

        ``devices``: names or ids with wildcards; all, and the collector's own events, if empty.
        """
        patterns = literals.texts(like(pattern) for pattern in devices) if devices else None

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(
                f"{_SELECT} WHERE e.position > %s AND e.tenant_id = %s AND e.severity >= %s"
                " AND (%s::text[] IS NULL OR d.name LIKE ANY (%s::text[]) OR e.device_id::text LIKE ANY (%s::text[]))"
                " ORDER BY e.position LIMIT %s",
                (position, tenant_id, _NUMBERS[min_severity], patterns, patterns, patterns, limit),
            )
            return tx.fetchall()

        rows = await self._db.run("queries.events", read, tenant=tenant_id)
        return [_event(row) for row in rows]

    async def before(
        self,
        position: int | None,
        limit: int,
        *,
        tenant_id: str = DEFAULT_TENANT_ID,
        device_id: str | None = None,
    ) -> list[StoredEvent]:
        """Return at most ``limit`` events before a position, newest first; the newest ones if it is None."""
        # The events of one device are few: found by their own index, they are sorted. Walking back
        # through those of all devices could take for ever.
        order = "e.position" if device_id is None else "e.position + 0"

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(
                f"{_SELECT} WHERE e.tenant_id = %s AND (%s::int8 IS NULL OR e.position < %s)"
                f" AND (%s::uuid IS NULL OR e.device_id = %s) ORDER BY {order} DESC LIMIT %s",
                (tenant_id, position, position, device_id, device_id, limit),
            )
            return tx.fetchall()

        rows = await self._db.run("queries.events_before", read, tenant=tenant_id)
        return [_event(row) for row in rows]

    async def last_position(self) -> int:
        """Return a position that no stored event is behind, and every future one will be.

        Also where retention has taken all events; 0 where there never was one.
        """

        async def read(tx: Transaction) -> int:
            # Who writes at this moment has drawn positions that nobody can read yet.
            await tx.execute(LOCK_TO_READ_POSITIONS)
            await tx.execute("SELECT last_value FROM event_position WHERE is_called")
            row = tx.fetchone()
            return int(row[0]) if row is not None else 0

        return await self._db.run("queries.event_position", read)


def _event(row: Row) -> StoredEvent:
    position, collected_us, device_id, device_name, event_type, severity, *texts = row
    entity_type, entity_id, entity_label, field, old, new, message = texts
    return StoredEvent(
        position=position,
        collected_us=collected_us,
        device_id=device_id,
        device_name=device_name,
        event_type=event_type,
        severity=_SEVERITIES.get(severity, Severity.INFO),
        entity_type=entity_type,
        entity_id=entity_id,
        entity_label=entity_label,
        field=field,
        old=old,
        new=new,
        message=message,
    )
