"""The embedded log: one SQLite file in WAL mode, one row per batch.

A thread of its own writes and commits in groups, another reads; the event loop
waits for neither. The file belongs to one process at a time.
"""

from mtd.eventlog.sqlite.log import SqliteEventLog
from mtd.eventlog.sqlite.verify import file_stats, verify_file

__all__ = ["SqliteEventLog", "file_stats", "verify_file"]
