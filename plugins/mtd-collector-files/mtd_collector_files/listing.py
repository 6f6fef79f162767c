"""The list of files, which versions date in different words."""

from __future__ import annotations

from mtd.model.command import Rows
from mtd.model.values import size

DIRECTORIES = (b"directory", b"disk")


def one_date(rows: Rows) -> Rows:
    """Return the rows with ``changed``: older versions tell when a file was created, newer when it was written."""
    columns = dict(rows.columns)
    created = rows.column("creation-time")
    columns["changed"] = [
        late or early for late, early in zip(rows.column("last-modified"), created, strict=True)
    ]
    return Rows(rows.count, columns)


def totals(rows: Rows) -> Rows:
    """Return one row: how many files there are, and how large they are together."""
    types = rows.column("type")
    sizes = [
        size(raw)
        for raw, kind in zip(rows.column("size"), types, strict=True)
        if kind is not None and kind not in DIRECTORIES
    ]
    told = [number for number in sizes if number is not None]
    columns: dict[str, list[bytes | None]] = {"files": [b"%d" % len(sizes)]}
    # Without a size of every file there is no sum of them.
    columns["bytes"] = [b"%d" % round(sum(told)) if len(told) == len(sizes) else None]
    return Rows(1, dict(columns))
