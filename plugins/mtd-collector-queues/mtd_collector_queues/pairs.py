"""Values of simple queues, which come in pairs: ``upload/download``, as the target sees it."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.model.command import Rows
from mtd.model.values import rate

Raw = bytes | None
# What is told in pairs, and for which of them a pair of 0 means "no limit".
COUNTED = ("bytes", "packets", "dropped", "queued-bytes", "queued-packets")
LIMITS = ("max-limit", "limit-at")
WAYS = ("upload", "download")


def usage(rows: Rows) -> Rows:
    """Add ``upload-bytes``, ``download-bytes`` and so on: the halves of what is counted."""
    return _split(rows, COUNTED)


def limits(rows: Rows) -> Rows:
    """Add the halves of the limits, without those that are none."""
    halves = _split(rows, LIMITS)
    columns = {
        name: [_limit(raw) for raw in column]
        if name.removeprefix("upload-").removeprefix("download-") in LIMITS
        else column
        for name, column in halves.columns.items()
    }
    return Rows(halves.count, columns)


def tree_limits(rows: Rows) -> Rows:
    """Leave limits of 0 out: there is none."""
    columns = {
        name: [_limit(raw) for raw in column] if name in LIMITS else column
        for name, column in rows.columns.items()
    }
    return Rows(rows.count, columns)


def lasting_interfaces(rows: Rows) -> Rows:
    """Leave the interfaces of sessions out, such as ``<pppoe-user>``: they are somebody's, and come and go."""
    names = rows.column("interface")
    kept = [place for place, name in enumerate(names) if name and not name.startswith(b"<")]
    if len(kept) == rows.count:
        return rows
    return Rows(len(kept), {name: [column[place] for place in kept] for name, column in rows.columns.items()})


def _split(rows: Rows, names: Sequence[str]) -> Rows:
    columns: dict[str, Sequence[Raw]] = dict(rows.columns)
    for name in names:
        halves = [_halves(raw) for raw in rows.column(name)]
        for place, way in enumerate(WAYS):
            columns[f"{way}-{name}"] = [half[place] for half in halves]
    return Rows(rows.count, columns)


def _halves(raw: Raw) -> tuple[Raw, Raw]:
    if raw is None:
        return None, None
    upload, slash, download = raw.partition(b"/")
    return (upload, download) if slash else (None, None)


def _limit(raw: Raw) -> Raw:
    return None if raw is not None and rate(raw) == 0.0 else raw
