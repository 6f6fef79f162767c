"""Events as operators read them, and the health timeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mtd.storage import literals
from mtd.storage.txn import Transaction


class EventRow(NamedTuple):
    """A row of ``event``. ``severity``: 1 info, 2 warning, 3 critical; ``device_id`` None: the collector.

    ``source``, ``fact`` and ``fact_before`` are those of ``mtd.model.evidence``; None where nobody else can tell the same.
    """

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
    source: int | None = None
    fact: int | None = None
    fact_before: int | None = None


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


# Any number will do, as long as it is ours.
_POSITIONS_LOCK = 0x6D746401
# Readers wait for those who write: what they see then is all there is up to the position drawn last.
_LOCK = f"SELECT pg_advisory_xact_lock({_POSITIONS_LOCK})"
LOCK_TO_READ_POSITIONS = f"SELECT pg_advisory_xact_lock_shared({_POSITIONS_LOCK})"


async def insert_events(tx: Transaction, log_id: str, rows: Sequence[EventRow]) -> None:
    """Store events in the given order, which becomes that of their positions.

    Positions follow the order of commits, whoever else writes events: a reader
    that has seen one never misses an earlier one. Events that stood here before
    ``keep_positions`` get theirs back.
    """
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    await tx.execute(
        f"{_LOCK}; "
        "INSERT INTO event (log_id, tenant_id, device_id, seq, part, position, ts_collected, ts_received, event_type,"
        " severity, entity_type, entity_id, entity_label, field, old_value, new_value, message, source, fact, fact_before)"
        " SELECT %s, tenant_id, device_id, seq, part,"
        "  coalesce((SELECT k.position FROM event_position_kept k"
        "   WHERE k.log_id = %s AND k.seq = t.seq AND k.part = t.part), nextval('mtd.event_position')),"
        " from_us(collected_us), from_us(received_us), event_type,"
        " severity, entity_type, entity_id, entity_label, field, old_value, new_value, message, source, fact, fact_before"
        " FROM unnest("
        "  %s::uuid[], %s::uuid[], %s::int8[], %s::int2[], %s::int8[], %s::int8[], %s::text[], %s::int2[],"
        "  %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],"
        "  %s::int2[], %s::int8[], %s::int8[]"
        " ) AS t (tenant_id, device_id, seq, part, collected_us, received_us, event_type, severity,"
        " entity_type, entity_id, entity_label, field, old_value, new_value, message, source, fact, fact_before)",
        [
            log_id,
            log_id,
            literals.plain(columns[0]),
            literals.texts(columns[1]),
            *(literals.plain(column) for column in columns[2:6]),
            literals.texts(columns[6]),
            literals.plain(columns[7]),
            *(literals.texts(column) for column in columns[8:15]),
            *(literals.numbers(column) for column in columns[15:]),
        ],
    )


async def lock_positions(tx: Transaction) -> None:
    """Wait until nobody else writes events, and let nobody until the transaction ends: what is read then is all there is."""
    await tx.execute(_LOCK)


async def keep_positions(tx: Transaction, log_id: str, first_seq: int) -> None:
    """Note the positions of the events of a log from ``first_seq`` on, which are to be built again.

    Those that an interrupted rebuild has not come to yet stay noted.
    """
    await tx.execute(
        "DELETE FROM event_position_kept WHERE log_id = %s AND seq < %s",
        (log_id, first_seq),
    )
    await tx.execute(
        "INSERT INTO event_position_kept (tenant_id, log_id, seq, part, position)"
        " SELECT tenant_id, log_id, seq, part, position FROM event WHERE log_id = %s AND seq >= %s"
        " ON CONFLICT (log_id, seq, part) DO UPDATE SET position = excluded.position",
        (log_id, first_seq),
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
