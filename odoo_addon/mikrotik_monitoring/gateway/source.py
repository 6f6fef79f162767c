"""Values of routers, wherever they are read from: what is asked, what comes back, how fine it is.

A source has two methods, `latest(devices, patterns)` and `history(device, patterns, plan)`. Both return
lists of `Series`. Devices are mtd's ids. Patterns are catalogue keys or full keys; `*` and `?` are
wildcards; none of them means all.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SECOND_US = 1_000_000
MAX_ROWS = 50_000
"""Most values of one answer."""
MAX_POINTS = 3600
"""Most values of one series, unless somebody asks for a resolution by name."""

AUTO = "auto"
RAW = "raw"
WIDTHS_S = (10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Widths of buckets that people read easily. Each is made of whole buckets of a rollup."""

_ROLLUPS_S = {"5m": 300, "1m": 60, "10s": 10}
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_MASK_64 = (1 << 64) - 1
_ID_BITS = 52  # JavaScript holds integers of 53 bits


class SourceError(Exception):
    """A source can't answer. `kind` is a word for programs; the text is for people who know PostgreSQL."""

    def __init__(self, kind, text=""):
        super().__init__(text or kind)
        self.kind = kind


@dataclass(frozen=True)
class Series:
    """Values of one thing over time, the oldest first.

    `whole` holds counters exactly. `texts` gives the words of a state's numbers. With `bucket_us`, each
    value is the mean of a bucket (of counters the last one) that begins at its time.
    """

    device: str
    metric: str
    instance: str
    label: str
    key: str
    unit: str
    times_us: Sequence[int]
    values: Sequence[float]
    whole: Sequence[int] = ()
    minimum: Sequence[float] = ()
    maximum: Sequence[float] = ()
    texts: Mapping[int, str] = field(default_factory=dict)
    bucket_us: int = 0

    @property
    def resolution(self):
        """Return how fine the values are, such as `raw` or `5m`."""
        return width_word(self.bucket_us)

    def ids(self, *, over_time=True):
        """Return a number for each value, always the same, that JavaScript can hold."""
        name = "\0".join((self.device, self.metric, self.instance, str(self.bucket_us)))
        seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
        return [_mixed(seed + time_us) for time_us in self.times_us] if over_time else [_mixed(seed)]


@dataclass(frozen=True)
class Plan:
    """What of a range is read, from what mtd calls a resolution; `auto`: mtd chooses."""

    start_us: int
    end_us: int
    points: int
    resolution: str = AUTO
    width_us: int = 0
    """Width of the buckets that are expected; 0: values come as they are stored."""


def plan_range(start_us, end_us, series, resolution=AUTO):
    """Return how to read a range of so many series, so that the answer is small enough.

    Raises SourceError `rows` where a resolution that was asked for by name gives too many values.
    """
    if resolution == RAW:
        return Plan(start_us, end_us, MAX_ROWS, RAW)
    if resolution != AUTO:
        width_us = width_of(resolution)
        return _in_buckets(start_us, end_us, width_us, series, _rollup_of(width_us))
    # A tenth is kept back: there may be more series than there are now, and buckets at both ends.
    points = max(2, min(MAX_POINTS, MAX_ROWS * 9 // 10 // max(series, 1)))
    if end_us - start_us <= points * SECOND_US:
        return Plan(start_us, end_us, points + points // 20 + 1)
    return _in_buckets(start_us, end_us, readable_width((end_us - start_us) // points), series, AUTO)


def _in_buckets(start_us, end_us, width_us, series, resolution):
    start_us, end_us = start_us // width_us * width_us, -(-end_us // width_us) * width_us
    points = (end_us - start_us) // width_us
    if series * points > MAX_ROWS:
        raise SourceError("rows")
    return Plan(start_us, end_us, points, resolution, width_us)


def _rollup_of(width_us):
    seconds = width_us // SECOND_US
    return next(name for name, step in _ROLLUPS_S.items() if seconds % step == 0)


def readable_width(least_us):
    """Return a width of buckets that isn't below one, in microseconds."""
    day_us = WIDTHS_S[-1] * SECOND_US
    fitting = (width * SECOND_US for width in WIDTHS_S if width * SECOND_US >= least_us)
    return next(fitting, -(-least_us // day_us) * day_us)


def width_of(word):
    """Return the width that a word such as `5m` stands for; None if it stands for none that can be asked for."""
    sizes = {unit: size for size, unit in _UNITS}
    if not word[:-1].isdecimal() or word[-1] not in sizes:
        return None
    seconds = int(word[:-1]) * sizes[word[-1]]
    return seconds * SECOND_US if seconds and seconds % 10 == 0 else None


def width_word(width_us):
    """Return a width as people write it: `raw`, `10s`, `5m`, `2h`."""
    seconds = width_us // SECOND_US
    if not seconds:
        return "raw"
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"{seconds // size}{unit}"


def checked(series, plan=None):
    """Return series whose values are as fine as was asked for, and few enough. Raises SourceError `rows`."""
    asked = plan is not None and plan.resolution != AUTO
    if asked and any(one.bucket_us != plan.width_us for one in series):
        raise SourceError("rows")
    if sum(len(one.times_us) for one in series) > MAX_ROWS:
        raise SourceError("rows")
    return series


def _mixed(number):
    """Return a number in which every bit depends on all of the other one's (splitmix64)."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK_64
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK_64
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK_64
    return ((number ^ (number >> 31)) >> (64 - _ID_BITS)) or 1
