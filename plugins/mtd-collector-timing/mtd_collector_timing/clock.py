"""Clock and NTP client, which RouterOS 6 and 7 tell in different words."""

from __future__ import annotations

import re

from mtd.model.command import Rows

CLOCK_FIELDS = ("date", "time", "gmt-offset")
NTP_FIELDS = (
    "enabled",
    "status",
    "synced-server",
    "synced-stratum",
    "system-offset",
    # RouterOS 6 has no status: it tells of the last answer of a server.
    "active-server",
    "last-update-before",
    "last-adjustment",
)

_OFFSET = re.compile(rb"[+-][0-9]{2}:[0-9]{2}")
_SECONDS = re.compile(rb"(-?)([0-9]{1,5})")
_MILLISECONDS = re.compile(rb"(-?)([0-9]{1,9})(?:\.([0-9]{1,3})[0-9]*)?(?: ?ms)?")
_YES = (b"true", b"yes")
_NO = (b"false", b"no")


def one_moment(rows: Rows) -> Rows:
    """Return the router's time as one text, with its zone behind it: ``2024-05-17 17:58:11+01:00``."""
    moments: list[bytes | None] = []
    for row in rows.dicts():
        zone = _zone(row.get("gmt-offset", b""))
        date, time = row.get("date"), row.get("time")
        moments.append(None if not (date and time and zone) else date + b" " + time + zone)
    return Rows(len(moments), {"now": moments})


def _zone(raw: bytes) -> bytes | None:
    """Return the offset as ``+01:00``; some versions give it in seconds."""
    if _OFFSET.fullmatch(raw):
        return raw
    match = _SECONDS.fullmatch(raw)
    if match is None:
        return None
    hours, minutes = divmod(int(match[2]) // 60, 60)
    return b"%b%02d:%02d" % (b"-" if match[1] else b"+", hours, minutes)


def one_client(rows: Rows) -> Rows:
    """Return the NTP client in the words of version 7: state, server, stratum, offset, age."""
    shown = [_client(row) for row in rows.dicts()]
    names = ("service", "state", "server", "stratum", "offset", "age")
    return Rows(len(shown), {name: [row.get(name) for row in shown] for name in names})


def _client(row: dict[str, bytes]) -> dict[str, bytes]:
    found = {
        "service": b"client",
        "state": row.get("status") or _state(row),
        "server": row.get("synced-server") or row.get("active-server"),
        "stratum": row.get("synced-stratum"),
        "offset": _milliseconds(row.get("system-offset")) or row.get("last-adjustment"),
        "age": row.get("last-update-before"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _state(row: dict[str, bytes]) -> bytes | None:
    """Tell the state where the router has none: from whether it is on, and whether a server ever answered."""
    if row.get("enabled") in _NO:
        return b"stopped"
    if row.get("enabled") not in _YES:
        return None
    return b"synchronized" if row.get("last-update-before") else b"waiting"


def _milliseconds(raw: bytes | None) -> bytes | None:
    """Return ``-0.243 ms`` as the duration ``-243us``."""
    match = _MILLISECONDS.fullmatch(raw or b"")
    if match is None:
        return None
    whole, fraction = int(match[2]), int((match[3] or b"").ljust(3, b"0"))
    return b"%b%dus" % (match[1], whole * 1000 + fraction)
