from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from mtd.eventlog.errors import LogUnavailable
from mtd.eventlog.memory import MemoryEventLog
from tests.contract.event_log_machine import EventLogMachine
from tests.contract.event_log_suite import EventLogSuite, make_events
from tests.contract.loop import run as run_async


class TestMemoryEventLog(EventLogSuite):
    def new_log(self, folder: Path, **limits: int) -> MemoryEventLog:
        limits.pop("tail_bytes", None)
        return MemoryEventLog(**limits)


class MemoryMachine(EventLogMachine):
    kept: MemoryEventLog | None = None

    def new_log(self, folder: Path) -> MemoryEventLog:
        self.kept = self.kept or MemoryEventLog()
        return self.kept


TestMemoryHistories = MemoryMachine.TestCase
TestMemoryHistories.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_it_can_be_made_unavailable() -> None:
    async def main() -> None:
        log = MemoryEventLog()
        await log.start()
        log.fail("disk_full")
        with pytest.raises(LogUnavailable, match="disk_full"):
            await log.append(make_events(1, 1))
        assert log.stats().reason == "disk_full"
        assert log.stats().unavailable_since_us > 0
        log.fail("")
        await log.append(make_events(1, 1))
        assert log.stats().available

    run_async(main())
