"""Layouts: what the values of a frame are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from mtd.model.layout import Layout
from mtd.model.metric import Lane
from mtd.storage import literals
from mtd.storage.txn import Transaction

# Joining a statement of so many rows takes some milliseconds of the loop.
_ENTRIES_AT_ONCE = 4000

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
    entries: list[_EntryRow] = []
    for tenant_id, layout, _ in layouts:
        if (tenant_id, layout.layout_id) in new:
            new.discard((tenant_id, layout.layout_id))
            entries += _entries(tenant_id, layout)
            if len(entries) >= _ENTRIES_AT_ONCE:
                await _put_entries(tx, entries)
                entries = []
    await _put_entries(tx, entries)


class _EntryRow(NamedTuple):
    tenant_id: str
    layout_id: int
    lane: str
    position: int
    metric: str
    instance: str


def _entries(tenant_id: str, layout: Layout) -> Iterator[_EntryRow]:
    positions = dict.fromkeys(Lane, 0)
    for entry in layout.series:
        positions[entry.lane] += 1
        yield _EntryRow(
            tenant_id,
            layout.layout_id,
            entry.lane.value,
            positions[entry.lane],
            entry.metric,
            entry.instance,
        )


async def _put_entries(tx: Transaction, entries: Sequence[_EntryRow]) -> None:
    if not entries:
        return
    columns = list(zip(*entries, strict=True))
    await tx.execute(
        "INSERT INTO series_layout_entry (tenant_id, layout_id, lane, position, metric, instance)"
        " SELECT * FROM unnest(%s::uuid[], %s::int8[], %s::text[], %s::int2[], %s::text[], %s::text[])",
        [
            literals.texts(columns[0]),
            literals.plain(columns[1]),
            literals.texts(columns[2]),
            literals.plain(columns[3]),
            literals.texts(columns[4]),
            literals.texts(columns[5]),
        ],
    )


async def poll_groups(tx: Transaction, keys: Collection[LayoutKey]) -> dict[LayoutKey, str]:
    """Return the poll group of each layout that is known."""
    await tx.execute(
        "SELECT tenant_id, layout_id, poll_group FROM series_layout"
        " JOIN unnest(%s::uuid[], %s::int8[]) AS t (tenant_id, layout_id) USING (tenant_id, layout_id)",
        (literals.plain(tenant for tenant, _ in keys), literals.plain(layout_id for _, layout_id in keys)),
    )
    return {(str(tenant), int(layout_id)): str(group) for tenant, layout_id, group in tx.fetchall()}
