from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model import events, pb_enums
from mtd.model.device import DeviceStatus, InterfaceNaming, Outcome, Severity, TlsMode
from mtd.model.events import Origin
from mtd.model.layout import Layout, Series
from mtd.model.metric import Kind, Lane, Tier
from mtd.model.observation import (
    CapabilityFact,
    Document,
    FrameValues,
    KeyRange,
    Observation,
    OutcomeReport,
    ProbeFacts,
    StateChange,
    TableChange,
)
from mtd.model.sighting import FoundBy, Sighting
from mtd.pb.common.v1 import device_pb2, series_pb2
from mtd.pb.events.v1.envelope_pb2 import Envelope

ORIGIN = Origin("tenant", "collector", "device")
INT64 = st.integers(-(2**63), 2**63 - 1)


def make_layout(counters: int, gauges: int, rates: int, group: str = "t0") -> Layout:
    lanes = [Lane.COUNTER] * counters + [Lane.GAUGE] * gauges + [Lane.RATE] * rates
    return Layout.of(group, tuple(Series(f"m.{n}", f"*{n}", lane) for n, lane in enumerate(lanes)))


def make_frame(
    counters: list[int | None], gauges: list[float], rates: list[float], low_confidence: tuple[int, ...] = ()
) -> FrameValues:
    layout = make_layout(len(counters), len(gauges), len(rates))
    return FrameValues(layout, 1000, counters, gauges, rates, low_confidence, poll_duration_us=77)


def through_the_wire(event: Envelope) -> Envelope:
    return Envelope.FromString(event.SerializeToString())


@given(
    st.lists(st.none() | INT64, max_size=70),
    st.lists(st.floats(allow_nan=False), max_size=10),
    st.lists(st.floats(width=32, allow_nan=False), max_size=10),
)
def test_a_frame_comes_back_exactly(
    counters: list[int | None], gauges: list[float], rates: list[float]
) -> None:
    frame = make_frame(counters, gauges, rates)
    found = through_the_wire(events.frame_event(ORIGIN, frame, 2000)).frame
    assert events.frame_counters(found) == counters
    assert list(found.gauges) == gauges
    assert list(found.rates) == rates
    assert found.layout_id == frame.layout.layout_id
    assert found.poll_duration_us == 77


def test_an_envelope_says_whose_it_is_and_when() -> None:
    event = events.frame_event(ORIGIN, make_frame([1], [], []), 2000)
    assert (event.tenant_id, event.collector_id, event.device_id) == ("tenant", "collector", "device")
    assert (event.collected_at_us, event.received_at_us) == (1000, 2000)


def test_all_counters_there_need_no_bitmap() -> None:
    frame = events.frame_event(ORIGIN, make_frame([1, 2], [], []), 0).frame
    assert frame.counters_present == b""


def test_an_absent_counter_is_zero_with_its_bit_cleared() -> None:
    frame = events.frame_event(ORIGIN, make_frame([7] * 8 + [None, 9], [], []), 0).frame
    assert list(frame.counters)[8] == 0
    assert frame.counters_present == bytes([0b11111111, 0b00000010])


def test_all_counters_absent_is_not_all_there() -> None:
    frame = through_the_wire(events.frame_event(ORIGIN, make_frame([None, None], [], []), 0)).frame
    assert events.frame_counters(frame) == [None, None]


def test_what_a_short_bitmap_does_not_say_is_absent() -> None:
    frame = events.frame_event(ORIGIN, make_frame([1, 2, 3], [], []), 0).frame
    frame.counters_present = bytes([0b00000101])
    assert events.frame_counters(frame) == [1, None, 3]
    frame.counters.extend([4] * 6)
    assert events.frame_counters(frame) == [1, None, 3] + [None] * 6


def test_absent_gauges_and_rates_are_nan() -> None:
    frame = through_the_wire(
        events.frame_event(ORIGIN, make_frame([], [math.nan, 1.0], [math.nan], (0,)), 0)
    ).frame
    assert math.isnan(frame.gauges[0])
    assert frame.gauges[1] == 1.0
    assert math.isnan(frame.rates[0])
    assert list(frame.low_confidence) == [0]


@pytest.mark.parametrize("counter", [2**63, -(2**63) - 1, 2**200])
def test_a_counter_beyond_64_bits_is_refused(counter: int) -> None:
    with pytest.raises(ValueError, match="range"):
        events.frame_event(ORIGIN, make_frame([counter], [], []), 0)


@pytest.mark.parametrize(("duration_us", "stored"), [(-5, 0), (2**40, 2**32 - 1)])
def test_a_poll_cannot_take_longer_than_can_be_said(duration_us: int, stored: int) -> None:
    frame = make_frame([1], [], [])
    frame.poll_duration_us = duration_us
    assert events.frame_event(ORIGIN, frame, 0).frame.poll_duration_us == stored


def test_a_layout_comes_back_and_keeps_its_address() -> None:
    layout = make_layout(2, 1, 2, "t2")
    event = through_the_wire(events.layout_event(ORIGIN, layout, 5, 6))
    assert events.layout_of(event.series_layout) == layout
    assert Layout.of("t2", events.layout_of(event.series_layout).series) == layout


CHANGE = StateChange(
    "a.b",
    Severity.WARNING,
    "interface",
    "*1",
    "to graz",
    "running",
    "true",
    "false",
    "to graz is down",
    "ether1",
    "trap",
)
TABLE = TableChange("interface", True, {"*1": {"name": "ether1", "mtu": ""}, "*2": {}}, ["*3"])
DOCUMENT = Document("system.resource", b"{}", b"\x01" * 32)
SEEN = Sighting(FoundBy.MNDP, "192.0.2.1", identity="r1", ports=(8728,))
FACTS = ProbeFacts("7.16", 7, "CHR", "x86_64", "r1", "", (CapabilityFact("wifi", False, "no such command"),))


def test_what_is_built_reads_back() -> None:
    assert events.state_change_of(events.state_event(ORIGIN, CHANGE, 1, 2).state_changed) == CHANGE
    for within in (None, KeyRange(), KeyRange("*1", ""), KeyRange("", "*5")):
        table = TableChange("lease", within is None, TABLE.upserted, (), within)
        table.removed = ["*3"]
        assert (
            events.table_change_of(through_the_wire(events.table_event(ORIGIN, table, 1, 2)).table_delta)
            == table
        )
    assert events.document_of(events.snapshot_event(ORIGIN, DOCUMENT, 1, 2).snapshot) == DOCUMENT
    assert events.sighting_of(events.seen_event(ORIGIN, SEEN, 1, 2).device_seen) == SEEN
    assert events.probe_facts_of(events.probe_event(ORIGIN, FACTS, 1, 2).capability_probed) == FACTS


def test_a_range_of_keys_knows_which_are_its_own() -> None:
    assert all(key in KeyRange() for key in ("*1", "a", "\U0001f642"))
    assert [key in KeyRange("b", "d") for key in ("a", "b", "b\t", "d", "da")] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert [key in KeyRange("b") for key in ("b", "z")] == [False, True]


def test_an_outcome_is_told_in_full() -> None:
    report = OutcomeReport(Outcome.TIMED_OUT, DeviceStatus.DEGRADED, "t1", "slow", 2, 3, 1.5)
    found = events.outcome_event(ORIGIN, report, 1, 2).poll_outcome
    assert found.outcome == device_pb2.OUTCOME_TIMED_OUT
    assert found.status == device_pb2.DEVICE_STATUS_DEGRADED
    assert (found.poll_group, found.reason) == ("t1", "slow")
    assert (found.consecutive_failures, found.polls_missed, found.retry_in_s) == (2, 3, 1.5)


def test_an_observation_is_told_in_an_order_that_makes_sense() -> None:
    observation = Observation(
        1000, make_frame([1], [], []), state_changes=[CHANGE], tables=[TABLE], documents=[DOCUMENT]
    )
    kinds = [
        events.payload_kind(e) for e in events.observation_events(ORIGIN, observation, 2000, declare=True)
    ]
    assert kinds == ["series_layout", "frame", "table_delta", "state_changed", "snapshot"]
    undeclared = events.observation_events(ORIGIN, observation, 2000)
    assert events.payload_kind(undeclared[0]) == "frame"
    assert events.observation_events(ORIGIN, Observation(1000), 2000) == []


def test_an_empty_envelope_is_nothing() -> None:
    assert events.payload_kind(Envelope()) == ""


ENUMS = [
    (pb_enums.OUTCOME, Outcome, device_pb2.Outcome),
    (pb_enums.STATUS, DeviceStatus, device_pb2.DeviceStatus),
    (pb_enums.SEVERITY, Severity, device_pb2.Severity),
    (pb_enums.TLS_MODE, TlsMode, device_pb2.TlsMode),
    (pb_enums.NAMING, InterfaceNaming, device_pb2.InterfaceNaming),
    (pb_enums.KIND, Kind, device_pb2.MetricKind),
    (pb_enums.TIER, Tier, device_pb2.Tier),
    (pb_enums.LANE, Lane, series_pb2.Lane),
]


@pytest.mark.parametrize(
    ("mapping", "words", "numbers"), ENUMS, ids=[words.__name__ for _, words, _ in ENUMS]
)
def test_every_word_has_its_number_and_every_number_its_word(mapping, words, numbers) -> None:
    first = next(iter(words))
    for word in words:
        assert mapping.from_pb(mapping.to_pb(word), first) is word
    said = {mapping.to_pb(word) for word in words}
    assert said | {0} == set(numbers.values())
    assert mapping.from_pb(9999, first) is first


def test_building_a_frame_is_cheap() -> None:
    """A full T0 frame within 40 us; 200 here, as machines under test are slow and shared."""
    frame = make_frame(list(range(2**40, 2**40 + 300)), [0.5] * 60, [1.5e8] * 270)
    best = math.inf
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(50):
            events.frame_event(ORIGIN, frame, 0).SerializeToString()
        best = min(best, (time.perf_counter() - started) / 50)
    assert best < 200e-6
