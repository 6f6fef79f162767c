"""Sensors, which RouterOS 6 and 7 tell in two shapes.

Version 6 has one row with a field per sensor (``voltage=24``). Version 7 has a
row per sensor (``name``, ``value``, ``type``). Both become a row per sensor with
the value in the column of its quantity.
"""

from __future__ import annotations

import re

from mtd.model.command import Rows

# What version 6 calls its sensors; version 7 gives the type with the value.
V6_SENSORS = (
    "voltage",
    "temperature",
    "cpu-temperature",
    "board-temperature",
    "board-temperature1",
    "board-temperature2",
    "sfp-temperature",
    "switch-temperature",
    "psu-voltage",
    "psu1-voltage",
    "psu2-voltage",
    "psu1-current",
    "psu2-current",
    "current",
    "power-consumption",
    "fan-speed",
    "fan1-speed",
    "fan2-speed",
    "fan3-speed",
    "fan4-speed",
    "psu1-state",
    "psu2-state",
    "fan-state",
    "state",
)

_BY_TYPE = {b"C": "temperature", b"V": "voltage", b"A": "current", b"W": "power", b"RPM": "fan-speed"}
_BY_NAME = (
    (re.compile(rb"(?:.*-)?temperature[0-9]*"), "temperature"),
    (re.compile(rb"(?:.*-)?voltage"), "voltage"),
    (re.compile(rb"(?:.*-)?current"), "current"),
    (re.compile(rb"power-consumption"), "power"),
    (re.compile(rb"fan[0-9]*-speed"), "fan-speed"),
    (re.compile(rb"(?:.*-)?state"), "state"),
)
QUANTITIES = ("temperature", "voltage", "current", "power", "fan-speed", "state")


def one_row_per_sensor(rows: Rows) -> Rows:
    """Return a row per sensor: ``name``, and the value in the column of its quantity."""
    names = rows.column("name")
    # A column may be there and empty: routers of both versions are read by one pattern.
    if any(name is not None for name in names):
        values = rows.column("value")
        types = rows.column("type")
        sensors = list(zip(names, values, types, strict=True))
    else:
        first = rows.dicts()[:1]
        sensors = [(name.encode(), value, None) for row in first for name, value in row.items()]
    taken = [
        (name, value, quantity)
        for name, value, kind in sensors
        if name is not None and value is not None and (quantity := _quantity(name, kind)) is not None
    ]
    columns: dict[str, list[bytes | None]] = {"name": [name for name, _, _ in taken]}
    for wanted in QUANTITIES:
        columns[wanted] = [value if quantity == wanted else None for _, value, quantity in taken]
    return Rows(len(taken), dict(columns))


def _quantity(name: bytes, kind: bytes | None) -> str | None:
    """Return the column of a sensor; None if nothing is known of it."""
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    return next((quantity for pattern, quantity in _BY_NAME if pattern.fullmatch(name)), None)
