"""The append-only log: what mtd observed, in the order it became durable.

Takes in batches of envelopes, gives them out again in order to any number of
readers, and forgets what is old once every registered reader has passed it.
It never changes, reorders or interprets an event, and never says that
something is stored before it is on the disk.
"""

from mtd.eventlog.config import EventLogConfig
from mtd.eventlog.errors import LogDamaged, LogUnavailable, PositionBeyondEnd
from mtd.eventlog.interfaces import AppendResult, IEventLog, LoggedBatch, LogProblem, LogReport, LogStats

__all__ = [
    "AppendResult",
    "EventLogConfig",
    "IEventLog",
    "LogDamaged",
    "LogProblem",
    "LogReport",
    "LogStats",
    "LogUnavailable",
    "LoggedBatch",
    "PositionBeyondEnd",
]
