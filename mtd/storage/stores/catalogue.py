"""The metric catalogue, so that SQL can name, scale and label values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.metric import Metric
from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction

LABEL_TABLES: Mapping[str, str] = MappingProxyType({"iface": "interface"})
"""Scope of a metric: current-state table whose rows name its instances."""


class CatalogueStore:
    """Writes ``metric`` and ``catalogue_version``."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(
        self,
        version: str,
        metrics: Iterable[tuple[Metric, str]],
        *,
        tenant_id: str = DEFAULT_TENANT_ID,
        label_tables: Mapping[str, str] = LABEL_TABLES,
    ) -> None:
        """Store a catalogue: each metric with the collector that brings it.

        Metrics that aren't in it stay: stored series use them.
        """
        rows = list(metrics)

        async def write(tx: Transaction) -> None:
            await tx.execute(
                "INSERT INTO catalogue_version (tenant_id, version) VALUES (%s, %s)"
                " ON CONFLICT (tenant_id, version) DO UPDATE SET stored_at = now()",
                (tenant_id, version),
            )
            await tx.execute(_PUT_METRICS, [tenant_id, *_columns(rows, label_tables)])

        await self._db.run("catalogue.put", write, tenant=tenant_id)


_PUT_METRICS = """
INSERT INTO metric (tenant_id, key, unit, kind, tier, scope, label_table, description, since, collector, states,
                    expected_min, expected_max)
SELECT %s, key, unit, kind, tier, scope, label_table, description, since, collector, states::jsonb,
       expected_min::float8, expected_max::float8
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::text[], %s::text[])
     AS t (key, unit, kind, tier, scope, label_table, description, since, collector, states, expected_min, expected_max)
ON CONFLICT (tenant_id, key) DO UPDATE SET
    unit = excluded.unit, kind = excluded.kind, tier = excluded.tier, scope = excluded.scope,
    label_table = excluded.label_table, description = excluded.description, since = excluded.since,
    collector = excluded.collector, states = excluded.states,
    expected_min = excluded.expected_min, expected_max = excluded.expected_max
"""


def _columns(rows: list[tuple[Metric, str]], label_tables: Mapping[str, str]) -> list[str]:
    metrics = [metric for metric, _ in rows]
    return [
        literals.texts(metric.key for metric in metrics),
        literals.texts(metric.unit.value for metric in metrics),
        literals.texts(metric.kind.value for metric in metrics),
        literals.texts(metric.tier.value for metric in metrics),
        literals.texts(metric.scope for metric in metrics),
        literals.texts(label_tables.get(metric.scope, "") for metric in metrics),
        literals.texts(metric.description for metric in metrics),
        literals.texts(metric.since for metric in metrics),
        literals.texts(collector for _, collector in rows),
        # By number: that is what a frame holds.
        literals.texts(json.dumps({str(n): name for name, n in metric.states.items()}) for metric in metrics),
        literals.texts(_number(metric.expected_min) for metric in metrics),
        literals.texts(_number(metric.expected_max) for metric in metrics),
    ]


def _number(value: float | None) -> str | None:
    return None if value is None else repr(value)
