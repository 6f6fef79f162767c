"""The recorder before a real log: what it says is durable is, through an outage of the disk and an end by force."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from mtd.eventlog.config import EventLogConfig
from mtd.eventlog.sqlite import SqliteEventLog, verify_file
from mtd.ingest import IngestConfig, Recorder
from mtd.model.device import DEFAULT_TENANT_ID, Device
from mtd.model.events import payload_kind
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.model.observation import FrameValues, Observation
from tests.contract.loop import run

CHECKOUT = Path(__file__).resolve().parents[3]
LAYOUT = Layout.of("t0", tuple(Series("m.total", f"*{n}", Lane.COUNTER) for n in range(50)))
DEVICES = [
    Device(f"10000000-0000-4000-8000-{n:012}", DEFAULT_TENANT_ID, f"r{n}", "h", 1, "u", "p")
    for n in range(20)
]


def observation(number: int) -> Observation:
    at = 1_760_000_000_000_000 + number
    return Observation(at, FrameValues(LAYOUT, at, [number] * 50, [], []))


async def frames_of(log: SqliteEventLog) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    position = 0
    while batches := await log.read(position, 1000):
        for event in (event for batch in batches for event in batch.events):
            if payload_kind(event) == "frame":
                found.setdefault(event.device_id, []).append(event.frame.counters[0])
        position = batches[-1].last_seq
    return found


def test_an_outage_of_the_disk_costs_no_event(tmp_path: Path) -> None:
    async def main() -> None:
        settings = EventLogConfig(path=tmp_path / "e.db", commit_interval_s=0.0)
        log = SqliteEventLog(settings)
        await log.start()
        quick = IngestConfig(flush_interval_s=0.005, retry_first_s=0.005, retry_cap_s=0.02)
        recorder = Recorder(log, collector_id="c", settings=quick)
        await recorder.start()
        free = settings.min_free_bytes
        for number in range(300):
            if number == 100:
                settings.min_free_bytes = 2**62  # as if the disk had become full
            if number == 200:
                assert not log.stats().available
                assert log.stats().reason.startswith("disk_full")
                settings.min_free_bytes = free
            for device in DEVICES:
                recorder.record(device, observation(number))
            await asyncio.sleep(0.001)
        await recorder.flush()
        found = await frames_of(log)
        assert found == {device.device_id: list(range(300)) for device in DEVICES}
        assert log.stats().available
        await recorder.stop()
        await log.stop()

    run(main())
    report = verify_file(tmp_path / "e.db")
    assert report.ok, report.problems
    assert dict(report.events_by_kind) == {"frame": 6000, "series_layout": 20, "state_changed": 2}


CHILD = """
    import asyncio, sys
    from pathlib import Path
    from mtd.eventlog.config import EventLogConfig
    from mtd.eventlog.sqlite import SqliteEventLog
    from mtd.ingest import IngestConfig, Recorder
    from mtd.model.device import DEFAULT_TENANT_ID, Device
    from mtd.model.layout import Layout, Series
    from mtd.model.metric import Lane
    from mtd.model.observation import FrameValues, Observation

    LAYOUT = Layout.of("t0", tuple(Series("m.total", f"*{n}", Lane.COUNTER) for n in range(50)))
    DEVICE = Device("10000000-0000-4000-8000-000000000000", DEFAULT_TENANT_ID, "r", "h", 1, "u", "p")

    async def main():
        log = SqliteEventLog(EventLogConfig(path=Path(sys.argv[1]), commit_interval_s=0.0))
        await log.start()
        recorder = Recorder(log, collector_id="c", settings=IngestConfig(flush_interval_s=0.002))
        await recorder.start()
        for number in range(1_000_000):
            at = 1_760_000_000_000_000 + number
            recorder.record(DEVICE, Observation(at, FrameValues(LAYOUT, at, [number] * 50, [], [])))
            if number % 7 == 0:
                await recorder.flush()
                print(number, flush=True)

    asyncio.run(main())
"""


def test_killed_under_load_what_was_flushed_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(150)]
    child.send_signal(signal.SIGKILL)
    lines += child.stdout.readlines()
    child.wait(10)
    child.stdout.close()
    flushed = max(int(line) for line in lines if line.endswith("\n"))
    assert flushed >= 149 * 7
    report = verify_file(path)
    assert report.ok, report.problems

    async def main() -> None:
        log = SqliteEventLog(EventLogConfig(path=path))
        await log.start()
        (numbers,) = (await frames_of(log)).values()
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > flushed
        await log.stop()

    run(main())


def test_two_tenants_declare_the_same_layout_apart(tmp_path: Path) -> None:
    async def main() -> None:
        log = SqliteEventLog(EventLogConfig(path=tmp_path / "e.db", commit_interval_s=0.0))
        await log.start()
        recorder = Recorder(log, collector_id="c", settings=IngestConfig(flush_interval_s=0.005))
        await recorder.start()
        for tenant in ("a", "b", "a"):
            recorder.record(dataclasses.replace(DEVICES[0], tenant_id=tenant), observation(1))
        await recorder.stop()
        events = [event for batch in await log.read(0, 100) for event in batch.events]
        assert [(event.tenant_id, payload_kind(event)) for event in events] == [
            ("a", "series_layout"),
            ("a", "frame"),
            ("b", "series_layout"),
            ("b", "frame"),
            ("a", "frame"),
        ]
        await log.stop()

    run(main())
