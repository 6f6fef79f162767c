"""Stored events, in the order of their positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtd.model.device import DEFAULT_TENANT_ID, Severity
from mtd.model.evidence import Source, source_of
from mtd.queries.patterns import like
from mtd.queries.records import Evidence, StoredEvent
from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.stores.events import LOCK_TO_READ_POSITIONS
from mtd.storage.txn import Row, Transaction

_SEVERITIES = {1: Severity.INFO, 2: Severity.WARNING, 3: Severity.CRITICAL}
_NUMBERS = {severity: number for number, severity in _SEVERITIES.items()}

_TOLD = (
    "event_type",
    "severity",
    "entity_type",
    "entity_id",
    "entity_label",
    "field",
    "old_value",
    "new_value",
    "message",
)


def _columns(row: str) -> str:
    told = (f"{row}.{name}" for name in (*_TOLD, "source"))
    return f"to_us({row}.ts_collected), {', '.join(told)}, {row}.log_id::text, {row}.seq, {row}.part"


_MATE_OF = (
    "{0}.tenant_id = {1}.tenant_id AND {0}.device_id = {1}.device_id AND {0}.ts_collected = {1}.mate_ts"
    " AND {0}.log_id = {1}.mate_log_id AND {0}.seq = {1}.mate_seq AND {0}.part = {1}.mate_part"
)
_IS_ITSELF = "({0}.log_id, {0}.seq, {0}.part) = ({1}.log_id, {1}.seq, {1}.part)"


def mates_of(wanted: str) -> str:
    """Return what looks for the rows ``m`` and ``n`` that tell the same fact as ``e``, where there are any and they are wanted."""
    return f"""
LEFT JOIN LATERAL (
    SELECT o.* FROM event o WHERE e.mate_ts IS NOT NULL AND {wanted} AND {_MATE_OF.format("o", "e")} LIMIT 1
) m ON true LEFT JOIN LATERAL (
    SELECT o.* FROM event o WHERE m.mate_ts IS NOT NULL AND {_MATE_OF.format("o", "m")}
      AND NOT {_IS_ITSELF.format("o", "e")} LIMIT 1
) n ON true
"""  # noqa: S608 - composed of constants


_BEST_FIRST = (Source.POLL, Source.TRAP, Source.SYSLOG)
SEVERITY = (
    "coalesce("
    + ", ".join(
        f"CASE WHEN {row}.source = {source:d} THEN {row}.severity END"
        for source in _BEST_FIRST
        for row in "emn"
    )
    + ", e.severity)"
)
"""How grave it is: a poll knows best what was wanted, a trap tells something of it, and a line nothing."""

# Of rows that tell one fact the last one in position is shown, so that streams come by what has changed.
_SELECT = f"""
SELECT e.position, coalesce(e.device_id::text, ''), coalesce(d.name, ''),
       {_columns("e")}, m.position, {_columns("m")}, n.position, {_columns("n")}
FROM event e LEFT JOIN device d USING (tenant_id, device_id) {mates_of("true")}
WHERE greatest(m.position, n.position, e.position) = e.position AND
"""  # noqa: S608 - composed of constants
_RANKS = {source: rank for rank, source in enumerate(_BEST_FIRST)}
_ROW = len(_TOLD) + 5
_SOURCE = len(_TOLD) + 1


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
                f"{_SELECT} e.position > %s AND e.tenant_id = %s AND {SEVERITY} >= %s"
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
                f"{_SELECT} e.tenant_id = %s AND (%s::int8 IS NULL OR e.position < %s)"
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
    position, device_id, device_name, *rest = row
    own, told = rest[:_ROW], rest[_ROW:]
    others = [told[place : place + _ROW + 1] for place in range(0, len(told), _ROW + 1)]
    before = {other[0]: other[1:] for other in others if other[0] is not None}
    rows = sorted((own, *before.values()), key=_moment)
    shown = min(rows, key=lambda one: _RANKS.get(one[_SOURCE], len(_RANKS)))
    event_type, severity, entity_type, entity_id, entity_label, field, old, new, message = shown[1:_SOURCE]
    if entity_type == "device":
        entity_label = entity_label or device_name
    return StoredEvent(
        position=position,
        collected_us=rows[0][0],
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
        evidences=[_evidence(one, rows[0][0]) for one in rows if one[_SOURCE] is not None],
        replaces=sorted(before),
    )


def _moment(row: Sequence[Any]) -> tuple[Any, ...]:
    return (row[0], *row[_SOURCE + 1 :])


def _evidence(row: Sequence[Any], first_us: int) -> Evidence:
    at_us, message, source, log_id, seq, part = row[0], *row[_SOURCE - 1 :]
    return Evidence(source_of(source), at_us, at_us - first_us, log_id, seq, part, message)
