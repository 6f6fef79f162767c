"""Reboots, resets, wraps and flaps: no rate that never was, and an event where there is one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.kit import QUICK_TIERS, Rig, pause, rig

SCENARIO = """
[[router]]
name = "reboots-6"
version = "6.49.10"
interfaces = 6

[[router]]
name = "reboots-7"
interfaces = 6

[[router]]
name = "resets"
interfaces = 6

[[router]]
name = "wraps"
version = "6.49.10"
interfaces = 6
[[router.fault]]
kind = "wrap32"
at_s = 11

[[router]]
name = "flaps"
interfaces = 6

[[router]]
name = "steady"
interfaces = 6
"""
REBOOTING = ("reboots-6", "reboots-7")


@pytest.fixture(scope="module")
def lived() -> Iterator[Rig]:
    """A stage on which everything has happened already."""
    with rig(SCENARIO, settings=QUICK_TIERS) as stage:
        stage.add_all(command_timeout_s=2.0, connect_timeout_s=1.0)
        pause(4)  # a few rates before
        linked = stage.sql(
            "SELECT DISTINCT instance FROM metric_latest WHERE device = 'flaps' AND metric = 'iface.oper_state' AND value = 1"
        )
        stage.notes["flapped"] = sorted(instance for (instance,) in linked)[0]
        with stage.control() as control:
            for name in REBOOTING:
                control.inject(name, "reboot", boot_s=2.0)
            control.inject("resets", "counter-reset")
            control.inject("flaps", "link-flap", interfaces=[stage.notes["flapped"]], for_s=3.0)
        pause(10)
        yield stage


def test_no_rate_is_impossible(lived: Rig) -> None:
    """Whatever happened, a rate is what the link can carry, and what its neighbours in time say."""
    negative = lived.sql("SELECT device, key, ts, value FROM telemetry WHERE key LIKE '%%bps' AND value < 0")
    assert not negative
    highest = dict(
        lived.sql("SELECT device, max(value) FROM telemetry WHERE key LIKE '%%bps' GROUP BY device")
    )
    assert set(highest) == set(lived.routers)
    # Nobody's traffic is ten times what it was in the quiet seconds before (a wrap read as
    # traffic would be 34 Gb/s, a reset read as a wrap likewise).
    jumps = lived.sql(
        "SELECT device, key, max(value), percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FROM telemetry"
        " WHERE key LIKE '%%bps' GROUP BY device, key"
        " HAVING max(value) > 1e6 + 10 * percentile_cont(0.5) WITHIN GROUP (ORDER BY value)"
    )
    assert not jumps
    errors = lived.sql(
        "SELECT device, key, max(value) FROM telemetry WHERE metric LIKE 'iface.%%_per_s' GROUP BY 1, 2 HAVING max(value) > 1e4"
    )
    assert not errors


def gaps_in_rates(stage: Rig, device: str) -> int:
    """Return how many polls have counters but no rate, after the first one."""
    return int(
        stage.value(
            "SELECT count(*) FROM (SELECT f.rates, row_number() OVER (ORDER BY f.ts_collected) AS number"
            " FROM telemetry_frame f JOIN device d USING (tenant_id, device_id)"
            " JOIN series_layout s USING (tenant_id, layout_id)"
            " WHERE d.name = %s AND s.poll_group = 't0') AS polls"
            " WHERE number > 1 AND cardinality(array_remove(rates, NULL)) = 0",
            device,
        )
    )


@pytest.mark.parametrize("name", REBOOTING)
def test_a_reboot_is_an_event_and_no_rate_goes_across_it(lived: Rig, name: str) -> None:
    told = {event["event_type"]: event for event in lived.events("-d", name)}
    assert "device.rebooted" in told
    assert told["device.rebooted"]["severity"] in ("warning", "critical")
    assert "device.recovered" in told, sorted(told)
    assert gaps_in_rates(lived, name) >= 1
    uptimes = [
        value
        for (value,) in lived.sql(
            "SELECT value FROM telemetry WHERE device = %s AND metric = 'system.uptime_seconds' ORDER BY ts",
            name,
        )
    ]
    falls = [old for old, new in zip(uptimes, uptimes[1:], strict=False) if new < old]
    assert len(falls) == 1
    assert uptimes[-1] < 60


@pytest.mark.parametrize("name", ["resets", "wraps", *REBOOTING])
def test_a_counter_that_falls_gives_no_rate_at_that_moment(lived: Rig, name: str) -> None:
    falls = lived.sql(
        "WITH steps AS (SELECT ts, instance, value_int - lag(value_int) OVER (PARTITION BY instance ORDER BY ts) AS step"
        " FROM telemetry WHERE device = %s AND metric = 'iface.rx_bytes_total')"
        " SELECT ts, instance, (SELECT value FROM telemetry t WHERE t.device = %s AND t.metric = 'iface.rx_bps'"
        " AND t.instance = steps.instance AND t.ts = steps.ts) FROM steps WHERE step < 0",
        name,
        name,
    )
    assert falls, "no counter fell"
    assert [rate for _, _, rate in falls if rate is not None] == []
    events = {event["event_type"] for event in lived.events("-d", name)}
    assert ("device.rebooted" in events) == (name in REBOOTING)


def test_a_link_that_flaps_is_two_events(lived: Rig) -> None:
    told = [event for event in lived.events("-d", "flaps") if event["event_type"] == "interface.oper.changed"]
    flapped = [event for event in told if event["entity_id"] == lived.notes["flapped"]]
    assert [event["new_value"] for event in flapped] == ["false", "true"] or [
        event["new_value"] for event in flapped
    ] == ["down", "up"]
    assert all(event["entity_label"] for event in flapped)
    assert told == flapped
    states = lived.sql(
        "SELECT value FROM telemetry WHERE device = 'flaps' AND metric = 'iface.oper_state' AND instance = %s ORDER BY ts",
        lived.notes["flapped"],
    )
    changes = [new for (old,), (new,) in zip(states, states[1:], strict=False) if new != old]
    assert changes == [0.0, 1.0]


def test_nothing_happened_to_the_steady_one(lived: Rig) -> None:
    assert {event["event_type"] for event in lived.events("-d", "steady")} == {"device.up"}
    assert gaps_in_rates(lived, "steady") == 0
