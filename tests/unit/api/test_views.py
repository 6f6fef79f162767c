from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from mtd.api.grpc.directory import KnownDevice
from mtd.api.grpc.globs import Globs
from mtd.api.grpc.layouts import LayoutBook
from mtd.api.grpc.views import compile_view
from mtd.client.live import LayoutBook as ClientBook
from mtd.model.events import presence_bitmap
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.pb.telemetry.v1.telemetry_service_pb2 import LatestUpdate, StreamLatestResponse
from tests.unit.api.fakes import CATALOGUE, INTERFACE, LAYOUT, TENANT

KEYS = {
    Lane.COUNTER: ("iface.rx_bytes_total", "iface.tx_bytes_total"),
    Lane.GAUGE: ("iface.oper_state", "system.cpu.load_pct"),
    Lane.RATE: ("iface.rx_bps",),
}
SERIES = st.one_of(
    *(
        st.builds(
            Series,
            st.sampled_from(keys),
            st.sampled_from([f"*{number}" for number in range(12)]),
            st.just(lane),
        )
        for lane, keys in KEYS.items()
    )
)
SELECTION = st.lists(
    st.sampled_from(
        ["iface.*", "*rx*", "iface.ether3.*", "iface.oper_state", "system.*", "iface.*1*", "nothing"]
    ),
    max_size=3,
)
INT64 = st.integers(-(2**63), 2**63 - 1)


@st.composite
def polls(draw: st.DrawFn) -> tuple[Layout, list[int | None], list[float], list[float]]:
    layout = Layout.of("t0", tuple(draw(st.lists(SERIES, max_size=20, unique=True))))
    sizes = {lane: len(layout.lane(lane)) for lane in Lane}
    exact = draw(st.lists(st.none() | INT64, min_size=sizes[Lane.COUNTER], max_size=sizes[Lane.COUNTER]))
    floats = st.floats(width=32, allow_infinity=False)
    gauges = draw(st.lists(floats, min_size=sizes[Lane.GAUGE], max_size=sizes[Lane.GAUGE]))
    rates = draw(st.lists(floats, min_size=sizes[Lane.RATE], max_size=sizes[Lane.RATE]))
    return layout, exact, gauges, rates


def whole(counters: list[int | None], gauges: list[float], rates: list[float]) -> LatestUpdate:
    update = LatestUpdate(collected_at_us=77, received_at_us=88, gauges=gauges, rates=rates)
    update.counters.extend(0 if value is None else value for value in counters)
    if None in counters:
        update.counters_present = presence_bitmap(counters)
    return update


@given(polls(), SELECTION)
def test_a_reader_gets_exactly_the_selected_values(
    poll: tuple[Layout, list[int | None], list[float], list[float]], selection: list[str]
) -> None:
    layout, counters, gauges, rates = poll
    device = KnownDevice(TENANT, "d1", "r1")
    device.name_things(INTERFACE, {f"*{number}": (f"ether{number}", "") for number in range(10)})
    wanted = Globs(selection)
    known = LayoutBook(5, CATALOGUE.metrics).declare(TENANT, layout)
    view, message = compile_view(known, device, wanted, CATALOGUE.metrics, 3)

    lanes = {Lane.COUNTER: iter(counters), Lane.GAUGE: iter(gauges), Lane.RATE: iter(rates)}
    expected = {}
    for series in layout.series:
        value = next(lanes[series.lane])
        scope = CATALOGUE.metrics[series.metric].scope
        label = device.label(scope, series.instance)
        key = f"iface.{label}{series.metric[5:]}" if scope else series.metric
        if wanted.matches(series.metric, key) and value is not None and not math.isnan(value):
            expected[series] = (key, label, value)

    book = ClientBook()
    assert book.take(StreamLatestResponse(layout=message)) == []
    update = LatestUpdate()
    view.fill(update, whole(counters, gauges, rates))
    assert update.ByteSize() <= view.max_bytes
    (live,) = book.take(StreamLatestResponse(update=update))
    assert (live.collected_at_us, live.received_at_us, update.layout) == (77, 88, 3)
    got = {
        (sample.metric, sample.instance, sample.value_int is not None): (
            sample.key,
            sample.label,
            sample.value if sample.value_int is None else sample.value_int,
        )
        for sample in live.samples()
    }
    assert got == {
        (series.metric, series.instance, series.lane is Lane.COUNTER): triple
        for series, triple in expected.items()
    }
    assert view.empty == (not message.series)


def test_a_view_stays_current_until_a_name_that_it_shows_changes() -> None:
    device = KnownDevice(TENANT, "d1", "r1")
    device.name_things(INTERFACE, {"*1": ("ether1", ""), "*77": ("pppoe-7", "")})
    book = LayoutBook(5, CATALOGUE.metrics)
    known = book.declare(TENANT, LAYOUT)
    view, _ = compile_view(known, device, Globs([]), CATALOGUE.metrics, 1)
    device.name_things(INTERFACE, {"*77": ("pppoe-8", "")})
    assert view.is_current(known, device)
    device.name_things(INTERFACE, {"*1": ("wan", "")})
    assert not view.is_current(known, device)
    other = book.declare(TENANT, Layout.of("t0", LAYOUT.series[:3]))
    assert not view.is_current(other, device)


def test_units_and_labels_stand_in_the_layout() -> None:
    device = KnownDevice(TENANT, "d1", "r1")
    device.name_things(INTERFACE, {"*1": ("ether1", "")})
    known = LayoutBook(5, CATALOGUE.metrics).declare(TENANT, LAYOUT)
    view, message = compile_view(known, device, Globs([]), CATALOGUE.metrics, 9)
    assert view.whole
    assert (message.layout, message.device_name, message.poll_group) == (9, "r1", "t0")
    first, second = message.series[0], message.series[1]
    assert (first.key, first.label, first.unit) == ("system.cpu.load_pct", "", "percent")
    assert (second.key, second.label, second.unit) == ("iface.ether1.rx_bytes_total", "ether1", "bytes")
