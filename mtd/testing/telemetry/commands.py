"""``scripts/bench storage``, ``query`` and ``reference``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from mtd.testing.bench_output import folder, show
from mtd.testing.telemetry.data import DataPlan
from mtd.testing.telemetry.query_bench import measure_queries
from mtd.testing.telemetry.reference_bench import ReferencePlan, measure_reference, yesterday
from mtd.testing.telemetry.storage_bench import last_closed_hour, measure_storage

_json = click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
_keep = click.option("--keep", is_flag=True, help="Keep the folder with the database.")
_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the data, which is kept: `query` finds what `storage` left there.",
)
_days = click.option(
    "--days", type=click.IntRange(2, 90), default=90, show_default=True, help="Of A, 6 series."
)
_routers = click.option(
    "--routers", type=click.IntRange(1, 200), default=20, show_default=True, help="Of B, one hour."
)
_interfaces = click.option(
    "--interfaces", type=click.IntRange(2, 500), default=50, show_default=True, help="Of each router of B."
)
_narrow_days = click.option(
    "--narrow-days",
    type=click.IntRange(1, 90),
    default=None,
    help="Days of A that become narrow rows: bytes are told for each row. Default: all.",
)


@click.command()
@_days
@_routers
@_interfaces
@_narrow_days
@_data
@_json
@_keep
def storage(
    days: int,
    routers: int,
    interfaces: int,
    narrow_days: int | None,
    data: Path | None,
    as_json: bool,
    keep: bool,
) -> None:
    """Bytes of a stored point, and points a second, beside a narrow table on the same server.

    A: 6 series at 1 Hz over --days. B: --routers x --interfaces interfaces, 8
    counters of each, one hour. All of it generated: uplinks, households, idle
    ports, gaps. Bytes are all in (heap, TOAST, indexes, timestamps), after VACUUM.

    \b
    bytes_per_point_hot     B as frames, with the derived rates that stand in them
    bytes_per_point_sql     A and B as blocks that SQL reads, with their axes
    bytes_per_point_dense   the same as dense blocks
    bytes_per_point_narrow  (ts, value, device, metric), BRIN on ts, btree on device, metric, ts
    ingest_points_s         B from an event log on the disk through the projections
    compact_points_s        B, in a second of processor time of worker and PostgreSQL together
    rollup_bytes_per_point  10 s, 1 min and 5 min together, for a raw point
    """
    console = Console(stderr=True)
    plan = DataPlan(last_closed_hour(), days, routers, interfaces)
    with folder(console, keep=keep, data=data) as place, console.status("starting") as status:
        figures = measure_storage(place, plan, status.update, min(narrow_days or days, days))
    show(console, figures, as_json=as_json)


@click.command()
@_days
@_routers
@_interfaces
@_narrow_days
@_data
@_json
@_keep
def query(
    days: int,
    routers: int,
    interfaces: int,
    narrow_days: int | None,
    data: Path | None,
    as_json: bool,
    keep: bool,
) -> None:
    """Time of reading, through QueryRange, gRPC and the SQL view, beside a narrow table.

    The data of `storage`: what it left in --data is used, else they are made.

    \b
    1h_raw, 24h_raw   all values of one busy counter
    24h_600, 90d_600  at most 600 buckets of a gauge: count, min, mean, max, p95
    ..._rate          the same of a counter's rate
    top10             of all interfaces of B, by bits received over 5 minutes
    """
    console = Console(stderr=True)
    plan = DataPlan(last_closed_hour(), days, routers, interfaces)
    with folder(console, keep=keep, data=data) as place, console.status("starting") as status:
        figures = measure_queries(place, plan, status.update, min(narrow_days or days, days))
    show(console, figures, as_json=as_json)


@click.command()
@click.option(
    "--hours", type=click.IntRange(1, 24), default=24, show_default=True, help="Of the last UTC day."
)
@_json
@_keep
@_data
def reference(hours: int, as_json: bool, keep: bool, data: Path | None) -> None:
    """A day of the reference load: 3 routers x 30 interfaces x 4 counters + 10 values, 390 points a second.

    Generated, put into an event log, projected, compacted and rolled up by the
    real thing, and once more written as dense blocks. From what that takes on
    the disk follows what 90 days take, rollups included.
    """
    console = Console(stderr=True)
    plan = ReferencePlan(yesterday(hours), hours)
    with folder(console, keep=keep, data=data) as place, console.status("starting") as status:
        figures = measure_reference(place, plan, status.update)
    show(console, figures, as_json=as_json)


COMMANDS: tuple[Any, ...] = (storage, query, reference)
