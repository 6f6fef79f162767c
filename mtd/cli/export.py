"""``mtd export``: stored values of many devices as CSV or Parquet, however many."""

from __future__ import annotations

import contextlib
import datetime as dt
import fnmatch
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mtd.cli.connection import Connection
from mtd.cli.output import explain_errors, plain, progress_console, server_option
from mtd.cli.times import span_of, span_options
from mtd.cli.watch import device_option, metric_option
from mtd.client import MtdClient
from mtd.client.slices import resolutions
from mtd.client.tables import CsvWriter, ParquetWriter

_TIMEOUT_S = 60.0
_STEPS_PER_DEVICE = 1000


@click.command()
@device_option
@metric_option
@span_options
@click.option(
    "--resolution",
    type=click.Choice(resolutions()),
    default="raw",
    show_default=True,
    help="Every value as stored, or every bucket of a rollup.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("-"),
    help="File to write; - or nothing is standard output.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "parquet"]),
    help="Default: by the ending of the file's name, else csv. Parquet needs pip install 'mtd[export]'.",
)
@server_option
@explain_errors
def export(
    devices: tuple[str, ...],
    metrics: tuple[str, ...],
    resolution: str,
    output: Path,
    form: str | None,
    server: Connection,
    **span: str | None,
) -> None:
    """Write all stored values of devices to a file or standard output.

    They are read device by device in slices of time, the oldest first, and each slice is written series by series:
    memory doesn't grow with the range. If the daemon is away for some minutes, it goes on then. Progress goes to
    standard error.

    \b
    mtd export --last 24h -o day.csv
    mtd export -d 'core-*' -m 'iface.*.rx_bps' --from 2026-11-01 --to 2026-12-01 -o november.parquet
    mtd export -m system.cpu.load_pct --last 90d --resolution 5m | gzip > cpu.csv.gz
    """
    start, end = span_of(**span)
    kind = form or ("parquet" if output.suffix == ".parquet" else "csv")
    if kind == "parquet" and str(output) == "-" and sys.stdout.isatty():
        raise click.UsageError("a terminal can't show Parquet: name a file with --output")
    with server.client(timeout_s=_TIMEOUT_S) as client:
        named = _named(client, devices)
        with _opened(output) as file, _writer(kind, file) as writer:
            _export(client, writer, named, metrics, start, end, resolution)
    where = "" if str(output) == "-" else f" to {output}"
    progress_console.print(plain(f"{writer.rows:,} rows of {len(named)} devices{where}"))
    if not writer.rows and metrics:
        progress_console.print(
            plain(
                f"Nothing is stored of {', '.join(metrics)} in that time: `mtd catalogue` lists the metrics."
            )
        )


def _named(client: MtdClient, patterns: Sequence[str]) -> dict[str, str]:
    """Return id and name of the devices that are meant."""
    found = {
        device.id: device.name
        for device in client.list_devices()
        if not patterns
        or any(
            fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))
            for pattern in patterns
            for name in (device.name, device.id)
        )
    }
    if not found:
        asked = ", ".join(patterns)
        raise click.ClickException(
            f"no device is called {asked}: `mtd device list` names them"
            if patterns
            else "there is no device yet: `mtd device add` makes one"
        )
    return found


def _export(
    client: MtdClient,
    writer: CsvWriter | ParquetWriter,
    named: dict[str, str],
    metrics: Sequence[str],
    start: dt.datetime,
    end: dt.datetime,
    resolution: str,
) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress_console, transient=True) as progress:
        task = progress.add_task("", total=len(named) * _STEPS_PER_DEVICE)
        for number, (device_id, name) in enumerate(named.items()):
            slices = client.query_slices(device_id, metrics, start=start, end=end, resolution=resolution)
            for part in slices:
                writer.write(name, part.result)
                share = (part.end_us / 1e6 - start.timestamp()) / (end - start).total_seconds()
                progress.update(
                    task,
                    completed=int((number + min(share, 1.0)) * _STEPS_PER_DEVICE),
                    description=f"{plain(name)}: {writer.rows:,} rows",
                )


@contextlib.contextmanager
def _writer(kind: str, file: IO[bytes]) -> Iterator[CsvWriter | ParquetWriter]:
    if kind == "parquet":
        parquet = ParquetWriter(file)
        yield parquet
        parquet.close()
        return
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        yield CsvWriter(text)
    finally:
        text.detach()  # writes what waits, and leaves the file to whoever opened it


@contextlib.contextmanager
def _opened(output: Path) -> Iterator[IO[bytes]]:
    """Open what is written to. A file has its name only when it is whole."""
    if str(output) == "-":
        yield sys.stdout.buffer
        return
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(output)
    except OSError as error:
        raise click.ClickException(f"{output} can't be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
