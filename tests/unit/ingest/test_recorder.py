from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import logging
from collections import Counter
from collections.abc import Callable

import pytest

from mtd.model.device import DEFAULT_TENANT_ID, Device, DeviceStatus, Outcome
from mtd.model.events import frame_counters, payload_kind, sighting_of
from mtd.model.observation import (
    Document,
    Observation,
    OutcomeReport,
    TableChange,
)
from mtd.model.sighting import FoundBy, Sighting
from mtd.testing.metrics import metric
from tests.unit.ingest.bench import CHANGE, DEVICE, FACTS, OTHER, Bench, until, with_bench

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


def test_an_event_may_be_of_a_tenant_and_of_no_device() -> None:
    async def body(bench: Bench) -> None:
        bench.recorder.record_event_of("20000000-0000-4000-8000-000000000002", CHANGE)
        (event,) = await bench.events()
        assert (event.tenant_id, event.device_id) == ("20000000-0000-4000-8000-000000000002", "")

    with_bench(body)


def test_a_sighting_is_of_a_tenant_and_of_no_device() -> None:
    async def body(bench: Bench) -> None:
        sighting = Sighting(FoundBy.SCAN, "192.0.2.1", ports=(8728,))
        bench.recorder.record_sighting("20000000-0000-4000-8000-000000000002", sighting)
        (event,) = await bench.events()
        assert (event.tenant_id, event.device_id) == ("20000000-0000-4000-8000-000000000002", "")
        assert sighting_of(event.device_seen) == sighting
        assert event.collected_at_us == event.received_at_us > 0

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
        for _ in range(19):
            bench.recorder.record(DEVICE, bench.frame())
        async with asyncio.timeout(2):
            await until(lambda: bench.log.stats().last_seq == 20)
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
