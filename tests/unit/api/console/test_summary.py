from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from mtd.api.console.encode import MAX_EXACT, encode, exact
from mtd.api.console.summary import Summary, SummaryPlan
from mtd.api.grpc.layouts import KnownLayout
from mtd.model.events import presence_bitmap
from mtd.pb.telemetry.v1.telemetry_service_pb2 import LatestUpdate
from tests.unit.api.console.kit import NAN, ROUTER, TYPES, Scene
from tests.unit.api.fakes import CATALOGUE, interfaces, numbered

KNOWN = KnownLayout(("t", 1), ROUTER, CATALOGUE.metrics)
KINDS = {key: fields["type"] for key, fields in TYPES.items()}


def summary(gauges: tuple[float, ...], rates: tuple[float, ...], kinds: dict[str, str] = KINDS) -> Summary:
    found = Summary()
    update = LatestUpdate(collected_at_us=5, gauges=gauges, rates=rates)
    SummaryPlan(KNOWN, kinds, 1).fill(found, update)
    return found


def test_traffic_is_the_sum_over_ports_and_not_over_bridges() -> None:
    found = summary((7.0, 256.0, 1024.0, 60.0), (100.0, 10.0, 0.0, 200.0, 20.0, 0.5, 300.0, 30.0, 9.0))
    assert found.shown() == {
        "t_us": 5, "cpu_pct": 7.0, "mem_pct": 75.0, "rx_bps": 300, "tx_bps": 30, "errors_per_s": 0.5, "uptime_s": 60,
    }  # fmt: skip


def test_what_is_absent_is_null_and_not_zero() -> None:
    nothing = summary((NAN,) * 4, (NAN,) * 9)
    assert set(nothing.shown().values()) == {5, None}
    # Of two ports one has a rate: that is known.
    assert summary((NAN,) * 4, (NAN, NAN, NAN, 200.0, NAN, NAN, 1.0, 1.0, 1.0)).shown()["rx_bps"] == 200
    # Without the total, the free memory is no share of anything.
    assert summary((1.0, 256.0, NAN, 2.0), (NAN,) * 9).shown()["mem_pct"] is None
    assert summary((1.0, 256.0, 0.0, 2.0), (NAN,) * 9).shown()["mem_pct"] is None
    # Nobody said what kind of interfaces they are.
    assert summary((1.0,) * 4, (1.0,) * 9, {}).shown()["rx_bps"] is None


def test_types_that_come_later_count_with_the_next_frame() -> None:
    scene = Scene()
    scene.hub.publish(numbered(interfaces({"*1": {"name": "ether1"}})))
    scene.poll()
    card = scene.world.cards.get("d1")
    assert card is not None
    assert card.summary().shown()["rx_bps"] is None
    scene.hub.publish(numbered(interfaces(TYPES)))
    scene.clock.now += 1
    scene.poll()
    assert card.summary().shown()["rx_bps"] == 300


def test_the_fragment_is_made_once_per_frame() -> None:
    scene = Scene()
    card = scene.world.cards.get("d1")
    assert card is not None
    assert card.fragment == ""
    scene.poll()
    first = card.fragment
    assert card.fragment is first
    scene.clock.now += 1
    scene.poll(gauges=(8.0, 256.0, 1024.0, 61.0))
    assert json.loads("{" + card.fragment + "}")["d1"]["cpu_pct"] == 8.0


@given(st.lists(st.one_of(st.none(), st.integers(0, 2**63 - 1)), max_size=40))
def test_counters_are_exact_in_javascript(values: list[int | None]) -> None:
    bitmap = presence_bitmap(values) if None in values else b""
    packed = [0 if value is None else value for value in values]
    shown = json.loads(encode(exact(packed, bitmap)))
    assert len(shown) == len(values)
    for value, seen in zip(values, shown, strict=True):
        if value is None:
            assert seen is None
        else:
            assert int(seen) == value
            assert isinstance(seen, str) == (value > MAX_EXACT)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True)))
def test_json_is_what_browsers_read(values: list[float]) -> None:
    shown = json.loads(encode(values), parse_constant=lambda word: 1 / 0)
    assert [value is None for value in shown] == [not math.isfinite(value) for value in values]
