"""What the worker tells the daemon: one JSON object a line."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from mtd.core.errors import Bug


@dataclass(frozen=True, slots=True)
class BucketFailed:
    """A minute or an hour wasn't summed up, or something of it is left out.

    ``reason`` is one of those of ``mtd_flowsums_failures_total``. ``again``: it is due still, and tried again.
    ``count``: of how many blocks, or of one minute or hour.
    """

    tenant_id: str
    device_id: str
    seconds: int
    start_us: int
    reason: str
    text: str
    again: bool
    count: int = 1


@dataclass(frozen=True, slots=True)
class Trouble:
    """No round could be made: the database is away, or refuses."""

    text: str


@dataclass(frozen=True, slots=True)
class RoundDone:
    """A look at what is due has ended.

    ``failing`` minutes and hours are due and can't be summed up. ``lag_s``: how long the oldest minute is due.
    ``more``: others are due, which the next round does.
    """

    minutes: int
    hours: int
    records: int
    mismatches: int
    failing: int
    lag_s: float
    cpu_s: float
    more: bool


Message = BucketFailed | Trouble | RoundDone

_KINDS: dict[str, type[Message]] = {"failed": BucketFailed, "trouble": Trouble, "round": RoundDone}
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
        raise Bug(f"the worker that sums flows up said what isn't a message: {line[:200]!r}") from None
