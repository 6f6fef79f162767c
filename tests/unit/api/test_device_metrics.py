from __future__ import annotations

import asyncio
import gzip
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.api.grpc.directory import KnownDevice
from mtd.api.http.exposition import Body, Format, labelled
from mtd.api.http.metric_families import Family, Type
from mtd.model.device import DeviceStatus, InterfaceNaming
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane, Tier
from mtd.scheduler.account import Polled
from mtd.scheduler.costs import Cost
from mtd.testing import run_async
from tests.unit.api.fakes import declared, device, frame, interfaces
from tests.unit.api.prometheus_kit import Exporter, families_of, key, samples_of, view

NOW_US = 1_000_000_000_000
PORTS = interfaces({"*1": {"name": "ether1", "comment": "Uplink", "type": "ether"}, "*2": {"name": "ether2"}})
FORMATS = pytest.mark.parametrize("style", list(Format))


@FORMATS
def test_values_have_their_names_and_labels(style: Format) -> None:
    exporter = Exporter(declared(), PORTS, frame(NOW_US - 250_000, rates=(800.5, math.nan)))
    found = run_async(exporter.samples(style=style))
    assert found == {
        key("up", device="r1"): 1,
        key("status_info", device="r1", status="up", reason="polled in time"): 1,
        key("device_info", device="r1", id="d1", host="192.0.2.1"): 1,
        key("poll_timestamp_seconds", device="r1", poll_group="t0"): 999_999.75,
        key("poll_age_seconds", device="r1", poll_group="t0"): 0.25,
        key("iface_info", device="r1", interface="ether1", id="*1", name="ether1", comment="Uplink", type="ether"): 1,
        key("iface_info", device="r1", interface="ether2", id="*2", name="ether2"): 1,
        key("system_cpu_load_ratio", device="r1"): 0.07,
        key("iface_rx_bytes_total", device="r1", interface="ether1"): 10,
        key("iface_tx_bytes_total", device="r1", interface="ether1"): 20,
        key("iface_rx_bytes_total", device="r1", interface="ether2"): 30,
        key("iface_tx_bytes_total", device="r1", interface="ether2"): 40,
        key("iface_rx_bps", device="r1", interface="ether1"): 800.5,
        key("iface_oper_state", device="r1", interface="ether1"): 1,
        key("iface_oper_state", device="r1", interface="ether2"): 0,
    }  # fmt: skip


@FORMATS
def test_a_family_is_declared_once_for_all_devices(style: Format) -> None:
    names = ("r1", "r2")
    exporter = Exporter(*(e for d in ("d1", "d2") for e in (declared(device_id=d), frame(NOW_US, device_id=d))), names=names)  # fmt: skip
    views = [view("d1", "r1"), view("d2", "r2")]
    text = run_async(exporter.text(*views, style=style))
    families = families_of(text, style)
    assert text.count("# TYPE ") == text.count("# HELP ") == len({family.name for family in families}) == 11
    rx_bytes = next(family for family in families if family.name == "routeros_iface_rx_bytes")
    assert [(s.labels["device"], s.labels["interface"]) for s in rx_bytes.samples] == [
        ("r1", "*1"), ("r1", "*2"), ("r2", "*1"), ("r2", "*2"),
    ]  # fmt: skip
    if style is Format.OPENMETRICS:
        assert rx_bytes.unit == "bytes"
        assert text.endswith("# EOF\n")


def test_counters_are_exact_and_absent_ones_are_absent() -> None:
    exporter = Exporter(declared(), PORTS, frame(NOW_US, counters=(2**63 - 1, None, None, 2**53 + 1)))
    text = run_async(exporter.text())
    assert f'routeros_iface_rx_bytes_total{{device="r1",interface="ether1"}} {2**63 - 1}\n' in text
    assert f'routeros_iface_tx_bytes_total{{device="r1",interface="ether2"}} {2**53 + 1}\n' in text
    assert text.count("bytes_total{") == 2


def test_what_is_not_a_number_in_json_is_one_here() -> None:
    exporter = Exporter(declared(), PORTS, frame(NOW_US, gauges=(math.inf, math.nan, -math.inf)))
    found = run_async(exporter.samples())
    assert found[key("system_cpu_load_ratio", device="r1")] == math.inf
    assert key("iface_oper_state", device="r1", interface="ether1") not in found
    assert found[key("iface_oper_state", device="r1", interface="ether2")] == -math.inf


def test_old_values_end_and_their_age_stays() -> None:
    exporter = Exporter(declared(), PORTS, frame(NOW_US), device_stale_min_s=5)
    value, age = (
        key("system_cpu_load_ratio", device="r1"),
        key("poll_age_seconds", device="r1", poll_group="t0"),
    )
    exporter.clock.now_s += 5
    assert value in run_async(exporter.samples())
    exporter.clock.now_s += 1
    down = view(status=DeviceStatus.DOWN, reason="timed out")
    found = run_async(exporter.samples(down))
    assert value not in found
    assert found[age] == 6
    assert found[key("up", device="r1")] == 0
    assert found[key("status_info", device="r1", status="down", reason="timed out")] == 1
    # What counts is the pace of the polls: the collector's, or the device's own.
    assert value in run_async(exporter.samples(view(intervals_s={Tier.T0: 2.0})))
    exporter.intervals_s[Tier.T0] = 2.0
    assert value in run_async(exporter.samples())


@FORMATS
def test_what_a_router_costs_is_told_of_those_that_are_polled_here(style: Format) -> None:
    exporter = Exporter(declared(), frame(NOW_US), names=("r1", "r2"))
    exporter.polled["d1"] = Polled(Cost(7, 700.0, 70.0, 30, 1.25), polls=9, failed=2, skipped=1, poll_s=0.5)
    found = run_async(exporter.samples(view(), view("d2", "r2"), style=style))
    costs = {
        name: value
        for (name, labels), value in found.items()
        if ("_cost_" in name or "_polls_" in name) and "_total" in name
    }
    assert costs == {
        "routeros_polls_answered_total": 9,
        "routeros_polls_answered_seconds_total": 0.5,
        "routeros_polls_failed_total": 2,
        "routeros_polls_skipped_total": 1,
        "routeros_cost_commands_total": 7,
        "routeros_cost_received_bytes_total": 700,
        "routeros_cost_sent_bytes_total": 70,
        "routeros_cost_rows_total": 30,
        "routeros_cost_busy_seconds_total": 1.25,
    }
    assert found[key("cost_rows_total", device="r1")] == 30


def test_a_clock_that_was_set_back_makes_no_negative_age() -> None:
    exporter = Exporter(declared(), frame(NOW_US + 3_000_000))
    assert run_async(exporter.samples())[key("poll_age_seconds", device="r1", poll_group="t0")] == 0


def test_a_device_without_values_is_not_silent() -> None:
    exporter = Exporter(names=("r1", "r2"))
    waiting = view(status=DeviceStatus.UNKNOWN, reason="not polled yet")
    off = view("d2", "r2", DeviceStatus.DISABLED, "", labels={"Site-Name": "Moss"})
    # That it is down isn't known either.
    assert run_async(exporter.samples(waiting, off)) == {
        key("status_info", device="r1", status="unknown", reason="not polled yet"): 1,
        key("device_info", device="r1", id="d1", host="192.0.2.1"): 1,
        key("status_info", device="r2", status="disabled"): 1,
        key("device_info", device="r2", id="d2", host="192.0.2.1", label_Site_Name="Moss"): 1,
    }


@FORMATS
def test_interfaces_that_share_a_label_stay_apart(style: Format) -> None:
    exporter = Exporter(declared(), frame(NOW_US))
    exporter.hub.apply_devices([device(naming=InterfaceNaming.COMMENT)])
    exporter.publish(
        interfaces(
            {
                "*1": {"name": "ether1", "comment": "up"},
                "*2": {"name": "ether2", "comment": "up"},
                "*3": {"name": "up (*1)"},
            }
        )
    )
    found = run_async(exporter.samples(style=style))
    # *3 is nobody's twin until *1 gets its id behind its label.
    assert found[key("iface_rx_bytes_total", device="r1", interface="up (*1) (*1)")] == 10
    assert found[key("iface_rx_bytes_total", device="r1", interface="up (*2)")] == 30


def test_names_are_taken_as_they_change() -> None:
    exporter = Exporter(declared(), frame(NOW_US))
    rx = "iface_rx_bytes_total"
    assert key(rx, device="r1", interface="*1") in run_async(exporter.samples())
    exporter.publish(PORTS)
    assert key(rx, device="r1", interface="ether1") in run_async(exporter.samples())
    exporter.publish(interfaces({"*2": {"name": "ether2", "type": "vlan"}}, complete=False))
    info = key("iface_info", device="r1", interface="ether2", id="*2", name="ether2", type="vlan")
    assert info in run_async(exporter.samples())
    exporter.publish(interfaces({"*1": {"name": "wan"}}, complete=False))
    assert key(rx, device="r1", interface="wan") in run_async(exporter.samples())
    exporter.hub.apply_devices([device(name="core")])
    found = run_async(exporter.samples(view(name="core")))
    assert {dict(labels)["device"] for _, labels in found} == {"core"}
    other = Layout.of("t0", (Series("iface.rx_bytes_total", "*2", Lane.COUNTER),))
    exporter.publish(declared(other), frame(NOW_US + 1, layout=other, counters=(5,), gauges=(), rates=()))
    found = run_async(exporter.samples())
    assert {dict(labels)["interface"] for name, labels in found if name == "routeros_" + rx} == {"ether2"}


@given(st.text(max_size=8), st.text(max_size=8))
def test_any_name_can_be_read_again(name: str, comment: str) -> None:
    exporter = Exporter(declared(), frame(NOW_US, counters=(1, None, None, None)), names=("r%1\n",))
    exporter.publish(interfaces({"*1": {"name": name, "comment": comment}}))
    for style in Format:
        found = run_async(exporter.samples(view(name="r%1\n"), style=style))
        (label,) = (dict(labels)["interface"] for sample, labels in found if sample == "routeros_iface_rx_bytes_total")  # fmt: skip
        assert label == (name or "*1")
        assert key("up", device="r%1\n") in found


def test_what_was_compiled_for_a_device_goes_with_it() -> None:
    """However it is scraped: nobody may ever ask for all devices."""
    exporter = Exporter(declared(), frame(NOW_US))
    run_async(exporter.text())
    assert exporter.metrics.kept == 1
    exporter.hub.apply_devices([device("d2", "r2")])
    assert exporter.metrics.kept == 0
    assert run_async(exporter.samples()) == {}  # the list of views is older


def test_a_device_that_is_switched_off_has_no_values() -> None:
    exporter = Exporter(declared(), PORTS, frame(NOW_US))
    assert run_async(exporter.samples(view(status=DeviceStatus.DISABLED, reason=""))) == {
        key("status_info", device="r1", status="disabled"): 1,
        key("device_info", device="r1", id="d1", host="192.0.2.1"): 1,
    }


def test_labels_that_differ_in_signs_only_stay_apart() -> None:
    labels = {"rack-1": "a", "rack.1": "b", "rack_1": "c", "rack_1_2": "d", "Site": "e"}
    found = run_async(Exporter().samples(view(labels=labels)))
    info = key(
        "device_info", device="r1", id="d1", host="192.0.2.1", label_Site="e",
        label_rack_1="c", label_rack_1_2="d", label_rack_1_3="a", label_rack_1_4="b",
    )  # fmt: skip
    assert info in found


def test_names_that_are_exchanged_make_no_series_twice() -> None:
    """The list of views is seconds old, values have their names at once: and only one of them has values."""
    exporter = Exporter(declared(), frame(NOW_US), names=("r1", "r2"))
    exporter.hub.apply_devices([device("d1", "r2"), device("d2", "r1")])
    found = run_async(exporter.samples(view("d1", "r1"), view("d2", "r2", reason="waits")))
    assert found[key("status_info", device="r2", status="up", reason="polled in time")] == 1
    assert found[key("status_info", device="r1", status="up", reason="waits")] == 1
    assert key("iface_rx_bytes_total", device="r2", interface="*1") in found


def test_names_that_are_exchanged_during_a_scrape_make_no_series_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between one device and the next the loop is given back."""
    monkeypatch.setattr("mtd.api.http.exposition.SLICE_S", 0.0)
    both = [envelope for one in ("d1", "d2") for envelope in (declared(device_id=one), frame(NOW_US, device_id=one))]  # fmt: skip
    exporter = Exporter(*both, names=("r1", "r2"))

    async def main() -> str:
        scrape = asyncio.ensure_future(exporter.text(view("d1", "r1"), view("d2", "r2")))
        await asyncio.sleep(0)
        exporter.hub.apply_devices([device("d1", "r2"), device("d2", "r1")])
        return await scrape

    before = samples_of(run_async(main()), Format.TEXT)
    assert before[key("device_info", device="r2", id="d2", host="192.0.2.1")] == 1
    assert run_async(exporter.samples(view("d1"), view("d2")))[key("device_info", device="r2", id="d1", host="192.0.2.1")]  # fmt: skip


def test_a_large_device_is_compiled_in_a_thread() -> None:
    """A thousand interfaces would hold the loop for 65 ms."""
    ports = [f"*{number}" for number in range(1000)]
    layout = Layout.of("t0", tuple(Series("iface.rx_bytes_total", port, Lane.COUNTER) for port in ports))
    exporter = Exporter(declared(layout), frame(NOW_US, layout=layout, counters=range(1000), gauges=(), rates=()))  # fmt: skip
    exporter.publish(interfaces({port: {"name": f"ether{port}"} for port in ports}))
    threads = set()
    labels = KnownDevice.label

    def noted(known: KnownDevice, scope: str, instance: str) -> str:
        threads.add(threading.current_thread())
        return labels(known, scope, instance)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KnownDevice, "label", noted)
        found = run_async(exporter.samples())
    assert found[key("iface_rx_bytes_total", device="r1", interface="ether*999")] == 999
    assert threads
    assert threading.main_thread() not in threads


def test_an_answer_has_the_values_of_its_layout_though_newer_ones_come_meanwhile() -> None:
    ports = [f"*{number}" for number in range(1000)]
    layout = Layout.of("t0", tuple(Series("iface.rx_bytes_total", port, Lane.COUNTER) for port in ports))
    other = Layout.of("t0", tuple(Series("iface.tx_bytes_total", port, Lane.COUNTER) for port in ports[:5]))
    exporter = Exporter(declared(layout), frame(NOW_US, layout=layout, counters=range(1000), gauges=(), rates=()))  # fmt: skip

    async def main() -> str:
        scrape = asyncio.ensure_future(exporter.text())
        await asyncio.sleep(0)  # it is being compiled now
        exporter.publish(declared(other), frame(NOW_US + 1, layout=other, counters=range(5), gauges=(), rates=()))  # fmt: skip
        return await scrape

    found = samples_of(run_async(main()), Format.TEXT)
    assert sum(name == "routeros_iface_rx_bytes_total" for name, _ in found) == 1000
    found = run_async(exporter.samples())
    assert sum(name.startswith("routeros_iface_") and name.endswith("_total") for name, _ in found) == 5


def test_help_and_labels_are_escaped() -> None:
    family = Family("a", Type.INFO, "")
    assert labelled(family, {"b": 'c"\\\n'}) == 'a_info{b="c\\"\\\\\\n"}'


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=0.0.4", "application/openmetrics-text;version=0.0.1"])  # fmt: skip
def test_old_scrapers_get_text(accept: str) -> None:
    assert Format.accepted(accept) is Format.TEXT


def test_scrapers_of_openmetrics_get_it() -> None:
    of_prometheus = (
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    )
    assert Format.accepted(of_prometheus) is Format.OPENMETRICS


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_body_is_the_same_however_it_is_made(size: int) -> None:
    """Small ones are encoded at once, large ones in a thread."""

    async def main(*, packed: bool) -> bytes:
        body = Body(gzip=packed)
        for number in range(3):
            body.add(f"{number} é " * (size // 4))
            if body.full:
                await body.encode()
        return await body.finish()

    plain = run_async(main(packed=False))
    assert plain.decode() == "".join(f"{number} é " * (size // 4) for number in range(3))
    assert gzip.decompress(run_async(main(packed=True))) == plain


def test_other_work_goes_on_during_a_large_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop can be given back after each device, and after its lines of each family."""
    monkeypatch.setattr("mtd.api.http.exposition.SLICE_S", 0.0)
    names = [f"r{number}" for number in range(1, 21)]
    exporter = Exporter(names=names)
    for number in range(1, 21):
        exporter.publish(declared(device_id=f"d{number}"), frame(NOW_US, device_id=f"d{number}"))
    views = [view(f"d{number}", name) for number, name in enumerate(names, 1)]
    turns = 0

    async def main() -> str:
        nonlocal turns
        scrape = asyncio.ensure_future(exporter.text(*views))
        while not scrape.done():
            turns += 1
            await asyncio.sleep(0)
        return await scrape

    text = run_async(main())
    assert len(samples_of(text, Format.TEXT)) == 20 * 16
    assert turns > 20 * 10
