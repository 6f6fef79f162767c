from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.api.errors import StreamsClosed, TooManyStreams
from mtd.api.grpc.latest_stream import VIEWS_AT_ONCE, LatestStream
from mtd.api.grpc.stream_hub import StreamHub
from mtd.core.errors import Refused
from mtd.model.device import InterfaceNaming
from mtd.model.layout import Layout
from mtd.model.observation import KeyRange
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.telemetry.v1.telemetry_service_pb2 import LatestUpdate, StreamLatestResponse
from mtd.queries.records import InstanceName, LatestFrame
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.api.fakes import (
    LAYOUT,
    OTHER_TENANT,
    TENANT,
    FakeTelemetry,
    context,
    declared,
    device,
    frame,
    interfaces,
    link_change,
    numbered,
)

PORTS = {"*1": {"name": "ether1", "comment": "Uplink"}, "*2": {"name": "ether2"}}


def make_hub(telemetry: FakeTelemetry | None = None, **settings: Any) -> StreamHub:
    return context(telemetry or FakeTelemetry(), **settings).hub


def flat(messages: Iterable[StreamLatestResponse]) -> list[StreamLatestResponse]:
    """Return layouts and updates one by one, whether or not they came in batches."""
    singles = []
    for message in messages:
        if message.HasField("batch"):
            singles += [StreamLatestResponse(layout=layout) for layout in message.batch.layouts]
            singles += [StreamLatestResponse(update=update) for update in message.batch.updates]
        else:
            singles.append(message)
    return singles


def drain(stream: LatestStream) -> list[StreamLatestResponse]:
    taken: list[StreamLatestResponse] = []
    while stream.waiting:
        taken += stream.take()
    return flat(taken)


def gone(messages: list[StreamLatestResponse]) -> list[str]:
    return [message.gone.device_id for message in messages if message.HasField("gone")]


def updates(messages: list[StreamLatestResponse]) -> list[LatestUpdate]:
    return [message.update for message in messages if message.HasField("update")]


def discarded(reason: str) -> float:
    return metric("mtd_api_hub_frames_discarded_total", reason=reason)


def test_a_layout_comes_first_then_values_then_only_values() -> None:
    hub = make_hub()
    hub.apply_devices([device()])
    hub.publish(numbered(declared(), interfaces(PORTS), frame(1_000)))
    with hub.open_stream(TENANT) as stream:
        first, second = drain(stream)
        assert first.layout.device_name == "r1"
        assert [info.key for info in first.layout.series][:2] == [
            "system.cpu.load_pct",
            "iface.ether1.rx_bytes_total",
        ]
        assert second.update.layout == first.layout.layout
        assert list(second.update.counters) == [10, 20, 30, 40]
        assert list(second.update.gauges) == [7.0, 1.0, 0.0]
        assert second.update.received_at_us == 1_005
        hub.publish(numbered(frame(2_000, counters=(11, 21, 31, 41))))
        (third,) = drain(stream)
        assert list(third.update.counters) == [11, 21, 31, 41]
        assert third.update.layout == first.layout.layout


def test_absent_values_stay_absent() -> None:
    hub = make_hub()
    hub.publish(numbered(declared(), frame(1, counters=(1, None, 3, None), rates=(math.nan, 5.0))))
    with hub.open_stream(TENANT) as stream:
        (update,) = updates(drain(stream))
    assert update.counters_present == bytes([0b0101])
    assert math.isnan(update.rates[0])
    with hub.open_stream(TENANT, (), ["iface.ether2.*", "iface.*2.tx_bytes_total"]) as stream:
        (update,) = updates(drain(stream))
    assert list(update.counters) == [0]
    assert update.counters_present == b"\x00"


@pytest.mark.parametrize(
    ("devices", "wanted", "keys"),
    [
        (["r1"], ["iface.rx_bps"], ["iface.ether1.rx_bps", "iface.ether2.rx_bps"]),
        (["d?"], ["iface.ether2.rx_bps"], ["iface.ether2.rx_bps"]),
        (["r*"], ["*cpu*"], ["system.cpu.load_pct"]),
        (["r2"], [], []),
        (["r1"], ["none"], []),
    ],
)
def test_selectors_take_names_ids_keys_and_full_keys(
    devices: list[str], wanted: list[str], keys: list[str]
) -> None:
    hub = make_hub()
    hub.apply_devices([device()])
    hub.publish(numbered(declared(), interfaces(PORTS), frame(1)))
    with hub.open_stream(TENANT, devices, wanted) as stream:
        messages = drain(stream)
    assert [info.key for message in messages for info in message.layout.series] == keys
    assert len(updates(messages)) == (1 if keys else 0)


def test_a_tenant_never_sees_another() -> None:
    hub = make_hub()
    hub.publish(
        numbered(declared(), frame(1), declared(tenant_id=OTHER_TENANT), frame(1, tenant_id=OTHER_TENANT))
    )
    with hub.open_stream(OTHER_TENANT) as stream:
        assert len(updates(drain(stream))) == 1
        hub.publish(numbered(frame(2)))
        assert not stream.waiting
        hub.publish(numbered(frame(2, tenant_id=OTHER_TENANT)))
        assert stream.waiting == 1


def test_a_rename_sends_a_new_layout() -> None:
    hub = make_hub()
    hub.apply_devices([device()])
    hub.publish(numbered(declared(), interfaces(PORTS), frame(1)))
    with hub.open_stream(TENANT, (), ["iface.*.rx_bps"]) as stream:
        (before, _) = drain(stream)
        hub.publish(numbered(interfaces({"*1": {"name": "wan"}}, complete=False), frame(2)))
        (after, update) = drain(stream)
        assert [info.label for info in after.layout.series] == ["wan", "ether2"]
        assert update.update.layout == after.layout.layout != before.layout.layout
        hub.apply_devices([device("d1", "core", InterfaceNaming.COMMENT)])
        hub.publish(numbered(interfaces(PORTS), frame(3)))
        (again, _) = drain(stream)
        assert again.layout.device_name == "core"
        assert [info.label for info in again.layout.series] == ["Uplink", "ether2"]


def test_a_name_that_a_collector_tells_late_does_not_come_back() -> None:
    hub = make_hub()
    hub.apply_devices([device()])

    def told(position: int, name: str) -> Envelope:
        event = interfaces({"*1": {"name": name}})
        event.source_log_id, event.source_seq = bytes(16), position
        return event

    hub.publish(numbered(told(20, "new"), told(10, "old")))
    known = hub.device(TENANT, "d1")
    assert known is not None
    assert known.things["iface"] == {"*1": ("new", "")}
    hub.publish(numbered(told(21, "newer")))
    assert known.things["iface"] == {"*1": ("newer", "")}


def test_parts_of_a_table_say_what_is_gone_among_their_keys() -> None:
    hub = make_hub()
    hub.apply_devices([device()])
    hub.publish(numbered(interfaces({"*1": {"name": "a"}, "*2": {"name": "b"}, "*3": {"name": "c"}})))
    known = hub.device(TENANT, "d1")
    assert known is not None
    part = interfaces({"*1": {"name": "A", "type": "vlan"}}, within=KeyRange("", "*2"))
    hub.publish(numbered(part))
    assert known.things["iface"] == {"*1": ("A", ""), "*3": ("c", "")}
    assert known.types == {"*1": "vlan", "*3": ""}
    hub.publish(numbered(interfaces({}, within=KeyRange("*2"))))
    assert known.things["iface"] == {"*1": ("A", "")}


def test_a_renamed_device_enters_and_leaves_selections() -> None:
    hub = make_hub()
    hub.apply_devices([device()])
    hub.publish(numbered(declared(), frame(1)))
    with hub.open_stream(TENANT, ["core*"]) as stream:
        assert not stream.waiting
        hub.apply_devices([device("d1", "core-1")])
        assert len(updates(drain(stream))) == 1
        hub.publish(numbered(frame(2)))
        hub.apply_devices([device("d1", "edge-1")])
        assert gone(drain(stream)) == ["d1"]
        hub.publish(numbered(frame(3)))
        assert not stream.waiting


def test_latest_never_moves_back_in_time() -> None:
    hub = make_hub()
    before = discarded("stale")
    hub.publish(
        numbered(declared(), frame(5), frame(4, counters=(0, 0, 0, 0)), frame(5, counters=(0, 0, 0, 0)))
    )
    with hub.open_stream(TENANT) as stream:
        (update,) = updates(drain(stream))
    assert list(update.counters) == [10, 20, 30, 40]
    assert discarded("stale") - before == 2


def test_frames_that_do_not_fit_their_layout_are_discarded_and_counted() -> None:
    hub = make_hub()
    before = discarded("malformed")
    hub.publish(numbered(declared(), frame(1, counters=(1, 2, 3)), frame(2, rates=())))
    with hub.open_stream(TENANT) as stream:
        assert not stream.waiting
    assert discarded("malformed") - before == 2


def test_a_new_layout_of_a_group_replaces_the_old_one() -> None:
    hub = make_hub()
    shorter = Layout.of("t0", LAYOUT.series[:1])
    hub.publish(numbered(declared(), frame(1)))
    with hub.open_stream(TENANT) as stream:
        drain(stream)
        hub.publish(
            numbered(declared(shorter), frame(2, layout=shorter, counters=(), gauges=(9.0,), rates=()))
        )
        (layout, update) = drain(stream)
    assert [info.key for info in layout.layout.series] == ["system.cpu.load_pct"]
    assert list(update.update.gauges) == [9.0]


def test_devices_that_left_the_inventory_leave_the_hub() -> None:
    hub = make_hub()
    hub.apply_devices([device("d1", "r1"), device("d2", "r2")])
    hub.publish(numbered(declared(), frame(1), frame(1, device_id="d2")))
    with hub.open_stream(TENANT) as stream:
        assert stream.waiting == 2
        hub.apply_devices([device("d2", "r2")])
        assert stream.waiting == 1
        before = discarded("unknown_device")
        hub.publish(numbered(frame(2)))
        assert discarded("unknown_device") - before == 1
        drain(stream)
    with hub.open_stream(TENANT) as stream:
        assert [message.layout.device_id for message in drain(stream) if message.HasField("layout")] == ["d2"]


def test_only_operators_events_wake_the_feeds() -> None:
    telemetry = FakeTelemetry()
    told: list[set[str]] = []
    hub = StreamHub(telemetry, context(telemetry).catalogue, on_events=told.append)
    hub.publish(numbered(declared(), frame(1), interfaces(PORTS)))
    assert told == []
    hub.publish(numbered(link_change(2), link_change(3, tenant_id=OTHER_TENANT)))
    assert told == [{TENANT, OTHER_TENANT}]


def test_streams_are_limited_and_patterns_checked() -> None:
    hub = make_hub(max_streams=1)
    with hub.open_stream(TENANT), pytest.raises(TooManyStreams), hub.open_stream(TENANT):
        pass
    with pytest.raises(Refused), hub.open_stream(TENANT, [""]):
        pass
    with hub.open_stream(TENANT):
        pass


# -- start ------------------------------------------------------------------------


def stored(at_us: int, device_id: str = "d1") -> LatestFrame:
    return LatestFrame(
        TENANT, device_id, LAYOUT, at_us, at_us, (1, None, 3, 4), (math.nan, 1.0, 0.0), (5.0, 6.0)
    )


def test_start_seeds_values_and_names() -> None:
    async def main() -> None:
        telemetry = FakeTelemetry()
        telemetry.latest = [stored(100, f"d{number}") for number in range(120)]
        telemetry.names = [InstanceName(TENANT, "d1", "interface", "*1", "ether1", "")]
        hub = make_hub(telemetry)
        await hub.start()
        with hub.open_stream(TENANT, ["d1"]) as stream:
            layout, update = drain(stream)
            assert layout.layout.series[1].label == "ether1"
            assert update.update.counters_present == bytes([0b1101])
        with hub.open_stream(TENANT) as stream:
            assert stream.waiting == 120
        await hub.stop()

    run_async(main())


def test_what_was_published_before_the_seed_is_newer_and_stays() -> None:
    async def main() -> None:
        telemetry = FakeTelemetry()
        telemetry.latest = [stored(100)]
        telemetry.names = [InstanceName(TENANT, "d1", "interface", "*1", "old", "")]
        hub = make_hub(telemetry)
        hub.publish(numbered(declared(), interfaces(PORTS), frame(200)))
        await hub.start()
        with hub.open_stream(TENANT) as stream:
            layout, update = drain(stream)
            assert layout.layout.series[1].label == "ether1"
            assert update.update.collected_at_us == 200
        await hub.stop()

    run_async(main())


# -- layouts that aren't in memory ---------------------------------------------------


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def test_a_layout_that_is_not_in_memory_is_read_and_the_newest_frame_shown() -> None:
    async def main() -> None:
        telemetry = FakeTelemetry()
        telemetry.layouts[TENANT, LAYOUT.layout_id] = LAYOUT
        hub = make_hub(telemetry)
        with hub.open_stream(TENANT) as stream:
            hub.publish(numbered(frame(1), frame(2), frame(1, device_id="d2")))
            await until(lambda: stream.waiting == 2)
            assert {update.collected_at_us for update in updates(drain(stream))} == {1, 2}
            assert telemetry.reads == 1
        await hub.stop()

    run_async(main())


def test_a_layout_that_nobody_knows_costs_its_frames_and_is_asked_for_again() -> None:
    async def main() -> None:
        telemetry = FakeTelemetry()
        hub = make_hub(telemetry)
        before = discarded("unknown_layout")
        hub.publish(numbered(frame(1)))
        await until(lambda: discarded("unknown_layout") == before + 1)
        telemetry.layouts[TENANT, LAYOUT.layout_id] = LAYOUT
        hub.publish(numbered(frame(2)))
        with hub.open_stream(TENANT) as stream:
            await until(lambda: stream.waiting)
        await hub.stop()

    run_async(main())


def test_frames_that_wait_for_layouts_are_bounded() -> None:
    async def main() -> None:
        hub = make_hub(max_unused_layouts=2)
        before = discarded("unknown_layout")
        layouts = [Layout.of(f"t{number}", LAYOUT.series) for number in range(5)]
        hub.publish(numbered(*(frame(1, layout=layout) for layout in layouts)))
        assert discarded("unknown_layout") - before == 3
        await hub.stop()

    run_async(main())


# -- readers ------------------------------------------------------------------------


@given(st.lists(st.one_of(st.integers(0, 3), st.just("take")), max_size=80))
def test_coalescing_keeps_the_newest_and_counts_the_rest(steps: list[int | str]) -> None:
    """Whatever the reader's pace: nothing is doubled, what is skipped is counted, the last value arrives."""
    hub = make_hub()
    hub.publish(numbered(declared()))
    published: dict[str, int] = {}
    taken: dict[str, list[int]] = {}
    skipped: dict[str, int] = {}
    names: dict[int, str] = {}

    def read(messages: Any) -> None:
        for message in messages:
            if message.HasField("layout"):
                names[message.layout.layout] = message.layout.device_id
            else:
                name = names[message.update.layout]
                taken.setdefault(name, []).append(message.update.collected_at_us)
                skipped[name] = message.update.skipped

    with hub.open_stream(TENANT) as stream:
        for step in steps:
            if step == "take":
                if stream.waiting:
                    read(flat(stream.take()))
            else:
                name = f"d{step}"
                published[name] = published.get(name, 0) + 1
                hub.publish(numbered(frame(published[name], device_id=name)))
            assert stream.waiting <= len(published)
        read(drain(stream))
    assert {name: times[-1] for name, times in taken.items()} == published
    for name, times in taken.items():
        assert times == sorted(set(times))
        assert len(times) + skipped[name] == published[name]


def test_a_stream_that_nobody_reads_costs_only_itself() -> None:
    hub = make_hub()
    hub.publish(numbered(declared(), *(frame(1, device_id=f"d{number}") for number in range(10))))
    with hub.open_stream(TENANT) as asleep, hub.open_stream(TENANT) as awake:
        for at_us in range(2, 50):
            hub.publish(numbered(*(frame(at_us, device_id=f"d{number}") for number in range(10))))
            assert len(updates(drain(awake))) == 10
        assert asleep.waiting == 10
        late = updates(drain(asleep))
        assert {(update.collected_at_us, update.skipped) for update in late} == {(49, 48)}


def test_what_is_ready_at_once_goes_in_messages_of_bounded_size() -> None:
    hub = make_hub(stream_batch_bytes=1000)
    devices = [f"d{number}" for number in range(40)]
    hub.publish(numbered(declared(), *(frame(1, device_id=name) for name in devices)))
    with hub.open_stream(TENANT) as stream:
        drain(stream)
        hub.publish(numbered(*(frame(2, device_id=name) for name in devices)))
        sizes = []
        while stream.waiting:
            (message,) = stream.take()
            assert not message.batch.layouts
            sizes.append(len(message.batch.updates))
            assert message.ByteSize() <= 1000 + 200
        assert sum(sizes) == 40
        assert 2 <= len(sizes) < 20
        hub.publish(numbered(frame(3)))
        (single,) = stream.take()
        assert single.update.collected_at_us == 3


def test_only_so_many_views_are_compiled_at_once() -> None:
    hub = make_hub()
    hub.publish(numbered(declared(), *(frame(1, device_id=f"d{number}") for number in range(40))))
    with hub.open_stream(TENANT) as stream:
        (message,) = stream.take()
        assert len(message.batch.layouts) == len(message.batch.updates) == VIEWS_AT_ONCE
        assert [one.layout for one in message.batch.updates] == [one.layout for one in message.batch.layouts]


def test_stop_ends_streams_and_refuses_new_ones() -> None:
    async def main() -> None:
        hub = make_hub()
        with hub.open_stream(TENANT) as stream:
            reading = asyncio.ensure_future(anext(stream.messages()))
            await asyncio.sleep(0)
            await hub.stop()
            with pytest.raises(StreamsClosed):
                await reading
        with pytest.raises(StreamsClosed), hub.open_stream(TENANT):
            pass

    run_async(main())


def test_compiling_many_views_that_show_nothing_lets_others_run() -> None:
    async def main() -> None:
        hub = make_hub()
        hub.publish(numbered(declared(), *(frame(1, device_id=f"d{number}") for number in range(50))))
        with hub.open_stream(TENANT, (), ["none"]) as stream:
            reading = asyncio.ensure_future(anext(stream.messages()))
            turns = 0
            while stream.waiting:
                await asyncio.sleep(0)
                turns += 1
            assert turns >= 50 / VIEWS_AT_ONCE
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    run_async(main())


def test_a_detached_stream_leaves_nothing_behind() -> None:
    hub = make_hub()
    hub.publish(numbered(declared(), frame(1)))
    with hub.open_stream(TENANT) as stream:
        assert stream.waiting
    assert not stream.waiting
    hub.publish(numbered(frame(2)))
    assert not stream.waiting
    assert metric("mtd_api_hub_streams") == 0
