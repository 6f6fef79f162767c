from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import pytest
from prometheus_client import REGISTRY

from mtd.core.clock import SystemClock
from mtd.core.errors import Refused
from mtd.eventlog.interfaces import AppendResult
from mtd.eventlog.memory import MemoryEventLog
from mtd.ingest import IngestSettings, Recorder
from mtd.model.device import DEFAULT_TENANT_ID, Device, DeviceStatus, Outcome, Severity
from mtd.model.events import frame_counters, payload_kind
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.model.observation import (
    Document,
    FrameValues,
    Observation,
    OutcomeReport,
    ProbeFacts,
    StateChange,
    TableChange,
)
from mtd.pb.events.v1.envelope_pb2 import Envelope
from tests.contract.loop import run

DEVICE = Device(
    device_id="10000000-0000-4000-8000-000000000001",
    tenant_id="20000000-0000-4000-8000-000000000001",
    name="core-1",
    host="192.0.2.1",
    port=8728,
    username="mtd",
    password="x",
)
OTHER = dataclasses.replace(DEVICE, device_id="10000000-0000-4000-8000-000000000002", name="edge-1")
CHANGE = StateChange(
    "interface.oper.changed", Severity.WARNING, "interface", "*1", "ether1", "running", "t", "f", "m"
)
FACTS = ProbeFacts("7.16", 7, "CHR", "x86_64", "r1", "", ())
QUICK = {"flush_interval_s": 0.01, "retry_first_s": 0.005, "retry_cap_s": 0.01, "stop_timeout_s": 1.0}


class ManualClock(SystemClock):
    """The machine's clocks, moved ahead by tests."""

    ahead_s = 0.0

    def now_us(self) -> int:
        return super().now_us() + round(self.ahead_s * 1e6)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


class Bench:
    """A recorder before a log in memory."""

    def __init__(self, **changes: float) -> None:
        self.clock = ManualClock()
        self.log = MemoryEventLog()
        self.recorder = Recorder(
            self.log, collector_id="edge-7", settings=IngestSettings(**(QUICK | changes)), clock=self.clock
        )

    async def events(self) -> list[Envelope]:
        await self.recorder.flush()
        return [event for batch in await self.log.read(0, 1_000_000) for event in batch.events]

    async def kinds(self) -> list[str]:
        return [payload_kind(event) for event in await self.events()]

    def frame(
        self, group: str = "t0", values: Sequence[int | None] = (1, 2), metric: str = "m"
    ) -> Observation:
        series = tuple(Series(f"{metric}.{n}", "*1", Lane.COUNTER) for n in range(len(values)))
        now = self.clock.now_us()
        return Observation(now, FrameValues(Layout.of(group, series), now, list(values), [], []))


def with_bench(body: Callable[[Bench], Awaitable[None]], **changes: float) -> None:
    async def main() -> None:
        bench = Bench(**changes)
        await bench.log.start()
        await bench.recorder.start()
        try:
            await body(bench)
        finally:
            bench.log.fail("")
            await bench.recorder.stop()
            await bench.log.stop()

    run(main())


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


# -- what gets in, and how ---------------------------------------------------------


def test_a_frame_is_stamped_and_its_layout_declared_first() -> None:
    async def body(bench: Bench) -> None:
        observation = bench.frame(values=[7, None])
        bench.recorder.record(DEVICE, observation)
        layout, frame = await bench.events()
        assert [payload_kind(layout), payload_kind(frame)] == ["series_layout", "frame"]
        for event in (layout, frame):
            assert event.tenant_id == DEVICE.tenant_id
            assert event.device_id == DEVICE.device_id
            assert event.collector_id == "edge-7"
            assert event.collected_at_us == observation.collected_us
            assert 0 <= event.received_at_us - observation.collected_us < 1_000_000
        assert layout.series_layout.layout_id == frame.frame.layout_id
        assert frame_counters(frame.frame) == [7, None]

    with_bench(body)


def test_a_layout_is_declared_once_per_device_and_again_later() -> None:
    async def body(bench: Bench) -> None:
        for device in (DEVICE, DEVICE, OTHER):
            bench.recorder.record(device, bench.frame())
        assert Counter(await bench.kinds()) == {"series_layout": 2, "frame": 3}
        bench.clock.ahead_s += 3600
        for device in (DEVICE, DEVICE, OTHER):
            bench.recorder.record(device, bench.frame())
        assert (await bench.kinds())[5:] == ["series_layout", "frame", "frame", "series_layout", "frame"]

    with_bench(body)


def test_everything_that_an_observation_brings_gets_in() -> None:
    async def body(bench: Bench) -> None:
        observation = bench.frame()
        observation.tables.append(TableChange("interface", True, {"*1": {"name": "ether1"}}))
        observation.state_changes.append(CHANGE)
        content = b'{"a":1}'
        observation.documents.append(Document("doc", content, hashlib.sha256(content).digest()))
        bench.recorder.record(DEVICE, observation)
        bench.recorder.record_outcome(DEVICE, OutcomeReport(Outcome.OK, DeviceStatus.UP, "t0", ""))
        bench.recorder.record_probe(DEVICE, FACTS)
        bench.recorder.record_event(CHANGE, DEVICE)
        assert await bench.kinds() == [
            "series_layout",
            "frame",
            "table_delta",
            "state_changed",
            "snapshot",
            "poll_outcome",
            "capability_probed",
            "state_changed",
        ]
        assert {event.device_id for event in await bench.events()} == {DEVICE.device_id}

    with_bench(body)


def test_an_event_of_the_collector_has_no_device() -> None:
    async def body(bench: Bench) -> None:
        bench.recorder.record_event(CHANGE)
        (event,) = await bench.events()
        assert (event.tenant_id, event.device_id, event.collector_id) == (DEFAULT_TENANT_ID, "", "edge-7")

    with_bench(body)


def test_a_document_is_recorded_when_it_changed() -> None:
    async def body(bench: Bench) -> None:
        def record(device: Device, text: bytes) -> None:
            document = Document("doc", text, hashlib.sha256(text).digest())
            bench.recorder.record(device, Observation(bench.clock.now_us(), documents=[document]))

        for device, text in ((DEVICE, b"1"), (DEVICE, b"1"), (OTHER, b"1"), (DEVICE, b"2"), (DEVICE, b"1")):
            record(device, text)
        found = [(event.device_id[-1], event.snapshot.content) for event in await bench.events()]
        assert found == [("1", b"1"), ("2", b"1"), ("1", b"2"), ("1", b"1")]

    with_bench(body)


def test_what_was_forgotten_long_ago_is_recorded_again() -> None:
    async def body(bench: Bench) -> None:
        document = Document("doc", b"1", hashlib.sha256(b"1").digest())
        bench.recorder.record(DEVICE, Observation(bench.clock.now_us(), documents=[document]))
        bench.clock.ahead_s += 100
        bench.recorder.record(OTHER, bench.frame())  # a declaration sweeps
        bench.recorder.record(DEVICE, Observation(bench.clock.now_us(), documents=[document]))
        assert (await bench.kinds()).count("snapshot") == 2

    with_bench(body, document_memory_s=50)


def test_events_keep_their_order() -> None:
    async def body(bench: Bench) -> None:
        for number in range(500):
            bench.recorder.record((DEVICE, OTHER)[number % 2], bench.frame(values=[number]))
            if number % 100 == 0:
                await asyncio.sleep(0.01)
        found = [e.frame.counters[0] for e in await bench.events() if payload_kind(e) == "frame"]
        assert found == list(range(500))

    with_bench(body)


def test_much_is_passed_on_without_waiting_for_the_interval() -> None:
    async def body(bench: Bench) -> None:
        for _ in range(10):
            bench.recorder.record(DEVICE, bench.frame())
        async with asyncio.timeout(2):
            await until(lambda: bench.log.stats().last_seq == 11)
        assert bench.log.stats().batches == 2  # cut at flush_events

    with_bench(body, flush_interval_s=5.0, flush_events=10)


# -- what doesn't get in -----------------------------------------------------------


def test_a_time_far_ahead_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    async def body(bench: Bench) -> None:
        before = metric("mtd_ingest_refused_total", reason="future")
        observation = bench.frame()
        observation.collected_us += 301_000_000
        bench.recorder.record(DEVICE, observation)
        frame_ahead = bench.frame()
        frame_ahead.frame.collected_us += 301_000_000  # type: ignore[union-attr]
        frame_ahead.state_changes.append(CHANGE)
        bench.recorder.record(DEVICE, frame_ahead)
        allowed = bench.frame()
        allowed.collected_us += 299_000_000
        bench.recorder.record(DEVICE, allowed)
        assert await bench.kinds() == ["state_changed", "series_layout", "frame"]
        assert metric("mtd_ingest_refused_total", reason="future") - before == 2

    with caplog.at_level(logging.WARNING):
        with_bench(body)
    assert "ahead of the collector's clock" in caplog.text


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda o: setattr(o, "collected_us", 12345), "past"),
        (lambda o: o.frame.counters.append(3), "layout_mismatch"),
        (lambda o: setattr(o.frame, "rates", [1.0]), "layout_mismatch"),
        (lambda o: setattr(o.frame, "gauges", ["text"]), "layout_mismatch"),
        (lambda o: setattr(o.frame, "low_confidence", [-1]), "not_encodable"),
    ],
)
def test_a_frame_that_cannot_be_is_refused(spoil: Callable[[Observation], None], reason: str) -> None:
    async def body(bench: Bench) -> None:
        before = metric("mtd_ingest_refused_total", reason=reason)
        observation = bench.frame()
        spoil(observation)
        bench.recorder.record(DEVICE, observation)
        assert metric("mtd_ingest_refused_total", reason=reason) - before == 1
        # Nothing is declared for it either; the next one is whole.
        bench.recorder.record(DEVICE, bench.frame())
        assert await bench.kinds() == ["series_layout", "frame"]

    with_bench(body)


def test_one_bad_part_does_not_hold_up_the_others() -> None:
    async def body(bench: Bench) -> None:
        observation = bench.frame()
        observation.frame.gauges = [1.0]  # type: ignore[union-attr]
        bad_text = dataclasses.replace(CHANGE, message="\udc80")
        observation.state_changes += [bad_text, CHANGE]
        observation.tables.append(TableChange("t", True, {"*1": {"name": 5}}))  # type: ignore[dict-item]
        observation.tables.append(TableChange("good", True, {}))
        observation.documents.append(Document("doc", b"1", b"wrong"))
        bench.recorder.record(DEVICE, observation)
        assert await bench.kinds() == ["table_delta", "state_changed"]

    with_bench(body)


def test_a_refused_document_is_looked_at_again() -> None:
    async def body(bench: Bench) -> None:
        for sha256 in (b"wrong", hashlib.sha256(b"1").digest()):
            document = Document("doc", b"1", sha256)
            bench.recorder.record(DEVICE, Observation(bench.clock.now_us(), documents=[document]))
        assert await bench.kinds() == ["snapshot"]

    with_bench(body)


def test_caps_hold() -> None:
    async def body(bench: Bench) -> None:
        bench.recorder.record(DEVICE, bench.frame(values=[1] * 6))
        rows = {f"*{n}": {"name": "x"} for n in range(4)}
        observation = Observation(bench.clock.now_us(), tables=[TableChange("t", True, rows)])
        observation.tables.append(TableChange("t", False, {}, [str(n) for n in range(4)]))
        observation.tables.append(TableChange("t", False, {"*1": {"name": "x" * 2000}}))
        observation.state_changes += [CHANGE] * 5
        bench.recorder.record(DEVICE, observation)
        assert await bench.kinds() == ["state_changed"] * 2

    with_bench(body, max_series=5, max_table_rows=3, max_state_changes=2, max_event_bytes=1024)


def test_a_counter_beyond_64_bits_is_recorded_as_absent() -> None:
    async def body(bench: Bench) -> None:
        before = metric("mtd_ingest_masked_counters_total")
        bench.recorder.record(DEVICE, bench.frame(values=[1, 2**64, None, 2**63 - 1]))
        _, frame = await bench.events()
        assert frame_counters(frame.frame) == [1, None, None, 2**63 - 1]
        assert metric("mtd_ingest_masked_counters_total") - before == 1

    with_bench(body)


# -- while the log takes nothing ---------------------------------------------------


def test_events_are_held_until_the_log_is_back_and_the_outage_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body(bench: Bench) -> None:
        bench.recorder.record(DEVICE, bench.frame())
        await bench.recorder.flush()
        bench.log.fail("disk_full: no space")
        began_us = bench.clock.now_us()
        for _ in range(5):
            bench.recorder.record(DEVICE, bench.frame())
            await asyncio.sleep(0.02)
        assert bench.log.stats().last_seq == 2
        assert bench.recorder.pressure > 0
        bench.clock.ahead_s += 30
        bench.log.fail("")
        await until(lambda: bench.log.stats().last_seq == 9)
        events = await bench.events()
        assert [payload_kind(event) for event in events[2:]] == ["frame"] * 5 + ["state_changed"] * 2
        down, up = (event.state_changed for event in events[-2:])
        assert (down.event_type, up.event_type) == ("collector.log.unavailable", "collector.log.available")
        assert "disk_full: no space" in down.message
        assert "for 30." in up.message
        assert 0 <= events[-2].collected_at_us - began_us < 1_000_000
        assert bench.recorder.pressure == 0

    with caplog.at_level(logging.WARNING):
        with_bench(body)
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert len([line for line in errors if "disk_full" in line]) in (1, 2)  # loud, but not once per attempt
    assert "again" in caplog.text


def test_when_full_the_least_urgent_is_lost_counted_and_told() -> None:
    async def body(bench: Bench) -> None:
        bench.log.fail("disk_full")
        before = {
            name: metric("mtd_ingest_dropped_events_total", urgency=name, reason="buffer_full")
            for name in ("control", "t0", "t1", "t3")
        }
        bench.recorder.record(DEVICE, bench.frame("t3"))
        await asyncio.sleep(0.03)  # the first is under way, and holds its place
        for number in range(6):
            bench.recorder.record(DEVICE, bench.frame("t3", [number, 0]))
        for number in range(20):
            bench.recorder.record(DEVICE, bench.frame("t0", [number, 0]))
            bench.recorder.record(DEVICE, bench.frame("t1", [number, 0]))
        bench.recorder.record_outcome(DEVICE, OutcomeReport(Outcome.OK, DeviceStatus.UP, "t0", ""))
        assert bench.recorder.pressure == 1.0
        lost = {
            name: metric("mtd_ingest_dropped_events_total", urgency=name, reason="buffer_full") - count
            for name, count in before.items()
        }
        # Held: 20 in all, of which 2 under way, 2 layouts and 1 outcome.
        assert lost == {"control": 0, "t0": 5, "t1": 20, "t3": 6}
        bench.log.fail("")
        events = await bench.events()
        t0 = [e.frame.counters[0] for e in events if payload_kind(e) == "frame"][1:]
        assert t0 == list(range(5, 20))  # the newest
        await until(lambda: bench.log.stats().last_seq == 23)
        told = (await bench.events())[-1].state_changed
        assert told.event_type == "collector.ingest.dropped"
        assert told.new_value == "31"
        assert "t0 5, t1 20, t3 6" in told.message

    with_bench(body, buffer_events=20)


def test_what_was_lost_is_declared_and_recorded_again() -> None:
    async def body(bench: Bench) -> None:
        bench.log.fail("disk_full")
        bench.recorder.record_event(CHANGE)
        await asyncio.sleep(0.03)
        document = Document("doc", b"1", hashlib.sha256(b"1").digest())
        for _ in range(2):
            observation = bench.frame()
            observation.documents.append(document)
            bench.recorder.record(DEVICE, observation)
        # Only control events are left in the full buffer; a flood of them pushes the layout out too.
        for _ in range(5):
            bench.recorder.record_event(CHANGE)
        bench.log.fail("")
        await until(lambda: bench.recorder.pressure == 0)
        assert "series_layout" not in await bench.kinds()
        observation = bench.frame()
        observation.documents.append(document)
        bench.recorder.record(DEVICE, observation)
        assert (await bench.kinds())[-3:] == ["series_layout", "frame", "snapshot"]

    with_bench(body, buffer_events=4)


def test_a_failed_append_is_repeated_under_the_same_id() -> None:
    """It may have reached the disk in spite of the failure."""

    async def body(bench: Bench) -> None:
        append = bench.log.append
        attempts: list[bytes | None] = []

        async def append_but_fail(
            envelopes: Sequence[Envelope], batch_id: bytes | None = None
        ) -> AppendResult:
            attempts.append(batch_id)
            result = await append(envelopes, batch_id)
            if len(attempts) < 3:
                raise OSError("an error nobody thought of")
            return result

        bench.log.append = append_but_fail  # type: ignore[method-assign]
        bench.recorder.record(DEVICE, bench.frame())
        await bench.recorder.flush()
        assert len(set(attempts[:3])) == 1
        assert (await bench.kinds())[:3] == ["series_layout", "frame", "state_changed"]

    with_bench(body)


def test_what_the_log_refuses_for_good_does_not_stop_the_rest() -> None:
    async def body(bench: Bench) -> None:
        append = bench.log.append

        async def append_small(envelopes: Sequence[Envelope], batch_id: bytes | None = None) -> AppendResult:
            if any(payload_kind(event) == "capability_probed" for event in envelopes):
                raise Refused("too large")
            return await append(envelopes, batch_id)

        bench.log.append = append_small  # type: ignore[method-assign]
        before = metric("mtd_ingest_dropped_events_total", urgency="control", reason="refused")
        bench.recorder.record_event(CHANGE, DEVICE)
        bench.recorder.record_probe(DEVICE, FACTS)
        bench.recorder.record_event(CHANGE, OTHER)
        events = await bench.events()
        assert [event.device_id for event in events[:2]] == [DEVICE.device_id, OTHER.device_id]
        assert metric("mtd_ingest_dropped_events_total", urgency="control", reason="refused") - before == 1

    with_bench(body)


# -- ending ------------------------------------------------------------------------


def test_stopping_brings_everything_to_the_log() -> None:
    async def main() -> None:
        bench = Bench(flush_interval_s=5.0)
        await bench.log.start()
        await bench.recorder.start()
        for _ in range(50):
            bench.recorder.record(DEVICE, bench.frame())
        async with asyncio.timeout(1):
            await bench.recorder.stop()
        assert bench.log.stats().last_seq == 51

    run(main())


def test_stopping_without_a_log_ends_in_time_and_counts_what_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        bench = Bench(stop_timeout_s=0.1)
        await bench.log.start()
        await bench.recorder.start()
        bench.log.fail("disk_full")
        before = metric("mtd_ingest_dropped_events_total", urgency="t0", reason="stopped")
        for _ in range(5):
            bench.recorder.record(DEVICE, bench.frame())
        async with asyncio.timeout(1):
            await bench.recorder.stop()
        bench.recorder.record(DEVICE, bench.frame())  # too late
        assert metric("mtd_ingest_dropped_events_total", urgency="t0", reason="stopped") - before == 6
        assert bench.recorder.pressure == 0

    with caplog.at_level(logging.ERROR):
        run(main())
    assert "did not take the last 6 events" in caplog.text


def test_what_was_recorded_before_the_start_is_kept() -> None:
    async def main() -> None:
        bench = Bench()
        bench.recorder.record(DEVICE, bench.frame())
        await bench.log.start()
        await bench.recorder.start()
        await bench.recorder.flush()
        assert bench.log.stats().last_seq == 2
        await bench.recorder.stop()

    run(main())
