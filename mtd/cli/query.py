"""``mtd query``: stored values of one device, as a table, JSON or CSV."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import (
    console,
    explain_errors,
    format_rate,
    json_option,
    plain,
    print_json,
    progress_console,
    server_option,
)
from mtd.cli.times import span_of, span_options
from mtd.client.ranges import RangeResult, TimeSeries
from mtd.client.tables import CsvWriter

DEFAULT_LAST = "15m"
RESOLUTIONS = ("auto", "raw", "10s", "1m", "5m")
_SAID_WITH_THE_FIGURE = {"bits_per_second": format_rate}
_READ = {"raw": "raw values", "10s": "rollups of 10 s", "1m": "rollups of 1 min", "5m": "rollups of 5 min"}


@click.command()
@click.argument("device")
@click.argument("metrics", nargs=-1, required=True)
@span_options
@click.option(
    "--max-points",
    "--points",
    type=click.IntRange(1, 100_000),
    default=600,
    show_default=True,
    help="Most points per series.",
)
@click.option(
    "--resolution",
    type=click.Choice(RESOLUTIONS),
    default="auto",
    show_default=True,
    help="What to read: values as stored, or rollups; auto chooses by the range, never raw over more than a day.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print every point as CSV instead of a table.")
@server_option
@json_option
@explain_errors
def query(
    device: str,
    metrics: tuple[str, ...],
    max_points: int,
    resolution: str,
    as_csv: bool,
    server: Connection,
    as_json: bool,
    **span: str | None,
) -> None:
    """Read stored values of DEVICE: METRICS are keys or patterns, such as 'iface.ether1.*'.

    \b
    mtd query core-1 'iface.*.rx_bps'                    the last 15 minutes
    mtd query core-1 iface.ether1.rx_bps --last 90d      three months, 600 points
    mtd query core-1 system.cpu.load_pct --from 2026-11-01 --to 2026-11-08 --resolution 5m --csv
    """
    if as_csv and as_json:
        raise click.UsageError("choose --csv or --json, not both")
    start, end = span_of(**span, default_last=DEFAULT_LAST)
    with server.client() as client:
        result = client.query_range(
            device, metrics, start=start, end=end, max_points=max_points, resolution=resolution
        )
    if as_json:
        print_json({"bucket_us": result.bucket_us, "resolution": result.resolution, "series": result.series})
    elif as_csv:
        writer = CsvWriter(sys.stdout)
        writer.write(device, result)
    elif result.series:
        console.print(_table(result))
    if not result.series:
        when = "in that time" if span["since"] else f"in the last {span['last'] or DEFAULT_LAST}"
        progress_console.print(
            plain(
                f"Nothing stored for {device} {when} that matches {' or '.join(metrics)}."
                " `mtd catalogue` lists the metrics, `mtd watch` shows which of them come."
            )
        )


def _table(result: RangeResult) -> Table:
    table = Table()
    table.add_column("Metric", no_wrap=True, overflow="fold")
    for name in ("Points", "Last", "Min", "Average", "95th pct.", "Max", "Increase"):
        table.add_column(name, justify="right")
    table.add_column("Unit")
    for series in result.series:
        unit = "" if series.unit in _SAID_WITH_THE_FIGURE else plain(series.unit)
        table.add_row(plain(series.key), str(len(series.values)), *_figures(series), unit)
    read = _READ.get(result.resolution, result.resolution)
    table.caption = f"{read}, a point for each {result.bucket_us / 1e6:g} s" if result.bucket_us else read
    return table


def _figures(series: TimeSeries) -> list[str]:
    """Return last, smallest, average, 95th percentile, largest and increase; of a counter the last and its growth."""
    values = series.values
    if series.lane == "counter":
        grown = sum(series.increases) if series.increases else _increase([int(value) for value in values])
        return [f"{values[-1]:,}", "", "", "", "", f"{grown:,}"]
    counts = series.counts or [1] * len(values)
    mean = sum(value * count for value, count in zip(values, counts, strict=True)) / sum(counts)
    figures = (
        values[-1],
        min(series.minimum or values),
        mean,
        _p95(series.p95 or values, counts),
        max(series.maximum or values),
    )
    say = _SAID_WITH_THE_FIGURE.get(series.unit, "{:,.2f}".format)
    return [*map(say, figures), ""]


def _increase(values: Sequence[int]) -> int:
    """Return the growth across resets."""
    return sum(
        now - before if now >= before else now for before, now in zip(values, values[1:], strict=False)
    )


def _p95(values: Sequence[float], counts: Sequence[int]) -> float:
    """Return the nearest rank, each value weighted by its count."""
    rank = -(-95 * sum(counts) // 100)
    for value, count in sorted(zip(values, counts, strict=True)):
        rank -= count
        if rank <= 0:
            return value
    return max(values)
