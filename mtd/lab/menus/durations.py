"""Durations as clients write them."""

from __future__ import annotations

import re

from mtd.lab.menus.base import CommandError

_UNITS = {"w": 604_800.0, "d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 0.000_001}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(w|d|h|ms|us|m|s)?")


def seconds(value: bytes) -> float:
    """Read a duration such as "1s", "500ms", "00:00:02" or "1"; CommandError if it is none."""
    text = value.decode("latin-1")
    clock = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text)
    if clock:
        hours, minutes, rest = clock.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(rest)
    if not text or _DURATION.sub("", text):
        raise CommandError(f"invalid value for argument interval: {text}", 1)
    return sum(float(count) * _UNITS[unit or "s"] for count, unit in _DURATION.findall(text))
