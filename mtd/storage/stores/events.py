"""Events as operators read them, and the health timeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mtd.storage import literals
from mtd.storage.txn import Transaction


class EventRow(NamedTuple):
    """A row of ``event``. ``severity``: 1 info, 2 warning, 3 critical; ``device_id`` None: the collector."""

    tenant_id: str
    device_id: str | None
    seq: int
    part: int
    collected_us: int
    received_us: int
    event_type: str
    severity: int
    entity_type: str
    entity_id: str
    entity_label: str
    field: str
    old_value: str
    new_value: str
    message: str


class HealthRow(NamedTuple):
    """A row of ``device_health``."""

    tenant_id: str
    device_id: str
    seq: int
    collected_us: int
    received_us: int
    consecutive_failures: int
    polls_missed: int
    retry_in_s: float
    outcome: str
    status: str
    poll_group: str
    reason: str


async def insert_events(tx: Transaction, log_id: str, rows: Sequence[EventRow]) -> None:
    """Store events in the given order, which becomes that of their positions."""
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    await tx.execute(
        "INSERT INTO event (log_id, tenant_id, device_id, seq, part, ts_collected, ts_received, event_type, severity,"
        " entity_type, entity_id, entity_label, field, old_value, new_value, message)"
        " SELECT %s, tenant_id, device_id, seq, part, from_us(collected_us), from_us(received_us), event_type,"
        " severity, entity_type, entity_id, entity_label, field, old_value, new_value, message FROM unnest("
        "  %s::uuid[], %s::uuid[], %s::int8[], %s::int2[], %s::int8[], %s::int8[], %s::text[], %s::int2[],"
        "  %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]"
        " ) AS t (tenant_id, device_id, seq, part, collected_us, received_us, event_type, severity,"
        " entity_type, entity_id, entity_label, field, old_value, new_value, message)",
        [
            log_id,
            literals.plain(columns[0]),
            literals.texts(columns[1]),
            *(literals.plain(column) for column in columns[2:6]),
            literals.texts(columns[6]),
            literals.plain(columns[7]),
            *(literals.texts(column) for column in columns[8:]),
        ],
    )


async def insert_health(tx: Transaction, log_id: str, rows: Sequence[HealthRow]) -> None:
    """Store outcomes of polls."""
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    await tx.execute(
        "INSERT INTO device_health (log_id, tenant_id, device_id, seq, ts_collected, ts_received,"
        " consecutive_failures, polls_missed, retry_in_s, outcome, status, poll_group, reason)"
        " SELECT %s, tenant_id, device_id, seq, from_us(collected_us), from_us(received_us),"
        " consecutive_failures, polls_missed, retry_in_s, outcome, status, poll_group, reason FROM unnest("
        "  %s::uuid[], %s::uuid[], %s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::float8[],"
        "  %s::text[], %s::text[], %s::text[], %s::text[]"
        " ) AS t (tenant_id, device_id, seq, collected_us, received_us,"
        " consecutive_failures, polls_missed, retry_in_s, outcome, status, poll_group, reason)",
        [
            log_id,
            *(literals.plain(column) for column in columns[:8]),
            *(literals.texts(column) for column in columns[8:]),
        ],
    )
