"""Different routers, different values, that change: from the router to every reader."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import librouteros
import pytest

from mtd.lab.world import World
from tests.e2e.kit import QUICK_TIERS, Rig, rig, wait_for

SCENARIO = """
[[router]]
name = "one"
version = "6.49.10"
interfaces = 6
pppoe = 3

[[router]]
name = "two"
version = "7.16.2"
interfaces = 6
"""
CPU = "system.cpu.load_pct"


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    with rig(SCENARIO, settings=QUICK_TIERS) as stage:
        stage.add_all()
        yield stage


def cpu_in_latest(stage: Rig) -> dict[str, float]:
    return dict(stage.sql("SELECT device, value FROM metric_latest WHERE metric = %s", CPU))


def test_routers_that_differ_differ_everywhere_and_over_time(running: Rig) -> None:
    started = time.monotonic()
    by_sql: dict[str, set[float]] = {"one": set(), "two": set()}
    by_grpc: dict[str, set[float]] = {"one": set(), "two": set()}
    with running.client() as client:
        for sample in client.watch(metrics=[CPU]):
            by_grpc[sample.device].add(sample.value)
            for device, value in cpu_in_latest(running).items():
                by_sql[device].add(value)
            enough = all(len(values) > 2 for values in (*by_sql.values(), *by_grpc.values()))
            if enough or time.monotonic() - started > 30:
                break
    for seen in (by_sql, by_grpc):
        assert min(map(len, seen.values())) > 2, f"constant values: {seen}"
        assert seen["one"] != seen["two"]
    # And they are the values that these routers had.
    world = World.from_state_file(running.lab_state_path)
    for name, values in by_grpc.items():
        truth = world.router(name)
        possible = {truth.resource(tick).cpu_load_pct for tick in range(world.clock.now_tick())}
        assert values <= possible


def test_both_routers_stand_beside_each_other_in_latest(running: Rig) -> None:
    wait_for(lambda: len(set(cpu_in_latest(running).values())) == 2, "two CPU values in latest", timeout_s=20)


def test_another_client_reads_what_mtd_stored(running: Rig) -> None:
    """librouteros asks the router while mtd polls it: mtd's values lie between two answers of its."""
    router = running.routers["one"]
    api = librouteros.connect(
        router["host"], router["username"], router["password"], port=router["port"], encoding="latin-1"
    )
    try:
        before, before_us = read_counters(api), time.time_ns() // 1000
        wait_for(
            lambda: running.value(
                "SELECT count(DISTINCT ts) > 2 FROM telemetry WHERE device = 'one'"
                " AND metric = 'iface.rx_bytes_total' AND ts > from_us(%s)",
                before_us + 100_000,
            ),
            "polls after the first answer",
        )
        middle_us = running.value(
            "SELECT to_us(max(ts)) FROM telemetry WHERE device = 'one' AND metric = 'iface.rx_bytes_total'"
        )
        after = read_counters(api)
    finally:
        api.close()
    stored = running.sql(
        "SELECT instance, metric, value_int FROM telemetry WHERE device = 'one' AND ts = from_us(%s)"
        " AND metric IN ('iface.rx_bytes_total', 'iface.tx_bytes_total')",
        middle_us,
    )
    assert {(instance, metric) for instance, metric, _ in stored} == set(before)
    assert any(value for _, _, value in stored)
    for instance, metric, value in stored:
        assert before[instance, metric] <= value <= after[instance, metric]


def read_counters(api: Any) -> dict[tuple[str, str], int]:
    rows = api.path("interface").select(".id", "dynamic", "rx-byte", "tx-byte")
    counters = {}
    for row in rows:
        if row.get("dynamic") not in (True, "true"):
            counters[row[".id"], "iface.rx_bytes_total"] = int(row["rx-byte"])
            counters[row[".id"], "iface.tx_bytes_total"] = int(row["tx-byte"])
    return counters


def test_dynamic_interfaces_are_no_series(running: Rig) -> None:
    names = running.sql(
        "SELECT DISTINCT label FROM telemetry WHERE device = 'one' AND metric = 'iface.rx_bps'"
    )
    assert len(names) == 6
    assert not any("pppoe" in name for (name,) in names)


def keys_of(stage: Rig, device: str) -> set[str]:
    found = stage.mtd(
        "watch", "-d", device, "-m", "iface.rx_bytes_total", "--seconds", "1.5", "--json"
    ).lines()
    assert all(line["device"] == device for line in found)
    return {line["key"] for line in found}


def test_naming_decides_the_keys(running: Rig) -> None:
    labels = running.sql(
        "SELECT name, comment FROM interface WHERE device = 'two' AND interface_id = ANY (%s)",
        [f"*{number:X}" for number in range(1, 7)],
    )
    assert len(labels) == 6
    assert any(comment for _, comment in labels)
    wanted = {
        "comment": {comment or name for name, comment in labels},
        "both": {f"{name} ({comment})" if comment else name for name, comment in labels},
        "name": {name for name, _ in labels},
    }
    for naming, expected in wanted.items():
        running.mtd("device", "set", "two", f"interface_naming={naming}", "--json")
        keys = {f"iface.{label}.rx_bytes_total" for label in expected}
        wait_for(lambda keys=keys: keys_of(running, "two") == keys, f"keys by {naming}", timeout_s=15)


def test_a_renamed_interface_keeps_its_history(running: Rig) -> None:
    old = running.value("SELECT name FROM interface WHERE device = 'one' AND interface_id = '*2'")
    points_before = wait_for(
        lambda: len(found := points(running, f"iface.{old}.rx_bytes_total")) > 3 and found, "some values"
    )
    with running.control() as control:
        control.inject("one", "rename", interfaces=["*2"], name="uplink-new")
    after = wait_for(
        lambda: (
            len(found := points(running, "iface.uplink-new.rx_bytes_total")) > len(points_before) and found
        ),
        "the new name is known, and goes on",
        timeout_s=20,
    )
    assert after[: len(points_before)] == points_before, "what came before the new name is lost"
    assert not points(running, f"iface.{old}.rx_bytes_total")
    assert "interface.renamed" in {event["event_type"] for event in running.events("-d", "one")}


def test_disks_have_their_names_wherever_their_values_are_read(running: Rig) -> None:
    named = "SELECT count(*) > 0 AND bool_and(label <> instance) FROM metric_latest WHERE metric LIKE 'system.storage.%%'"
    wait_for(lambda: running.value(named), "names of disks in SQL", timeout_s=20)
    [(key, label)] = running.sql(
        "SELECT key, label FROM metric_latest WHERE device = 'one' AND metric LIKE 'system.storage.%%' ORDER BY 1 LIMIT 1"
    )
    assert label.startswith("disk")
    assert points(running, key)
    with running.client() as client:
        told = client.watch(devices=["one"], metrics=["system.storage.*"])
        assert next(iter(told)).key.startswith(key.partition(label)[0] + "disk")
    assert f'storage="{label}"' in running.http("/metrics/devices")


def points(stage: Rig, key: str) -> list[tuple[Any, Any]]:
    answer = stage.mtd("query", "one", key, "--last", "5m", "--json").json()
    if not answer["series"]:
        return []
    (series,) = answer["series"]
    return list(zip(series["times_us"], series["values"], strict=True))


def test_polling_a_router_needs_no_daemon(running: Rig) -> None:
    router = running.routers["two"]
    answer = running.mtd(
        "poll", router["host"], "--port", str(router["port"]), "--user", router["username"],
        "--password", router["password"], "--count", "2", "--json",
    )  # fmt: skip
    lines = answer.lines()
    assert lines
    assert CPU in json.dumps(lines)
    told = running.mtd(
        "poll", router["host"], "--port", str(router["port"]), "--user", router["username"],
        "--password", router["password"], "--collector", "system", "--tier", "t3", "--count", "1", "--json",
    ).json()  # fmt: skip
    assert "/system/package/print" in {one["command"] for one in told["commands"]}
    assert told["documents"]["system.package"]
