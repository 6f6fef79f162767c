"""``mtd storage``: what PostgreSQL holds."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from mtd.cli.config import load_settings
from mtd.cli.output import (
    config_option,
    console,
    explain_errors,
    json_option,
    plain,
    print_json,
    progress_console,
)
from mtd.cli.storage_compact import compact

if TYPE_CHECKING:
    from mtd.app.storage import StorageReport
    from mtd.storage.cold.status import Stored, Usage
    from mtd.storage.outlook import Projection


@click.group()
def storage() -> None:
    """Look after what PostgreSQL holds. The daemon may be running."""


storage.add_command(compact)


@storage.command()
@config_option
@json_option
@explain_errors
def status(config_path: Path | None, as_json: bool) -> None:
    """Show partitions, bytes per point, what waits to be compacted, what is dead, and what comes next.

    Points are values that routers sent; rates are derived from them and don't
    count. Bytes are all in: heap, TOAST, indexes, timestamps.
    """
    from mtd.app.storage import storage_report

    settings = load_settings(config_path)

    def report(text: str) -> None:
        if not as_json:
            progress_console.print(text, style="dim")

    found = storage_report(settings, report)
    if as_json:
        print_json(_as_json(found))
        return
    console.print(_tables(found))
    console.print(_points(found))
    if found.projection is None:
        console.print(
            "Too few points of closed hours to tell what it will take: come back after an hour or two."
        )
    else:
        console.print(_projection(found.projection))
    console.print(_state(found))
    console.print(_actions(found))


def _tables(found: StorageReport) -> Table:
    table = Table("Table", "class", "partitions", "from", "to", title="Partitions", title_justify="left")
    for name in ("heap", "TOAST", "indexes", "all"):
        table.add_column(name, justify="right")
    table.add_column("rows", justify="right")
    table.add_column("dead", justify="right")
    for one in found.status.usage:
        table.add_row(
            one.table,
            one.retention,
            str(one.partitions),
            _day(one.first_us),
            _day(one.end_us),
            *(
                format_bytes(size)
                for size in (one.heap_bytes, one.toast_bytes, one.index_bytes, one.total_bytes)
            ),
            f"{one.live_rows:,}",
            _dead(one),
        )
    return table


def _dead(one: Usage) -> str:
    if not (one.dead_rows or one.dead_pieces):
        return ""
    shown = f"{one.dead_share:.0%}"
    return f"[red]{shown}[/]" if one.dead_share > 0.2 and one.total_bytes > 50_000_000 else shown


def _points(found: StorageReport) -> Table:
    table = Table("Points", "class", title="Points (of rollups: buckets)", title_justify="left")
    for name in ("stored", "rows", "bytes", "bytes per point"):
        table.add_column(name, justify="right")
    axis = _axis(found)
    for one in found.status.stored:
        if one.points:
            cost = one.bytes_per_point or 0.0
            table.add_row(
                one.kind,
                one.retention,
                f"{one.points:,}",
                f"{one.rows:,}",
                format_bytes(one.bytes),
                f"{cost + (axis if one.kind in ('readable', 'dense') else 0):.2f}",
            )
    if axis:
        table.caption = f"Times, shared by the series of a poll, are {axis:.2f} of the bytes of a readable or dense point."
    return table


def _axis(found: StorageReport) -> float:
    points = sum(one.points for one in found.status.stored if one.kind in ("readable", "dense"))
    return found.status.axis_bytes / points if points else 0.0


def _projection(found: Projection) -> Table:
    table = Table("What", f"after {found.days} days", "when nothing grows any more", title_justify="left")
    table.title = (
        f"At {found.points_per_day:,} points a day, {found.points / 1e9:.2f} G in {found.days} days,"
        f" {found.bytes_per_point:.2f} bytes each"
    )
    for name in found.after_days:
        table.add_row(name, format_bytes(found.after_days[name]), format_bytes(found.steady[name]))
    table.add_row("[bold]all[/]", format_bytes(found.after_days_bytes), format_bytes(found.steady_bytes))
    others = {"dense": found.if_dense_bytes, "readable": found.if_readable_bytes}
    other = "readable" if found.cold == "dense" else "dense"
    size = others[other]
    notes = [
        "A bucket of a rollup stores count, minimum, maximum, mean and p95; of counters growth and last, too."
    ]
    if found.outpaced:
        notes.append(
            "[yellow]Frames hold far more than two hours at this pace: more comes in now, or closed hours wait."
            " Look again when they are compacted.[/]"
        )
    if size is not None:
        notes.append(
            f"All blocks {other}: {format_bytes(size)} instead of {format_bytes(found.after_days[found.cold])}."
        )
    table.caption = "\n".join(notes)
    table.caption_justify = "left"
    return table


def _state(found: StorageReport) -> Table:
    table = Table("State", format_bytes(found.status.database_bytes) + " in all, with what isn't telemetry")
    waiting = found.status.waiting
    if waiting.hours:
        lag = f"{waiting.hours} hours wait, the oldest of {_moment(waiting.oldest_us)}, for {_span(found.lag_s)}"
    else:
        lag = "no closed hour waits"
    table.add_row("compaction", lag if found.compaction_enabled else f"[red]switched off[/]; {lag}")
    table.add_row("emptied hours that go next", str(waiting.emptied))
    dead = sum(one.dead_rows + one.dead_pieces for one in found.status.usage)
    table.add_row("dead rows", f"{dead:,}")
    return table


def _actions(found: StorageReport) -> Table:
    table = Table("Next", "when")
    for action in found.actions:
        when = "[red]overdue[/]" if action.overdue else "soon" if not action.at_us else _moment(action.at_us)
        table.add_row(plain(action.what), when)
    return table


def _as_json(found: StorageReport) -> dict[str, Any]:
    status = found.status
    return {
        "database_bytes": status.database_bytes,
        "tables": status.usage,
        "axis_bytes": status.axis_bytes,
        "points": [{**_fields(one), "bytes_per_point": _rounded(one, found)} for one in status.stored],
        "compaction": {
            "enabled": found.compaction_enabled,
            "hours_waiting": status.waiting.hours,
            "oldest_us": status.waiting.oldest_us,
            "lag_s": found.lag_s,
            "emptied_partitions": status.waiting.emptied,
        },
        "projection": None
        if found.projection is None
        else {
            **{name: getattr(found.projection, name) for name in found.projection.__slots__},
            "after_days_bytes": found.projection.after_days_bytes,
            "steady_bytes": found.projection.steady_bytes,
        },
        "next": found.actions,
    }


def _fields(one: Stored) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__slots__}


def _rounded(one: Stored, found: StorageReport) -> float | None:
    cost = one.bytes_per_point
    if cost is None:
        return None
    return round(cost + (_axis(found) if one.kind in ("readable", "dense") else 0), 4)


def _moment(us: int) -> str:
    return dt.datetime.fromtimestamp(us / 1e6, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _day(us: int) -> str:
    return dt.datetime.fromtimestamp(us / 1e6, dt.UTC).strftime("%Y-%m-%d %Hh") if us else ""


def _span(seconds: float) -> str:
    for length, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name}"
    return f"{seconds:.0f} seconds"


def format_bytes(count: float) -> str:
    """Return a size for people: "12.3 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} B" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.2f} TB"
