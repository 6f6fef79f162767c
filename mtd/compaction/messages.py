"""What the worker tells the daemon: one JSON object a line."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field

from mtd.core.errors import Bug


@dataclass(frozen=True, slots=True)
class UnitDone:
    """An hour of a device and poll group was compacted.

    ``kind`` is "new", "late" (merged with blocks that were there) or "repeat"
    (nothing in it that wasn't stored). ``points`` counts values that came into
    blocks by it, ``size`` the bytes of the blocks written. ``left_out`` counts
    values that came when their class doesn't keep values of that hour any more.
    """

    device_id: str
    poll_group: str
    hour_us: int
    kind: str
    frames: int
    repeated: int
    polls: int
    series: int
    points: int
    size: int
    cpu_s: float
    duration_s: float
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class UnitFailed:
    """An hour couldn't be compacted; its frames are where they were.

    ``what`` is "verification", "data", "database" or "bug".
    """

    device_id: str
    poll_group: str
    hour_us: int
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class HourDropped:
    """The emptied partition of an hour was removed."""

    partition: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something beside the hours didn't succeed: ``what`` is "partition", "rollups", "dense" or "database"."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a round is: at which hour, and how many of how many are done.

    ``lag_s`` is how long that hour is due.
    """

    hours_done: int
    hours: int
    units_done: int
    units: int
    hour_us: int
    lag_s: float


@dataclass(frozen=True, slots=True)
class RoundDone:
    """A look at all that is due has ended.

    ``waiting`` hours (of a device and poll group) are due and were not done, ``lag_s``
    is how long the oldest of them is due. ``unknown`` names layouts that were
    never declared, with their frames.
    """

    units: int
    failed: int
    waiting: int
    lag_s: float
    days_merged: int
    recoded: int
    unknown_frames: int
    unknown: list[str] = field(default_factory=list)


Message = UnitDone | UnitFailed | HourDropped | Trouble | Progress | RoundDone

_KINDS: dict[str, type[Message]] = {
    "unit": UnitDone,
    "failed": UnitFailed,
    "dropped": HourDropped,
    "trouble": Trouble,
    "progress": Progress,
    "round": RoundDone,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_line(message: Message) -> str:
    """Return a message as one line, without its end."""
    return json.dumps({"event": _NAMES[type(message)], **dataclasses.asdict(message)})


def from_line(line: str | bytes) -> Message:
    """Return the message of a line. Raises Bug for what no worker says."""
    try:
        fields = json.loads(line)
        return _KINDS[fields.pop("event")](**fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Bug(f"the compaction worker said what isn't a message: {line[:200]!r}") from None
