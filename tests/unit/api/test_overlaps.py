"""An interface that moves to another tier is in two poll groups for a moment: its newer values are shown, once."""

from __future__ import annotations

from mtd.api.console.cards import Cards
from mtd.core.service import TaskGroup
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.testing import run_async
from tests.unit.api.fakes import TENANT, FakeTelemetry, context, declared, device, frame, interfaces, numbered
from tests.unit.api.prometheus_kit import Exporter
from tests.unit.api.test_device_metrics import NOW_US, PORTS, key

TYPES = interfaces({f"*{number}": {"name": f"ether{number}", "type": "ether"} for number in (1, 2, 3)})


def layout(group: str, *ports: int) -> Layout:
    lanes = (("iface.rx_bytes_total", Lane.COUNTER), ("iface.rx_bps", Lane.RATE))
    return Layout.of(group, tuple(Series(name, f"*{port}", lane) for name, lane in lanes for port in ports))


def told(at_us: int, group: str, **values: int) -> tuple[Envelope, Envelope]:
    """Return a frame of ports by their numbers (``p1=5``), and what declares it; rates are ten times the counters."""
    of = layout(group, *(int(name[1:]) for name in values))
    counters = list(values.values())
    return declared(of), frame(
        at_us, layout=of, counters=counters, gauges=(), rates=[10.0 * one for one in counters]
    )


def rx_bytes(exporter: Exporter) -> dict[str, float]:
    """Return the counters by label; an exposition with a series twice can't be read."""
    found = run_async(exporter.samples())
    ports = {
        label: key("iface_rx_bytes_total", device="r1", interface=label) for label in ("ether1", "ether2")
    }
    return {label: found[name] for label, name in ports.items() if name in found}


def test_a_scrape_has_the_newer_value_and_that_once() -> None:
    slow, fast = told(NOW_US - 4_000_000, "t1", p1=1, p2=2), told(NOW_US, "t0", p2=22)
    exporter = Exporter(*slow, PORTS, *fast)
    assert rx_bytes(exporter) == {"ether1": 1, "ether2": 22}
    exporter.publish(*told(NOW_US + 1_000_000, "t1", p1=3, p2=33))
    assert rx_bytes(exporter) == {"ether1": 3, "ether2": 33}
    exporter.publish(*told(NOW_US + 2_000_000, "t1", p1=4))
    assert rx_bytes(exporter) == {"ether1": 4, "ether2": 22}


def test_a_group_without_series_has_neither_values_nor_an_age() -> None:
    exporter = Exporter(*told(NOW_US, "t1", p1=1), PORTS, *told(NOW_US, "t0", p2=2))
    exporter.publish(*told(NOW_US + 1, "t1"))
    assert rx_bytes(exporter) == {"ether2": 2}
    assert 'poll_group="t1"' not in run_async(exporter.text())


def test_a_sum_over_ports_counts_each_once() -> None:
    hub = context(FakeTelemetry()).hub
    hub.apply_devices([device()])
    cards = Cards(hub, TENANT, TaskGroup("test"))
    hub.publish(numbered(TYPES, *told(1_000_000, "t1", p1=1, p2=2, p3=3), *told(2_000_000, "t0", p2=20)))
    card = cards.get("d1")
    assert card is not None
    assert card.summary().rx_bps == 10 + 200 + 30
    hub.publish(numbered(*told(3_000_000, "t1", p1=1, p2=2, p3=3)))
    assert card.summary().rx_bps == 10 + 20 + 30
    hub.publish(numbered(*told(4_000_000, "t1", p1=1, p3=3), *told(4_000_001, "t0", p2=21)))
    assert card.summary().rx_bps == 10 + 210 + 30
    assert card.current(4_000_002, lambda *_: 1e6).rx_bps == 250  # type: ignore[union-attr]  # there is one
