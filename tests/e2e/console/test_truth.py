"""What stands on the page is what the router truly had, and it moves by itself."""

from __future__ import annotations

import pytest

from tests.e2e.console.conftest import OFTEN
from tests.e2e.console.desk import Desk
from tests.e2e.console.truth import CPU, SLOWEST_BPS, Truth, read

BYTES = {"iface.rx_bytes_total": "rx-byte", "iface.tx_bytes_total": "tx-byte"}
RATES = {"iface.rx_bps": "rx-byte", "iface.tx_bps": "tx-byte"}
LOSSES = ("rx-error", "tx-error", "rx-drop", "tx-drop")


def open_device(desk: Desk, name: str) -> None:
    desk.open(f"#/devices/{desk.ids[name]}", ready="[data-testid=interface]")
    desk.until(lambda: rates_of(desk), "the first rates")


def rates_of(desk: Desk) -> list[float]:
    cells = (row["cells"].get("iface.rx_bps", {}) for row in read(desk.page)["interfaces"])
    return [float(cell["value"]) for cell in cells if cell.get("value")]


@pytest.mark.parametrize("name", ["old-6", "new-7"])
def test_the_interface_table_holds_the_truth(desk: Desk, name: str) -> None:
    open_device(desk, name)
    truth = Truth.of(desk.rig, name)
    seen = set()
    for _ in range(3):
        page = desk.until(lambda: newer(desk, seen), "a newer set of values")
        (t_us,) = {row["cells"]["iface.rx_bps"]["tUs"] for row in page["interfaces"]}
        seen.add(t_us)
        counters = {
            row["id"]: {prop: int(row["cells"][key]["value"]) for key, prop in BYTES.items()}
            for row in page["interfaces"]
        }
        assert len(counters) == 8
        tick = truth.tick_with(counters, t_us)
        assert tick is not None, f"no moment at which the counters were {counters}"
        true_counters = truth.router.counters(tick)
        for row in page["interfaces"]:
            true = true_counters[row["id"]]
            lost = int(row["cells"]["faults_total"]["value"])
            assert lost == sum(true[prop] for prop in LOSSES)
            assert int(row["cells"]["iface.link_downs_total"]["value"]) == true["link-downs"]
            check_rates(truth, row, t_us)
        assert {row["id"]: row["state"] for row in page["interfaces"]} == truth.states(t_us)


def newer(desk: Desk, seen: set[int]) -> dict | None:
    page = read(desk.page)
    times = {row["cells"]["iface.rx_bps"]["tUs"] for row in page["interfaces"]}
    return page if len(times) == 1 and times != {None} and not times <= seen else None


def check_rates(truth: Truth, row: dict, t_us: int) -> None:
    for key, prop in RATES.items():
        value = row["cells"][key]["value"]
        possible = truth.rates(row["id"], prop, t_us)
        assert value is not None or not possible
        if value is None or min(possible) < SLOWEST_BPS:
            continue
        assert 0.97 * min(possible) <= float(value) <= 1.03 * max(possible), f"{row['id']} {key}"


@pytest.mark.parametrize("name", ["old-6", "new-7"])
def test_the_tiles_hold_the_truth(desk: Desk, name: str) -> None:
    open_device(desk, name)
    truth = Truth.of(desk.rig, name)
    kpis = read(desk.page)["kpis"]
    cpu, memory = kpis[CPU], kpis["mem_pct"]
    assert cpu["value"] in truth.cpu(cpu["tUs"])
    possible = truth.memory(memory["tUs"])
    assert min(possible) - 0.1 <= memory["value"] <= max(possible) + 0.1


def test_values_move_without_a_reload(desk: Desk) -> None:
    open_device(desk, "new-7")
    desk.page.evaluate("window.here = 'before'")
    times = set()

    def moved() -> bool:
        times.add(read(desk.page)["kpis"][CPU]["tUs"])
        return len(times) >= 4

    desk.until(moved, "four different times of one tile")
    assert desk.page.evaluate("window.here") == "before"


@pytest.mark.parametrize("page", ["#/devices?q=flapping", "#/devices/{id}"], ids=["list", "router"])
def test_a_router_that_is_watched_causes_one_message_a_second(desk: Desk, page: str) -> None:
    watched = desk.ids[OFTEN]
    desk.open(page.format(id=watched))
    desk.until(lambda: desk.record.messages_by_device()[watched], "values")
    begun_us = desk.now_us()
    desk.until(lambda: desk.now_us() - begun_us > 5_000_000, "five seconds of messages")
    seconds = (desk.now_us() - begun_us) / 1e6
    counts = desk.record.messages_by_device(begun_us)
    assert counts[watched] >= 3
    assert max(counts.values()) <= seconds + 1
