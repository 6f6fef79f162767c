"""The newest values of series, a page at a time. Runs in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mtd.model.metric import Lane
from mtd.queries.patterns import like
from mtd.queries.records import LatestValue
from mtd.storage.cold.connection import ColdConnection

# Devices whose values are put in order together: some ten thousand values.
_DEVICES_AT_ONCE = 50


class Token(NamedTuple):
    """The last value of the page before."""

    device: str
    key: str
    instance: str


@dataclass(frozen=True, slots=True)
class NewestPage:
    """Values by device name, key and instance; ``after`` is None if there are no more."""

    values: Sequence[LatestValue]
    after: Token | None


_DEVICES = """
SELECT d.device_id::text, d.name FROM device d
WHERE d.tenant_id = %s AND d.name COLLATE "C" >= %s
  AND (%s::text[] IS NULL OR d.name LIKE ANY (%s::text[]) OR d.device_id::text LIKE ANY (%s::text[]))
ORDER BY d.name COLLATE "C" LIMIT %s
"""
_VALUES = """
SELECT device_id::text, device, metric, instance, lane, label, key, coalesce(unit, ''), to_us(ts), value, value_int
FROM metric_latest
WHERE tenant_id = %s AND device_id = ANY (%s::uuid[])
  AND (%s::text[] IS NULL OR metric LIKE ANY (%s::text[]) OR key LIKE ANY (%s::text[]))
  AND (device COLLATE "C", key COLLATE "C", instance COLLATE "C") > (%s, %s, %s)
ORDER BY device COLLATE "C", key COLLATE "C", instance COLLATE "C" LIMIT %s
"""


def read_newest(
    conn: ColdConnection,
    tenant_id: str,
    devices: Sequence[str],
    metrics: Sequence[str],
    page_size: int,
    after: Token | None,
) -> NewestPage:
    """Return the page behind a token; None begins. A few devices are looked at, at a time."""
    named, wanted = (list(map(like, patterns)) or None for patterns in (devices, metrics))
    begin = after or Token("", "", "")
    rows: list[tuple[Any, ...]] = []
    first = begin.device
    while len(rows) <= page_size:
        found = conn.fetch(_DEVICES, (tenant_id, first, named, named, named, _DEVICES_AT_ONCE + 1))
        ids = [device_id for device_id, _ in found[:_DEVICES_AT_ONCE]]
        missing = page_size + 1 - len(rows)
        rows += conn.fetch(_VALUES, (tenant_id, ids, wanted, wanted, wanted, *begin, missing))
        if len(found) <= _DEVICES_AT_ONCE:
            break
        first = found[-1][1]
    values = [_value(row) for row in rows[:page_size]]
    last = values[-1] if len(rows) > page_size else None
    return NewestPage(values, Token(last.device_name, last.key, last.instance) if last is not None else None)


def _value(row: Sequence[Any]) -> LatestValue:
    device_id, device, metric, instance, lane, *rest = row
    return LatestValue(device_id, device, metric, instance, Lane(lane), *rest)
