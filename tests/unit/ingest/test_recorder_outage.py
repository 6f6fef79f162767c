"""While the log takes nothing, and at the end."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence

import pytest

from mtd.core.errors import Refused
from mtd.eventlog.interfaces import AppendResult
from mtd.model.device import DeviceStatus, Outcome
from mtd.model.events import payload_kind
from mtd.model.observation import (
    Document,
    Observation,
    OutcomeReport,
    TableChange,
)
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.testing.metrics import metric
from tests.contract.loop import run
from tests.unit.ingest.bench import CHANGE, DEVICE, FACTS, OTHER, Bench, until, with_bench

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


def test_a_log_that_does_not_answer_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(bench: Bench) -> None:
        append, answers = bench.log.append, asyncio.Event()

        async def hang(envelopes: Sequence[Envelope], batch_id: bytes | None = None) -> AppendResult:
            await answers.wait()
            return await append(envelopes, batch_id)

        failures = metric("mtd_ingest_append_failures_total")
        monkeypatch.setattr(bench.log, "append", hang)
        bench.recorder.record_event(CHANGE, DEVICE)
        await until(lambda: bench.recorder._incidents.outage)
        assert metric("mtd_ingest_append_failures_total") == failures
        answers.set()
        await until(lambda: bench.log.stats().last_seq == 3)
        changes = [event.state_changed for event in await bench.events()]
        assert [change.event_type for change in changes] == [
            CHANGE.event_type,
            "collector.log.unavailable",
            "collector.log.available",
        ]
        assert "has not answered" in changes[1].message

    with_bench(body, append_patience_s=0.02)


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


def test_what_explains_later_events_is_told_again_when_it_is_asked_for() -> None:
    async def body(bench: Bench) -> None:
        bench.recorder.record(DEVICE, bench.frame())
        old, new = (TableChange(name, complete=True, upserted={}) for name in ("old", "new"))
        bench.recorder.record(DEVICE, Observation(bench.clock.now_us(), tables=[old]))
        bench.clock.ahead_s += 60
        bench.recorder.record(DEVICE, Observation(bench.clock.now_us(), tables=[new]))
        bench.recorder.record(DEVICE, bench.frame())
        assert (await bench.kinds()).count("series_layout") == 1
        bench.recorder.tell_again(within_s=30)
        assert set(bench.recorder.take_lost_tables(DEVICE)) == {"new"}
        bench.recorder.record(DEVICE, bench.frame())
        assert (await bench.kinds())[-2:] == ["series_layout", "frame"]

    with_bench(body)


def test_tables_whose_changes_were_lost_are_named_once() -> None:
    async def body(bench: Bench) -> None:
        bench.log.fail("disk_full")
        bench.recorder.record_event(CHANGE)
        await asyncio.sleep(0.03)
        for table in ("lease", "session", "lease", "arp", "arp"):
            change = TableChange(table, complete=False, upserted={"*1": {"name": "a"}})
            bench.recorder.record(DEVICE, Observation(bench.clock.now_us(), tables=[change]))
        assert set(bench.recorder.take_lost_tables(DEVICE)) == {"lease", "session"}
        assert not bench.recorder.take_lost_tables(DEVICE)
        assert not bench.recorder.take_lost_tables(OTHER)

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
