"""What is read of files, and what it means."""

from __future__ import annotations

from mtd.model.metric import Tier, Unit
from mtd.plugin import Collector, Gauge, Menu, Parse, RowEvent, TableKind, columns
from mtd_collector_files.listing import one_date, totals

PATH = "/file"
# A disk for containers may hold very many: then the list is given up, and a trap tells so.
MAX_ROWS = 5_000
MAX_BYTES = 2 * 1024 * 1024

TOTALS = Menu(
    name="totals",
    path=PATH,
    kind=TableKind.METRICS,
    tier=Tier.T3,
    reads=("type", "size"),
    transform=totals,
    max_rows=MAX_ROWS,
    max_bytes=MAX_BYTES,
    fields=(
        Gauge(
            field="files",
            key="files.entries",
            unit=Unit.COUNT,
            description="Files on the router, without directories.",
            since="1",
            expected_min=0.0,
        ),
        Gauge(
            field="bytes",
            key="files.size_bytes",
            unit=Unit.BYTES,
            description="Size of all files together.",
            since="1",
            parse=Parse.SIZE,
            expected_min=0.0,
        ),
    ),
)

LISTING = Menu(
    name="listing",
    path=PATH,
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T3,
    table="file",
    row_key="name",
    reads=(
        "type",
        "size",
        "creation-time",
        "last-modified",
        "package-name",
        "package-version",
        "package-architecture",
    ),
    transform=one_date,
    max_rows=MAX_ROWS,
    max_bytes=MAX_BYTES,
    fields=columns("type", "size", "changed", "package-name", "package-version", "package-architecture"),
    appears=RowEvent(event_type="file.added", entity_type="file", message="file {label} was added"),
    vanishes=RowEvent(event_type="file.removed", entity_type="file", message="file {label} is gone"),
)

COLLECTOR = Collector(
    name="files",
    api=1,
    description="Files: names, types, sizes, dates; never what is in them",
    menus=(TOTALS, LISTING),
)
