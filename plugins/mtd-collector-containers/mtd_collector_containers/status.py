"""How a container is, which versions tell in a word or in flags.

Up to 7.21 there is a ``status`` (``running``, ``stopped``, ``extracting``).
Since 7.22 there is a flag for each state, and flags for the health that the
image's own check finds.
"""

from __future__ import annotations

import re

from mtd.model.command import Rows

# Flag -> state. The first that is true counts.
_STATES = {
    "deleting": b"deleting",
    "download/extract failed": b"failed",
    "downloading/extracting": b"extracting",
    "stopping": b"stopping",
    "starting": b"starting",
    "starting-with-healthcheck": b"starting",
    "running": b"running",
    "healthy": b"running",
    "unhealthy": b"running",
    "stopped": b"stopped",
}
_HEALTH = {"unhealthy": b"unhealthy", "healthy": b"healthy", "starting-with-healthcheck": b"starting"}
_TRUE = (b"true", b"yes")
_NUMBER = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

TITLE_FIELDS = ("comment", "name", "hostname", "tag", "remote-image", "repo")
FLAGS = tuple(_STATES)


def one_state(rows: Rows) -> Rows:
    """Return the rows with ``state`` and ``health``, in words, whatever the version; and with a name."""
    found = rows.dicts()
    columns = {name: list(values) for name, values in rows.columns.items()}
    columns["state"] = [row.get("status") or _first(_STATES, row) for row in found]
    columns["health"] = [_first(_HEALTH, row) for row in found]
    columns["title"] = [_title(row) for row in found]
    return Rows(rows.count, columns)


def _first(words: dict[str, bytes], row: dict[str, bytes]) -> bytes | None:
    return next((word for flag, word in words.items() if row.get(flag) in _TRUE), None)


def _title(row: dict[str, bytes]) -> bytes | None:
    """Return what people call it: older versions name a container by a number that nobody knows."""
    names = [row[field] for field in TITLE_FIELDS if row.get(field)]
    return next((name for name in names if not _NUMBER.fullmatch(name)), names[0] if names else None)
