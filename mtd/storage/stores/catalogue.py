"""The metric catalogue, so that SQL can name, scale and label values."""

from __future__ import annotations

import json
from collections.abc import Iterable

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.labels import LabelSource
from mtd.model.metric import Metric
from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction


class CatalogueStore:
    """Writes ``metric``, ``label_source`` and ``catalogue_version``."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(
        self,
        version: str,
        metrics: Iterable[tuple[Metric, str]],
        *,
        tenant_id: str = DEFAULT_TENANT_ID,
        labels: Iterable[LabelSource] = (),
    ) -> None:
        """Store a catalogue: each metric with the collector that brings it, and the tables that name instances.

        What isn't in it stays: stored series use it.
        """
        rows, sources = list(metrics), list(labels)

        async def write(tx: Transaction) -> None:
            await tx.execute(
                "INSERT INTO catalogue_version (tenant_id, version) VALUES (%s, %s)"
                " ON CONFLICT (tenant_id, version) DO UPDATE SET stored_at = now()",
                (tenant_id, version),
            )
            await tx.execute(_PUT_METRICS, [tenant_id, *_columns(rows, sources)])
            await tx.execute(_PUT_SOURCES, [tenant_id, *_source_columns(sources)])

        await self._db.run("catalogue.put", write, tenant=tenant_id)


_PUT_METRICS = """
INSERT INTO metric (tenant_id, key, unit, kind, tier, scope, label_tables, description, since, collector, states,
                    expected_min, expected_max, rate_of, rate_scale)
SELECT %s, key, unit, kind, tier, scope, label_tables::text[], description, since, collector, states::jsonb,
       expected_min::float8, expected_max::float8, rate_of, rate_scale
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[])
     AS t (key, unit, kind, tier, scope, label_tables, description, since, collector, states, expected_min, expected_max,
           rate_of, rate_scale)
ON CONFLICT (tenant_id, key) DO UPDATE SET
    unit = excluded.unit, kind = excluded.kind, tier = excluded.tier, scope = excluded.scope,
    label_tables = excluded.label_tables, description = excluded.description, since = excluded.since,
    collector = excluded.collector, states = excluded.states,
    expected_min = excluded.expected_min, expected_max = excluded.expected_max,
    rate_of = excluded.rate_of, rate_scale = excluded.rate_scale
"""


_PUT_SOURCES = """
INSERT INTO label_source (tenant_id, table_name, scope, name_field, comment_field, place)
SELECT %s, table_name, scope, name_field, comment_field, place
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int2[])
     AS t (table_name, scope, name_field, comment_field, place)
ON CONFLICT (tenant_id, table_name) DO UPDATE SET
    scope = excluded.scope, name_field = excluded.name_field, comment_field = excluded.comment_field,
    place = excluded.place
"""


def _source_columns(sources: list[LabelSource]) -> list[str]:
    return [
        literals.texts(source.table for source in sources),
        literals.texts(source.scope for source in sources),
        literals.texts(source.name for source in sources),
        literals.texts(source.comment for source in sources),
        literals.numbers([source.place for source in sources]),
    ]


def _columns(rows: list[tuple[Metric, str]], sources: list[LabelSource]) -> list[str]:
    metrics = [metric for metric, _ in rows]
    tables: dict[str, list[str]] = {}
    for source in sources:
        tables.setdefault(source.scope, []).append(source.table)
    return [
        literals.texts(metric.key for metric in metrics),
        literals.texts(metric.unit.value for metric in metrics),
        literals.texts(metric.kind.value for metric in metrics),
        literals.texts(metric.tier.value for metric in metrics),
        literals.texts(metric.scope for metric in metrics),
        literals.texts(literals.texts(tables.get(metric.scope, ())) for metric in metrics),
        literals.texts(metric.description for metric in metrics),
        literals.texts(metric.since for metric in metrics),
        literals.texts(collector for _, collector in rows),
        # By number: that is what a frame holds.
        literals.texts(json.dumps({str(n): name for name, n in metric.states.items()}) for metric in metrics),
        literals.texts(_number(metric.expected_min) for metric in metrics),
        literals.texts(_number(metric.expected_max) for metric in metrics),
        literals.texts(metric.rate_of for metric in metrics),
        literals.numbers([metric.rate_scale for metric in metrics]),
    ]


def _number(value: float | None) -> str | None:
    return None if value is None else repr(value)
