"""Values as RouterOS writes them: raw bytes in, numbers and text out.

Every parser returns None for what is absent or can't be read; nothing is
guessed. Callers tell the two apart with ``is_blank`` and count the second.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mtd.model.numbers import integers_in
from mtd.model.text import decode_text

Raw: TypeAlias = bytes | None

MAX_INT64 = 2**63 - 1

_INTEGER = re.compile(rb"-?[0-9]{1,19}")
_DECIMAL = re.compile(rb"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")
_BOOLEANS = {b"true": True, b"yes": True, b"false": False, b"no": False}
_BLANKS = frozenset((b"", b"never", b"none", b"unknown", b"n/a"))

_UNITS_US = (
    604_800_000_000,  # weeks
    86_400_000_000,  # days
    3_600_000_000,  # hours
    60_000_000,  # minutes
    1_000_000,  # seconds
    1_000,  # milliseconds
    1,  # microseconds
)
_DURATION = re.compile(
    rb"(-)?(?:([0-9]{1,9})w)?(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m(?!s))?"
    rb"(?:([0-9]{1,12})s)?(?:([0-9]{1,12})ms)?(?:([0-9]{1,12})us)?"
)
_CLOCK = re.compile(
    rb"(-)?(?:([0-9]{1,9})w)?(?:([0-9]{1,9})d)?([0-9]{1,9}):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,6}))?"
)

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"),
        start=1,
    )
}
_DATE_WORDS = re.compile(rb"([A-Za-z]{3})/([0-9]{1,2})/([0-9]{4})(?: ([0-9]{2}):([0-9]{2}):([0-9]{2}))?")
_DATE_ISO = re.compile(rb"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T]([0-9]{2}):([0-9]{2}):([0-9]{2}))?")
_ZONE = re.compile(rb"(.*:.*)([+-])([0-9]{2}):([0-5][0-9])")

_RATE = re.compile(rb"([0-9]{1,15}(?:\.[0-9]{1,9})?)([kKMGT]?)(?:bps|bit/s)?(?:-[ -~]*)?")
_RATE_FACTORS = {b"": 1.0, b"k": 1e3, b"K": 1e3, b"M": 1e6, b"G": 1e9, b"T": 1e12}

_SIZE = re.compile(rb"([0-9]{1,15}(?:\.[0-9]{1,9})?)(?:([KMGT])iB|B)?")
_SIZE_FACTORS = {None: 1, b"K": 2**10, b"M": 2**20, b"G": 2**30, b"T": 2**40}

_DIGITS = b"0123456789,"


def is_blank(raw: Raw) -> bool:
    """Whether the router says that there is no value; not to be counted as unreadable."""
    return raw is None or raw in _BLANKS


text = decode_text
"""Decode text, never with an error: see `mtd.model.text`."""


def integer(raw: Raw) -> int | None:
    """Parse an integer that fits in 64 bits with sign."""
    if raw is None or _INTEGER.fullmatch(raw) is None:
        return None
    value = int(raw)
    return value if -MAX_INT64 - 1 <= value <= MAX_INT64 else None


def decimal(raw: Raw, suffix: bytes = b"") -> float | None:
    """Parse a decimal number, with or without the given unit behind it (``56C``)."""
    if raw is None:
        return None
    number = raw.removesuffix(suffix)
    return float(number) if _DECIMAL.fullmatch(number) is not None else None


def boolean(raw: Raw) -> bool | None:
    """Parse ``true``, ``false``, ``yes`` or ``no``."""
    return _BOOLEANS.get(raw) if raw is not None else None


@lru_cache(maxsize=256)  # an uptime is asked for twice in each poll
def duration(raw: Raw) -> float | None:
    """Parse ``1w2d3h4m5s``, ``53m10s720ms``, ``453us`` or ``1d01:22:53``; seconds."""
    if not raw:
        return None
    match = _DURATION.fullmatch(raw)
    if match is None:
        return _clock_duration(raw)
    sign, *parts = match.groups()
    total = 0
    empty = True
    for part, unit in zip(parts, _UNITS_US, strict=True):
        if part is not None:
            total += int(part) * unit
            empty = False
    if empty:
        return None
    return (-total if sign else total) / 1e6


def _clock_duration(raw: bytes) -> float | None:
    match = _CLOCK.fullmatch(raw)
    if match is None:
        return None
    sign, *parts, fraction = match.groups()
    total = sum(int(part or 0) * unit for part, unit in zip(parts, _UNITS_US[:5], strict=True))
    total += int((fraction or b"0").ljust(6, b"0"))
    return (-total if sign else total) / 1e6


def date(raw: Raw) -> datetime.datetime | None:
    """Parse ``apr/22/2022 07:54:55`` or ``2024-11-26 12:09:40``; the router's local time, without zone."""
    if raw is None:
        return None
    match = _DATE_ISO.fullmatch(raw)
    if match is not None:
        year, month, day = (int(part) for part in match.groups()[:3])
    else:
        match = _DATE_WORDS.fullmatch(raw)
        if match is None:
            return None
        month = _MONTHS.get(match[1].lower(), 0)
        day, year = int(match[2]), int(match[3])
    hour, minute, second = (int(part or 0) for part in match.groups()[3:])
    try:
        return datetime.datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


def moment(raw: Raw) -> float | None:
    """Parse a date with its zone behind it (``2024-11-26 12:09:40+02:00``), or in UTC; seconds since the epoch."""
    if raw is None:
        return None
    match = _ZONE.fullmatch(raw)
    local = date(raw if match is None else match[1])
    if local is None:
        return None
    seconds = local.replace(tzinfo=datetime.UTC).timestamp()
    if match is None:
        return seconds
    offset = int(match[3]) * 3600 + int(match[4]) * 60
    return seconds + offset if match[2] == b"-" else seconds - offset


def rate(raw: Raw) -> float | None:
    """Parse a link or signal rate: ``1Gbps``, ``2.5G-baseT-full``, ``72.2Mbps-20MHz/1S``; bits per second."""
    if raw is None:
        return None
    match = _RATE.fullmatch(raw)
    return float(match[1]) * _RATE_FACTORS[match[2]] if match is not None else None


def size(raw: Raw) -> float | None:
    """Parse ``67.5MiB`` or a bare number; bytes."""
    if raw is None:
        return None
    match = _SIZE.fullmatch(raw)
    return float(match[1]) * _SIZE_FACTORS[match[2]] if match is not None else None


@dataclass(slots=True)
class CounterColumn:
    """Counters of one reply. ``present`` is None if all are there; an absent one holds 0."""

    numbers: NDArray[np.int64]
    present: NDArray[np.bool_] | None = None
    unreadable: int = 0

    def exact(self) -> list[int | None]:
        """Return Python integers, and None where the router gave nothing."""
        numbers: list[int | None] = self.numbers.tolist()
        if self.present is None:
            return numbers
        return [number if there else None for number, there in zip(numbers, self.present, strict=True)]


def counters(column: Sequence[Raw]) -> CounterColumn:
    """Parse counters, all at once if they are clean: 300 of ten digits in about 17 microseconds.

    A counter is a non-negative integer below 2**63; anything else is absent.
    """
    try:
        joined = b",".join(column)  # type: ignore[arg-type]  # None is what the except is for
    except TypeError:
        return _counters_one_by_one(column)
    count = len(column)
    # Only digits, exactly the separators that join put there, and nothing empty
    # between them: then NumPy reads what int() would.
    clean = (
        not joined.translate(None, _DIGITS)
        and joined.count(b",") == count - 1
        and b",," not in joined
        and joined[:1] != b","
        and joined[-1:] != b","
        and joined != b""
    )
    if not clean:
        return _counters_one_by_one(column)
    numbers = integers_in(joined, ",", count)
    # Too large numbers come out as the largest: look at them one by one.
    if int(numbers.max()) == MAX_INT64:
        return _counters_one_by_one(column)
    return CounterColumn(numbers)


def _counters_one_by_one(column: Sequence[Raw]) -> CounterColumn:
    numbers = np.zeros(len(column), dtype=np.int64)
    present = np.zeros(len(column), dtype=np.bool_)
    unreadable = 0
    for position, raw in enumerate(column):
        value = integer(raw)
        if value is not None and value >= 0:
            numbers[position] = value
            present[position] = True
        elif not is_blank(raw):
            unreadable += 1
    return CounterColumn(numbers, None if present.all() else present, unreadable)


Parser: TypeAlias = Callable[[Raw], float | None]
