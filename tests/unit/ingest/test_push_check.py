"""Rows against catalogue and inventory: what is good is what it says, and nothing is made of what isn't."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.ingest.config import IngestConfig
from mtd.ingest.push.building import events_of, poll_group
from mtd.ingest.push.check import Bounds, Checked, Checker
from mtd.ingest.push.keys import KeyBook
from mtd.ingest.push.rows import EventRow, PushBatch, SampleRow
from mtd.model.events import frame_counters, layout_of, payload_kind
from mtd.model.metric import Kind, Lane, Metric, Tier, Unit, full_key
from tests.unit.api.fakes import METRICS, TENANT

NOW = 1_760_000_000_000_000
BOUNDS = Bounds(NOW - 10**12, NOW + 300_000_000, NOW)
DEVICES = {"r": "d1", "d1": "d1"}
BGP = (
    Metric(
        "routing.bgp.state", Unit.STATE, Kind.STATE, Tier.T0, "x", "1", scope="routing.bgp", states={"up": 1}
    ),
    Metric("routing.bgp.in.prefixes", Unit.COUNT, Kind.GAUGE, Tier.T0, "x", "1", scope="routing.bgp"),
    Metric("routing.bgp.prefixes", Unit.COUNT, Kind.GAUGE, Tier.T0, "x", "1", scope="routing.bgp"),
    Metric("routing.routes", Unit.COUNT, Kind.GAUGE, Tier.T0, "x", "1", scope="routing"),
)
BOOK = KeyBook((*METRICS, *BGP))
CHECKER = Checker(BOOK, IngestConfig(max_series=50))


def check(
    *rows: tuple[str, int, dict[str, Any]], labels: dict[tuple[str, str, str], str] | None = None
) -> Checked:
    samples = [SampleRow(number, device, at, metrics) for number, (device, at, metrics) in enumerate(rows)]
    return CHECKER.check(PushBatch(b"", samples=samples), DEVICES, labels or {}, BOUNDS)


def reason(value: Any, key: str = "system.cpu.load_pct") -> str:
    checked = check(("r", NOW, {key: value}))
    return checked.problems[0].reason if checked.problems else ""


@given(
    st.sampled_from((*METRICS, *BGP)), st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text)
)
def test_ingest_keys_mean_what_people_see(metric: Metric, label: str) -> None:
    key = full_key(metric.key, metric.scope, label)
    meant = BOOK.meaning(key)
    assert meant is not None
    # A name that ends like another metric's key can't be told from it: the longest end counts.
    assert full_key(meant.metric.key, meant.metric.scope, meant.label) == key


@pytest.mark.parametrize(
    ("key", "metric", "label"),
    [
        ("system.cpu.load_pct", "system.cpu.load_pct", ""),
        ("iface.ether1.rx_bps", "iface.rx_bps", "ether1"),
        ("iface.<pppoe-a.b>.rx_bps", "iface.rx_bps", "<pppoe-a.b>"),
        ("routing.bgp.10.0.0.1.state", "routing.bgp.state", "10.0.0.1"),
        ("routing.bgp.x.in.prefixes", "routing.bgp.in.prefixes", "x"),
        ("routing.bgp.routes", "routing.routes", "bgp"),
    ],
)
def test_ingest_keys_by_example(key: str, metric: str, label: str) -> None:
    meant = BOOK.meaning(key)
    assert meant is not None
    assert (meant.metric.key, meant.label) == (metric, label)


@pytest.mark.parametrize(
    "key", ["iface.rx_bps", "iface..rx_bps", "iface", "", "iface.ether1", "x" * 600, "system.cpu.load_pct.x"]
)
def test_ingest_keys_that_mean_nothing(key: str) -> None:
    assert reason(1, key) == "unknown_metric"


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("system.cpu.load_pct", 7, ""),
        ("system.cpu.load_pct", math.nan, "not_finite"),
        ("system.cpu.load_pct", math.inf, "not_finite"),
        ("system.cpu.load_pct", "7", "wrong_kind"),
        ("iface.e.rx_bytes_total", 2**63 - 1, ""),
        ("iface.e.rx_bytes_total", 2**63, "out_of_range"),
        ("iface.e.rx_bytes_total", -1, "out_of_range"),
        ("iface.e.rx_bytes_total", 7.0, ""),
        ("iface.e.rx_bytes_total", 7.5, "wrong_kind"),
        ("iface.e.rx_bytes_total", 1e18, "wrong_kind"),
        ("iface.e.rx_bytes_total", math.nan, "wrong_kind"),
        ("iface.e.rx_bps", -1, "out_of_range"),
        ("iface.e.rx_bps", 1e39, "out_of_range"),
        ("iface.e.oper_state", "up", ""),
        ("iface.e.oper_state", 0, ""),
        ("iface.e.oper_state", 9, "unknown_state"),
        ("iface.e.oper_state", "sideways", "unknown_state"),
        ("iface.e.oper_state", math.nan, "unknown_state"),
    ],
)
def test_ingest_values_are_of_their_kind(key: str, value: Any, wanted: str) -> None:
    assert reason(value, key) == wanted


def test_ingest_rows_are_taken_whole_or_not_at_all() -> None:
    checked = check(
        ("r", NOW, {"system.cpu.load_pct": 1, "no.such": 1, "iface.e.rx_bytes_total": 0.5}),
        ("d1", NOW, {"iface.e.oper_state": "up"}),
        ("r", NOW, {"system.cpu.load_pct": 2}),
        ("r", NOW, {"system.cpu.load_pct": 3}),
        ("nobody", NOW, {"system.cpu.load_pct": 4}),
        ("r", NOW + 301_000_000, {"system.cpu.load_pct": 5}),
        ("r", NOW - 10**12 - 1, {"system.cpu.load_pct": 6}),
    )
    assert checked.frames == {
        ("d1", NOW): {
            ("iface.oper_state", "e", Lane.GAUGE): 1.0,
            ("system.cpu.load_pct", "", Lane.GAUGE): 2.0,
        }
    }
    assert checked.samples == 2
    assert [(one.row, one.reason) for one in checked.problems] == [
        ("samples/0", "unknown_metric"),
        ("samples/3", "repeated"),
        ("samples/4", "unknown_device"),
        ("samples/5", "future"),
        ("samples/6", "too_old"),
    ]
    assert "'no.such'" in checked.problems[0].text
    assert "'iface.e.rx_bytes_total'" in checked.problems[0].text


def test_ingest_names_of_things_become_what_is_stored_of_them() -> None:
    labels = {("d1", "iface", "uplink"): "*1"}
    checked = check(("r", NOW, {"iface.uplink.rx_bps": 5, "iface.*1.tx_bytes_total": 1}), labels=labels)
    assert {name[1] for name in checked.frames["d1", NOW]} == {"*1"}
    doubled = check(("r", NOW, {"iface.uplink.rx_bps": 5, "iface.*1.rx_bps": 6}), labels=labels)
    assert [one.reason for one in doubled.problems] == ["repeated"]
    things = [
        SampleRow(0, "r", NOW, {"iface.x.rx_bps": 1}),
        SampleRow(1, "s", NOW, {"system.cpu.load_pct": 1}),
    ]
    assert CHECKER.named(PushBatch(b"", samples=things)) == ({"r", "s"}, {"r"})


def test_ingest_caps_the_values_of_one_time() -> None:
    many = {f"iface.e{number}.rx_bps": 1 for number in range(30)}
    more = {f"iface.f{number}.rx_bps": 1 for number in range(30)}
    assert [one.reason for one in check(("r", NOW, many), ("r", NOW, more)).problems] == ["too_many_series"]


VALUES = st.dictionaries(
    st.sampled_from(
        [
            "system.cpu.load_pct",
            "iface.a.rx_bytes_total",
            "iface.b.rx_bytes_total",
            "iface.a.rx_bps",
            "iface.a.oper_state",
        ]
    ),
    st.integers(0, 1),
    min_size=1,
)


@given(st.lists(st.tuples(st.integers(0, 5), VALUES), min_size=1, max_size=6))
def test_ingest_builds_the_frames_that_polls_build(rows: list[tuple[int, dict[str, int]]]) -> None:
    checked = check(*(("r", NOW - ago, metrics) for ago, metrics in rows))
    envelopes, declared = events_of(checked, TENANT, "billing", "slow", NOW, lambda *_: False)
    layouts: dict[int, Any] = {}
    found: dict[tuple[str, int], dict[Any, Any]] = {}
    last = 0
    for envelope in envelopes:
        assert (envelope.tenant_id, envelope.collector_id, envelope.device_id) == (TENANT, "billing", "d1")
        if payload_kind(envelope) == "series_layout":
            layout = layout_of(envelope.series_layout)
            assert layout.poll_group == poll_group("billing", "slow") == "push:billing/slow"
            layouts[layout.layout_id] = layout
            continue
        frame = envelope.frame
        layout = layouts[frame.layout_id]  # declared in front of its first frame
        lanes = {Lane.COUNTER: frame_counters(frame), Lane.GAUGE: frame.gauges, Lane.RATE: frame.rates}
        values = {
            (entry.metric, entry.instance, lane): value
            for lane, numbers in lanes.items()
            for entry, value in zip(layout.lane(lane), numbers, strict=True)
        }
        found[envelope.device_id, envelope.collected_at_us] = values
        assert envelope.collected_at_us >= last  # in the order of time
        last = envelope.collected_at_us
    assert found == checked.frames
    assert len(declared) == len(layouts)


def test_ingest_events_keep_their_uuid_and_name_their_device() -> None:
    event_id = "00000000-0000-4000-8000-000000000007"
    row = EventRow(0, event_id, "r", NOW, "critical", "x.y", "", "", "", "f", "o", "n", "m")
    checked = CHECKER.check(PushBatch(b"", events=[row, row._replace(number=1)]), DEVICES, {}, BOUNDS)
    assert [(one.row, one.reason) for one in checked.problems] == [("events/1", "duplicate")]
    ((envelope,), _) = events_of(checked, TENANT, "billing", "", NOW, lambda *_: False)
    changed = envelope.state_changed
    assert envelope.event_id.hex() == event_id.replace("-", "")
    assert (changed.entity_type, changed.entity_id, changed.new_value, changed.severity) == (
        "device",
        "d1",
        "n",
        3,
    )
