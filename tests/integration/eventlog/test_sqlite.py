from __future__ import annotations

from pathlib import Path

from hypothesis import settings

from mtd.eventlog.sqlite import SqliteEventLog
from tests.contract.event_log_machine import EventLogMachine
from tests.contract.event_log_suite import EventLogSuite
from tests.integration.eventlog.helpers import make_log


class TestSqliteEventLog(EventLogSuite):
    def new_log(self, folder: Path, **limits: int) -> SqliteEventLog:
        return make_log(folder, **limits)


class SqliteMachine(EventLogMachine):
    def new_log(self, folder: Path) -> SqliteEventLog:
        return make_log(folder, tail_bytes=self.tail_bytes)

    tail_bytes = 1_000_000


class ShortTailMachine(SqliteMachine):
    # Some batches: reads come from memory, from the disk, and from the seam between.
    tail_bytes = 600


HISTORIES = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestSqliteHistories = SqliteMachine.TestCase
TestSqliteHistories.settings = HISTORIES
TestShortTailHistories = ShortTailMachine.TestCase
TestShortTailHistories.settings = HISTORIES
