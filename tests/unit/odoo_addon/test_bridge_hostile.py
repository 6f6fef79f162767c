"""An mtd that is broken, or not ours: what it sends is kept within bounds, and holds up nobody else."""

from __future__ import annotations

import dataclasses
import json
import math
from types import SimpleNamespace
from typing import Any

import pytest

from mtd.client.values import Evidence, event_of, moment
from mtd.pb.common.v1 import device_pb2
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from tests.unit.odoo_addon import bridge_kit as kit
from tests.unit.odoo_addon import fake_mtd
from tests.unit.odoo_addon.bridge_kit import FakeStore, until
from tests.unit.odoo_addon.test_bridge_messages import T_US, frame, interface, state

bounds, compose, reading, shown = (kit.part(name) for name in ("bounds", "compose", "reading", "shown"))
facts, transcript = kit.part("facts"), kit.part("transcript")
MIB = 1024 * 1024
HUGE = "ж" * MIB


def told(of: Any) -> Any:
    return compose.compose(of, "full", seq=1, now_us=T_US, connected=True)


def on_the_bus(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":")).encode())


def event(**fields: Any) -> Any:
    return event_of(pb.Event(position=1, collected_at_us=T_US, device_id="a", **fields))


class Counted:
    """What was left out, and how many of it."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}

    def __call__(self, what: str, count: int) -> None:
        self.found[what] = self.found.get(what, 0) + count


# -- events --------------------------------------------------------------------------


def test_an_ordinary_event_is_the_same() -> None:
    evidence = Evidence("poll", moment(T_US), 0.0, "", 1, 0, "ether1 went down")
    ordinary = dataclasses.replace(event(message="ether1 went down"), evidences=[evidence])
    assert bounds.event_within(ordinary) is ordinary


def test_an_event_is_cut_in_all_that_may_be_long() -> None:
    texts = dict.fromkeys(
        (
            "event_type",
            "entity_type",
            "entity_id",
            "entity_label",
            "field",
            "old_value",
            "new_value",
            "message",
        ),
        HUGE,
    )
    evidence = Evidence(HUGE, moment(T_US), 0.0, "", 1, 0, HUGE)
    large = dataclasses.replace(
        event(device_name=HUGE, **texts), evidences=[evidence] * 1000, replaced_positions=range(100_000)
    )
    cut = bounds.event_within(large)
    assert on_the_bus(kit.part("state").event_shown(cut)) < 512 * 1024
    assert len(cut.evidences) == bounds.MOST_EVIDENCES
    assert len(cut.replaced_positions) == bounds.MOST_REPLACED
    assert cut.message == HUGE[: bounds.MOST_MESSAGE - 1] + "…"
    for name in ("device_name", "event_type", "entity_label", "field"):
        assert len(getattr(cut, name)) == bounds.MOST_TEXT


def test_what_no_text_of_postgresql_holds_is_left_out() -> None:
    cut = bounds.event_within(event(message="a\0b", entity_label="\0"))
    assert (cut.message, cut.entity_label) == ("ab", "")


@kit.on_loop
async def test_huge_events_are_kept_cut_and_counted() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            running.watch({7: ("a", ["plain"])})
            await until(lambda: running.sent(7), "a message")
            mtd.log.append(
                pb.Event(
                    position=1,
                    collected_at_us=T_US,
                    device_id="a",
                    event_type="interface.changed",
                    message="x" * 10 * MIB,
                    severity=device_pb2.SEVERITY_INFO,
                )
            )
            await mtd.happen(1)
            await until(lambda: len(store.rows) == 2, "both events")
            assert len(store.rows[0].message) == bounds.MOST_MESSAGE
            assert running.figure("cut_total", what="event") == 1
            assert running.bridge.health()["cut"] == {"event": 1}


# -- a device ------------------------------------------------------------------------


def test_a_hundred_thousand_interfaces_are_a_few_thousand_and_the_ports_among_them() -> None:
    counted = Counted()
    of = kit.part("state").DeviceState(42, "a", {}, on_cut=counted)
    many = [interface(number, f"<pppoe-{number}>", physical=False) for number in range(100_000)]
    of.take_interfaces([*many, interface(100_000, "ether1")])
    assert len(of.interfaces) == bounds.MOST_PARTS
    assert of.interfaces[0].name == "ether1"
    assert counted.found == {"interface": 100_001 - bounds.MOST_PARTS}
    message = told(of)
    assert on_the_bus(message) <= 64 * 1024
    assert message["more"] + len(message["interfaces"]) == 100_001


def test_texts_of_a_mebibyte_leave_room_for_the_others() -> None:
    counted = Counted()
    of = kit.part("state").DeviceState(42, "a", {}, on_cut=counted)
    of.take_interfaces([interface(1, HUGE), interface(2, "ether2")])
    of.take_device(
        SimpleNamespace(
            name=HUGE,
            status="up",
            status_reason=HUGE,
            routeros_version=HUGE,
            board_name=HUGE,
            identity=HUGE,
            intervals_s={HUGE: 1.0},
            last_seen_at=None,
        )
    )
    message = told(of)
    assert [len(row[1]) for row in message["interfaces"]] == [bounds.MOST_TEXT, 6]
    assert on_the_bus(message) <= 64 * 1024
    assert message["more"] == 0
    assert message["intervals_s"].keys() == shown.DEFAULT_INTERVALS_S.keys()
    assert counted.found == {"fact": 5}


def test_a_status_that_an_event_tells_is_cut() -> None:
    of = state()
    of.take_status("down", HUGE, T_US)
    assert len(told(of)["reason"]) == bounds.MOST_TEXT


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_an_interval_that_is_none_is_not_taken(seconds: float) -> None:
    assert bounds.intervals_within({"t0": 2.0}, {"t0": seconds, "t1": seconds}) == {"t0": 2.0}


def test_tiers_are_few() -> None:
    found = bounds.intervals_within(
        {"t0": 1.0}, {f"tier {number}": 1.0 for number in range(1000)} | {"t0": 2.0}
    )
    assert len(found) == bounds.MOST_GROUPS
    assert found["t0"] == 2.0


# -- values --------------------------------------------------------------------------


def layout(*series: tuple[str, str, str]) -> Any:
    return SimpleNamespace(
        poll_group="t0",
        series=[
            SimpleNamespace(metric=metric, instance=instance, label=label, unit=HUGE, lane="rate")
            for metric, instance, label in series
        ],
    )


def test_series_of_too_many_parts_are_left_out() -> None:
    plan = reading.LayoutPlan(
        layout(*((shown.RX, f"*{number}", HUGE[:1000]) for number in range(bounds.MOST_PARTS + 10)))
    )
    rates = [float(number) for number in range(bounds.MOST_PARTS + 10)]
    read = plan.read(
        SimpleNamespace(collected_at_us=T_US, counters=(), counters_present=b"", gauges=(), rates=rates)
    )
    assert plan.left_out == 10
    assert len(read.rows) == bounds.MOST_PARTS
    assert read.rows[-1][2] == (bounds.MOST_PARTS - 1,)
    assert len(read.rows[0][1]) == bounds.MOST_TEXT
    assert len(read.metrics[0][1]) == bounds.MOST_TEXT


def test_a_metric_of_the_device_is_there_once_and_parts_have_names_of_some_length() -> None:
    plan = reading.LayoutPlan(layout(*[(shown.CPU, "", "")] * 1000, (shown.RX, HUGE, "x")))
    read = plan.read(
        SimpleNamespace(
            collected_at_us=T_US, counters=(), counters_present=b"", gauges=(), rates=[1.0] * 1001
        )
    )
    assert len(read.scalars) == 1
    assert read.rows == ()
    assert plan.left_out == 1


def test_many_counters_are_read_in_time_and_short_bits_mean_absent() -> None:
    values = range(400_000)  # each looked up among all bits, that would be minutes
    assert list(reading._counters(values, b"\x05"))[:4] == [0, None, 2, None]
    assert sum(value is not None for value in reading._counters(values, b"\xff" * 50_000)) == 400_000


@kit.on_loop
async def test_a_device_has_a_few_poll_groups() -> None:
    figures = kit.part("figures").Figures()
    tenant = kit.part("tenant").Tenant(kit.port.Connection(1, "acme"), None, None, None, None, figures)
    of = tenant._by_mtd_id["a"] = kit.part("state").DeviceState(7, "a", {})
    for number in range(100):
        made = frame()
        made.layout = dataclasses.replace(made.layout, poll_group=f"group {number}")
        tenant._on_frame(made)
    assert len(of.readings) == bounds.MOST_GROUPS
    assert figures.value("frames_dropped_total", reason="too many poll groups") == 100 - bounds.MOST_GROUPS


def test_a_message_is_never_too_large() -> None:
    of = state()
    metrics = [f"metric {number}" for number in range(500)]
    for group in range(bounds.MOST_GROUPS):
        of.readings[str(group)] = reading.Reading(
            str(group), T_US, tuple((metric, HUGE[:255], 1.5) for metric in metrics), (), ()
        )
    message = told(of)
    assert on_the_bus(message) <= 64 * 1024
    assert message["name"] == "core"
    assert message["groups"] == message["lines"] == []


@kit.on_loop
async def test_values_that_cant_be_read_are_told_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = reading.LayoutPlan.read

    def broken(plan: Any, made: Any) -> Any:
        if plan.layout.device_id == "b" and not mended:
            raise IndexError("list index out of range")
        return read(plan, made)

    mended: list[bool] = []
    monkeypatch.setattr(reading.LayoutPlan, "read", broken)
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            running.watch({7: ("a", ["plain"]), 8: ("b", ["plain"])})
            await until(
                lambda: running.figure("failures_total", what="live") > 1, "it fails, again and again"
            )
            told = running.bridge.health()["connections"][0]
            assert not told["connected"]
            assert "can't be read" in told["error"]
            mended.append(True)
            await until(lambda: running.sent(8) and running.sent(8)[-1]["groups"], "values")


@kit.on_loop
async def test_a_device_that_cant_be_told_leaves_the_others_in_peace() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            running.watch({7: ("a", ["plain"]), 8: ("b", ["plain"])})
            await until(lambda: running.sent(7) and running.sent(8), "both")
            running.bridge.session.tenants[1].states[7].intervals_s = {}
            await until(lambda: running.figure("failures_total", what="compose") > 0, "it is counted")
            sent = len(running.sent(8))
            await mtd.poll()
            await until(lambda: len(running.sent(8)) > sent, "the other goes on")


@kit.on_loop
async def test_devices_whose_status_changed_are_so_many_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    module = kit.part("tenant")
    monkeypatch.setattr(module, "MOST_CHANGED", 3)
    figures = kit.part("figures").Figures()
    tenant = module.Tenant(kit.port.Connection(1, "acme"), None, None, None, None, figures)
    for number in range(5):
        changed = event_of(pb.Event(position=1, device_id=str(number), event_type="device.status_changed"))
        tenant._on_event(changed)
    assert tenant._changed_status == {"0", "1", "2"}
    assert figures.value("cut_total", what="status") == 2


# -- lines ---------------------------------------------------------------------------


def test_a_line_is_cut() -> None:
    record = SimpleNamespace(time=moment(T_US), severity="", topics=[HUGE] * 1000, text=HUGE)
    assert on_the_bus(facts._line(record)) < 20_000


def test_the_output_of_a_tool_has_room_on_the_bus() -> None:
    made = transcript.Transcript("ping")
    for number in range(500):
        made.take(
            SimpleNamespace(
                sequence=number,
                host=HUGE,
                status=HUGE,
                **dict.fromkeys(
                    (
                        "size_bytes",
                        "ttl",
                        "time_ms",
                        "sent",
                        "received",
                        "loss_pct",
                        "min_ms",
                        "avg_ms",
                        "max_ms",
                    )
                ),
            )
        )
    assert on_the_bus(made.lines) <= 64 * 1024
    assert made.lines[-1].startswith("seq=499")
    assert all(len(line) <= bounds.MOST_TEXT for line in made.lines)
