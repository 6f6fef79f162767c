"""What ``mtd poll`` shows: the live values of interfaces, or all that a poll brought."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table

from mtd.cli.output import format_rate, plain

if TYPE_CHECKING:
    from mtd.app.direct import DirectPoll
    from mtd.model.device import Device
    from mtd.model.metric import Tier
    from mtd.model.observation import ProbeFacts, TableChange

_COLUMNS = ("rx_bps", "tx_bps", "rx_pps", "tx_pps", "rx_errors_per_s", "rx_drops_per_s")


def as_json(result: DirectPoll, tier: Tier) -> dict[str, Any]:
    """Return all of a poll."""
    return {
        "tier": tier.value,
        "collected_us": result.collected_us,
        "duration_s": result.duration_s,
        "commands": result.asked,
        "values": {reading.key: reading.value for reading in result.readings},
        "changes": result.changes,
        "tables": [_table(change) for change in result.tables],
        "documents": {document.kind: json.loads(document.content) for document in result.documents},
    }


def _table(change: TableChange) -> dict[str, Any]:
    within = change.complete_within
    return {
        "table": change.table,
        "complete": change.complete,
        "rows": {key: dict(row) for key, row in change.upserted.items()},
        "removed": list(change.removed),
    } | ({} if within is None else {"complete_within": [within.after, within.up_to]})


class TableSizes:
    """How many rows each table has, as polls tell of what changed."""

    def __init__(self) -> None:
        self._keys: dict[str, set[str]] = {}

    def take(self, change: TableChange) -> int:
        """Take a change; return how many rows the table has now."""
        keys = self._keys.setdefault(change.table, set())
        within = change.complete_within
        if change.complete:
            keys.clear()
        elif within is not None:
            keys -= {key for key in keys if key in within}
        keys -= set(change.removed)
        keys |= set(change.upserted)
        return len(keys)


def everything(result: DirectPoll, tier: Tier, sizes: TableSizes) -> Iterator[RenderableType]:
    """Yield what to print of a poll: commands, values, tables and documents. Its events are printed before."""
    asked = Table("Command", "Rows", "Refused", title=f"{tier.value}, {result.duration_s:.3f} s")
    for one in result.asked:
        asked.add_row(
            plain(one.command), str(one.rows), f"[red]{plain(one.refused)}[/]" if one.refused else ""
        )
    yield (
        asked
        if result.asked
        else (
            f"Nothing is asked at {tier.value}: the router lacks what these menus require, or nothing that they"
            " ask for was there."
        )
    )
    if result.readings:
        values = Table("Key", "Value", "Unit")
        for reading in sorted(result.readings, key=lambda reading: reading.key):
            number = f"{reading.value:,}" if isinstance(reading.value, int) else f"{reading.value:,.6g}"
            values.add_row(plain(reading.key), plain(reading.state) or number, plain(reading.unit))
        yield values
    if result.tables:
        tables = Table("Table", "Rows", "New or changed", "Gone")
        for change in result.tables:
            counts = (sizes.take(change), len(change.upserted), len(change.removed))
            tables.add_row(plain(change.table), *map(str, counts))
        yield tables
    for document in result.documents:
        yield f"Document {plain(document.kind)}: {len(document.content):,} bytes, new or changed"


def interfaces(device: Device, facts: ProbeFacts, result: DirectPoll) -> Table:
    """Return the screen of live values."""
    found: dict[str, dict[str, float]] = {}
    for reading in result.readings:
        if reading.metric.startswith("iface."):
            found.setdefault(reading.label, {})[reading.metric.rpartition(".")[2]] = reading.value
    title = plain(f"{facts.identity} ({device.host})  RouterOS {facts.routeros_version}  {facts.board_name}")
    table = Table("Interface", "State", "rx", "tx", "rx p/s", "tx p/s", "rx err/s", "rx drop/s", title=title)
    for label, values in sorted(found.items()):
        running = values.get("oper_state")
        state = "" if running is None else ("[green]up[/]" if running else "[red]down[/]")
        cells = [format_rate(values.get("rx_bps")), format_rate(values.get("tx_bps"))]
        cells += ["" if values.get(name) is None else f"{values[name]:,.0f}" for name in _COLUMNS[2:]]
        table.add_row(plain(label), state, *cells)
    system = {reading.metric: reading.value for reading in result.readings if not reading.label}
    table.caption = "   ".join(
        f"{plain(key.removeprefix('system.'))} {value:,.0f}" for key, value in sorted(system.items())
    )
    return table
