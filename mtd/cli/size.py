"""``mtd size``: how large it becomes, before it is bought."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

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
from mtd.model.selection import ALL, T0Settings, limit_of
from mtd.model.sizing import (
    DEFAULTS_FROM,
    MONTH_DAYS,
    MONTHS,
    Costs,
    Load,
    Partitioning,
    Retention,
    disk_after,
    machine_for,
    parse_retention,
    wal_per_day,
)
from mtd.plugin.config import T0Config


@click.command()
@click.option("--routers", type=click.IntRange(1, 1_000_000), required=True, help="Routers.")
@click.option(
    "--interfaces", type=click.IntRange(0, 10_000), default=30, show_default=True, help="Of each router."
)
@click.option(
    "--t0-interfaces",
    metavar="N|all",
    default="",
    help="Interfaces of a router that are polled each interval; the others each ten seconds."
    " Default: as configured, else as many as fit the limits of the live tier: 10, and 200 values.",
)
@click.option(
    "--t0-metrics",
    type=click.IntRange(0, 100),
    default=4,
    show_default=True,
    help="Values of each interface that are polled; derived rates don't count.",
)
@click.option(
    "--device-metrics",
    type=click.IntRange(0, 10_000),
    default=10,
    show_default=True,
    help="Values of the router itself that are polled each interval.",
)
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between two polls.",
)
@click.option(
    "--slow-metrics",
    type=click.IntRange(0, 10_000),
    default=0,
    show_default=True,
    help="Values of each router that are polled once a minute.",
)
@click.option(
    "--retention",
    metavar="WHAT=TIME,...",
    default="",
    help="What is kept how long: raw, 10s, 1m, 5m, events; dense=30d: blocks older than that are dense."
    " Default: as configured, else raw=90d,10s=180d,1m=2y,5m=5y,events=2y.",
)
@click.option(
    "--measured/--defaults",
    default=None,
    help="Read what points cost from this installation's database, or don't look there. Default: read it if --config is given.",
)
@config_option
@json_option
@explain_errors
def size(
    retention: str,
    t0_interfaces: str,
    measured: bool | None,
    config_path: Path | None,
    as_json: bool,
    **load_options: Any,
) -> None:
    """Tell how many points come, and what disk, log and machine they need.

    The bytes of a point are measured on this installation where it has stored
    enough; else they are defaults, marked as such.

    \b
    mtd size --routers 300                                     before anything is bought
    mtd size --routers 300 --interfaces 48 --t0-metrics 12     all that mtd polls of an interface
    mtd size --routers 300 --interfaces 48 --t0-interfaces all each second, whatever their number
    mtd size --routers 300 --retention raw=30d,dense=7d,1m=1y
    mtd size --routers 300 -c /etc/mtd/mtd.toml                by what points cost on this installation
    """
    load, live = Load(**load_options), T0Config()
    kept, costs, made = Retention(), Costs(), Partitioning()
    if measured or (measured is None and config_path is not None):
        from mtd.app.sizing import configured_partitioning, configured_retention, measured_costs

        settings = load_settings(config_path)
        live = settings.t0
        kept, made = configured_retention(settings), configured_partitioning(settings)
        with progress_console.status("looking for the database") as status:
            costs = costs.with_measured(measured_costs(settings, status.update))
    try:
        kept = parse_retention(retention, kept)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--retention") from None
    load = replace(load, t0_interfaces=_live_interfaces(load, live, t0_interfaces))
    result = _result(load, kept, costs, made)
    if as_json:
        print_json(result)
    else:
        _show(result, costs)


def _live_interfaces(load: Load, live: T0Config, told: str) -> int | None:
    """Return how many interfaces of a router are at the live tier; None for all."""
    try:
        interfaces, metrics = live.limits(T0Settings(interfaces=limit_of(told)))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--t0-interfaces") from None
    found = [] if interfaces == ALL else [interfaces]
    if metrics != ALL and load.t0_metrics and not told:
        found.append(max(0, metrics - load.device_metrics) // load.t0_metrics)
    return min(found, default=None)


def _result(load: Load, retention: Retention, costs: Costs, made: Partitioning) -> dict[str, Any]:
    machine = machine_for(load, costs)
    disk = {months: disk_after(load, retention, costs, months * MONTH_DAYS, made) for months in MONTHS}
    return {
        "t0_interfaces": load.interfaces
        if load.t0_interfaces is None
        else min(load.interfaces, load.t0_interfaces),
        "series": load.series,
        "points_per_s": round(load.points_per_s, 3),
        "points_per_day": round(load.points_per_day),
        "disk_bytes": {
            str(months): {
                **{table.table: round(table.bytes) for table in tables if not table.within},
                "total": round(sum(table.bytes for table in tables)),
            }
            for months, tables in disk.items()
        },
        "partitions": {table.table: table.partitions for table in disk[MONTHS[-1]]},
        "counted_within": {table.table: table.within for table in disk[MONTHS[-1]] if table.within},
        "wal_bytes_per_day": round(wal_per_day(load, costs)),
        "retention_days": {name: getattr(retention, name) for name in retention.__slots__},
        "machine": {
            "class_routers": machine.routers,
            "server": machine.server,
            "database": machine.database,
            "agent": machine.agent,
            "cores": round(machine.cores, 2),
            "ram_bytes": round(machine.ram_bytes),
        },
        "costs": {
            name: {"value": round(cost.value, 3), "from": "measured here" if cost.measured else DEFAULTS_FROM}
            for name, cost in costs.items()
        },
    }


def _show(result: dict[str, Any], costs: Costs) -> None:
    console.print(
        f"[bold]{result['points_per_s']:,.0f} points/s[/], {result['points_per_day']:,} a day,"
        f" {result['series']:,} series; {result['t0_interfaces']} interfaces of each router at the live tier"
    )
    table = Table("Disk", *(f"after {months} months" for months in MONTHS), "partitions")
    for name in result["disk_bytes"][str(MONTHS[0])]:
        sizes = [_bytes(result["disk_bytes"][str(months)][name]) for months in MONTHS]
        table.add_row(name, *sizes, str(result["partitions"].get(name, "")))
        for inner, outer in result["counted_within"].items():
            if outer == name:
                table.add_row(inner, *["in the above"] * len(MONTHS), str(result["partitions"][inner]))
    console.print(table)
    machine = result["machine"]
    table = Table("Machine", f"class of {machine['class_routers']} routers")
    table.add_row(
        "write-ahead log", f"{_bytes(result['wal_bytes_per_day'])} a day; each replica receives as much"
    )
    table.add_row(
        "this load needs",
        f"about {max(0.1, machine['cores']):.1f} cores and {_bytes(machine['ram_bytes'])} of memory",
    )
    for name in ("server", "database", "agent"):
        table.add_row(name, machine[name])
    console.print(table)
    here = [f"{name} {cost.value:.2f}" for name, cost in costs.items() if cost.measured]
    rest = [f"{name} {cost.value:.2f}" for name, cost in costs.items() if not cost.measured]
    console.print("Bytes of a point (of rollups: of a bucket):", highlight=False)
    if here:
        console.print(f"  measured here: {plain(', '.join(here))}", highlight=False)
    if rest:
        console.print(f"  defaults: {plain(', '.join(rest))}\n  from {plain(DEFAULTS_FROM)}", highlight=False)


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
