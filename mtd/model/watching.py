"""When nobody watched: the collector says so as it starts.

It may have been stopped, or have crashed with no time to say anything. So the
fact is told by the one who comes back: the newest entry of the log is the last
moment at which anything was seen, whatever ended then.
"""

from __future__ import annotations

import datetime as dt

from mtd.model.device import Severity
from mtd.model.observation import StateChange

STARTED = "collector.started"
NOT_WATCHING = "mtd was not watching"
"""Why a device's status is unknown."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def started(collector_id: str, watched_until_us: int, now_us: int) -> StateChange:
    """Return that a collector watches again, and until when it did before."""
    since, until = _time(watched_until_us), _time(now_us)
    seconds = max(0, round((until - since).total_seconds()))
    return StateChange(
        event_type=STARTED,
        severity=Severity.INFO,
        entity_type="collector",
        entity_id=collector_id,
        entity_label=collector_id,
        field="watching",
        old=since.isoformat(),
        new=until.isoformat(),
        message=f"mtd watches again, it did not for {dt.timedelta(seconds=seconds)}",
    )


def watched_until_us(old: str) -> int | None:
    """Return the time that `started` put into the event's old value; None if it is none."""
    try:
        return (dt.datetime.fromisoformat(old) - _EPOCH) // _MICROSECOND
    except (ValueError, TypeError):  # the second: a time without a zone
        return None


def _time(us: int) -> dt.datetime:
    return _EPOCH + us * _MICROSECOND
