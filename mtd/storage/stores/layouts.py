"""Layouts: what the values of a frame are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mtd.model.layout import Layout
from mtd.model.metric import Lane
from mtd.storage import literals
from mtd.storage.txn import Transaction

LayoutKey = tuple[str, int]
"""Tenant and layout id."""


async def put_layouts(tx: Transaction, layouts: Sequence[tuple[str, Layout, int]]) -> None:
    """Store layouts, each with its tenant and the time of its declaration; known ones stay as they are."""
    if not layouts:
        return
    await tx.execute(
        "INSERT INTO series_layout (tenant_id, layout_id, poll_group, counters, gauges, rates, declared_at)"
        " SELECT tenant_id, layout_id, poll_group, counters, gauges, rates, from_us(declared_us) FROM unnest("
        "  %s::uuid[], %s::int8[], %s::text[], %s::int2[], %s::int2[], %s::int2[], %s::int8[]"
        " ) AS t (tenant_id, layout_id, poll_group, counters, gauges, rates, declared_us)"
        " ON CONFLICT DO NOTHING RETURNING tenant_id, layout_id",
        (
            literals.plain(tenant_id for tenant_id, _, _ in layouts),
            literals.plain(layout.layout_id for _, layout, _ in layouts),
            literals.texts(layout.poll_group for _, layout, _ in layouts),
            *(
                literals.plain(len(layout.lane(lane)) for _, layout, _ in layouts)
                for lane in (Lane.COUNTER, Lane.GAUGE, Lane.RATE)
            ),
            literals.plain(declared_us for _, _, declared_us in layouts),
        ),
    )
    # A layout is declared again every hour: entries only where it was new.
    new = {(str(tenant_id), int(layout_id)) for tenant_id, layout_id in tx.fetchall()}
    for tenant_id, layout, _ in layouts:
        if (tenant_id, layout.layout_id) in new:
            new.discard((tenant_id, layout.layout_id))
            await _put_entries(tx, tenant_id, layout)


async def _put_entries(tx: Transaction, tenant_id: str, layout: Layout) -> None:
    positions = dict.fromkeys(Lane, 0)
    numbers = []
    for entry in layout.series:
        positions[entry.lane] += 1
        numbers.append(positions[entry.lane])
    await tx.execute(
        "INSERT INTO series_layout_entry (tenant_id, layout_id, lane, position, metric, instance)"
        " SELECT %s, %s, lane, position, metric, instance FROM unnest("
        "  %s::text[], %s::int2[], %s::text[], %s::text[]) AS t (lane, position, metric, instance)",
        (
            tenant_id,
            layout.layout_id,
            literals.texts(entry.lane.value for entry in layout.series),
            literals.plain(numbers),
            literals.texts(entry.metric for entry in layout.series),
            literals.texts(entry.instance for entry in layout.series),
        ),
    )


async def poll_groups(tx: Transaction, keys: Collection[LayoutKey]) -> dict[LayoutKey, str]:
    """Return the poll group of each layout that is known."""
    await tx.execute(
        "SELECT tenant_id, layout_id, poll_group FROM series_layout"
        " JOIN unnest(%s::uuid[], %s::int8[]) AS t (tenant_id, layout_id) USING (tenant_id, layout_id)",
        (literals.plain(tenant for tenant, _ in keys), literals.plain(layout_id for _, layout_id in keys)),
    )
    return {(str(tenant), int(layout_id)): str(group) for tenant, layout_id, group in tx.fetchall()}
