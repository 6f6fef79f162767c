"""Interfaces ranked by their newest values."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mtd.queries.patterns import like_any
from mtd.queries.records import TopEntry
from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

LINK_SPEED = "iface.link_speed_bps"
_TRAFFIC = ("iface.rx_bps", "iface.tx_bps")


class TopBy(enum.StrEnum):
    """What interfaces are ranked by."""

    RX = "rx"
    TX = "tx"
    UTILIZATION = "utilization"
    ERRORS = "errors"


RATES: Mapping[TopBy, tuple[str, ...]] = MappingProxyType(
    {
        TopBy.RX: _TRAFFIC[:1],
        TopBy.TX: _TRAFFIC[1:],
        TopBy.UTILIZATION: _TRAFFIC,
        TopBy.ERRORS: ("iface.rx_errors_per_s", "iface.tx_errors_per_s"),
    }
)
"""Rates that a ranking is made of."""

UNITS: Mapping[TopBy, str] = MappingProxyType(
    {
        TopBy.RX: "bits_per_second",
        TopBy.TX: "bits_per_second",
        TopBy.UTILIZATION: "percent",
        TopBy.ERRORS: "events_per_second",
    }
)

_RANKED: Mapping[TopBy, str] = MappingProxyType(
    {
        TopBy.RX: "max(rate)",
        TopBy.TX: "max(rate)",
        TopBy.UTILIZATION: "100 * max(rate) / nullif(max(speed), 0)",
        TopBy.ERRORS: "sum(rate)",
    }
)
# Of a router that doesn't answer nothing is the newest any more; a link's speed stays what it was.
# What just moved to another tier is in two frames: the newer counts.
_LATEST = """
WITH found AS (
    SELECT DISTINCT ON (f.device_id, e.instance, e.metric) f.device_id, d.name, e.instance,
           CASE WHEN e.lane = 'rate' AND f.ts_collected >= now() - interval '5 minutes'
                THEN f.rates[e.position]::float8 END AS rate,
           CASE WHEN e.lane = 'gauge' THEN f.gauges[e.position] END AS speed
    FROM latest f
    JOIN device d USING (tenant_id, device_id)
    JOIN series_layout_entry e ON e.tenant_id = f.tenant_id AND e.layout_id = f.layout_id
    WHERE f.tenant_id = %s AND f.ts_collected >= now() - interval '1 day' AND e.lane IN ('rate', 'gauge')
      AND e.metric = ANY (%s::text[]) AND e.instance <> ''
      AND (%s::text[] IS NULL OR d.name LIKE ANY (%s::text[]) OR d.device_id::text LIKE ANY (%s::text[]))
    ORDER BY f.device_id, e.instance, e.metric, f.ts_collected DESC
), ranked AS (
    SELECT device_id, name, instance, {ranked} AS value FROM found GROUP BY 1, 2, 3
    HAVING {ranked} IS NOT NULL ORDER BY 4 DESC, 2, 3 LIMIT %s
)
SELECT r.device_id, r.name, r.instance, coalesce(l.label, r.instance), r.value
FROM ranked r LEFT JOIN instance_label l
  ON l.tenant_id = %s AND l.device_id = r.device_id AND l.table_name = 'interface' AND l.instance = r.instance
ORDER BY r.value DESC, r.name, r.instance
"""


async def read_top_latest(
    db: Database, tenant_id: str, by: TopBy, limit: int, devices: Sequence[str]
) -> Sequence[TopEntry]:
    """Return the interfaces with the highest newest values."""
    metrics = [*RATES[by], *([LINK_SPEED] if by is TopBy.UTILIZATION else [])]
    patterns = like_any(devices)

    async def read(tx: Transaction) -> list[Row]:
        await tx.execute(
            _LATEST.format(ranked=_RANKED[by]),
            (tenant_id, literals.texts(metrics), patterns, patterns, patterns, limit, tenant_id),
        )
        return tx.fetchall()

    rows = await db.run("queries.top_latest", read, tenant=tenant_id)
    return [TopEntry(str(device_id), *rest) for device_id, *rest in rows]
