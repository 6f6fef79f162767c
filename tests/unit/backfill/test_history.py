"""History is deterministic, exact, and no smoother than the real thing."""

from __future__ import annotations

import numpy as np
import pytest

from mtd.backfill.fleet import PORT_COUNTERS, DevicePlan, Use, plan_device
from mtd.backfill.history import DeviceHistory, DeviceHour, frame_rates
from mtd.backfill.polls import HOUR_US

EVENING = 20_000 * 24 + 20
PLAN = plan_device("core-1", 30, metrics=PORT_COUNTERS)


@pytest.fixture(scope="module")
def month() -> list[DeviceHour]:
    plan = plan_device("edge-1", 6, metrics=PORT_COUNTERS)
    return list(DeviceHistory(plan, EVENING, seed=7).hours(720))


def one_hour(plan: DevicePlan = PLAN, hour: int = EVENING) -> DeviceHour:
    return next(DeviceHistory(plan, hour).hours(1))


def column(plan: DevicePlan, use: Use, metric: str) -> int:
    port = next(number for number, port in enumerate(plan.ports) if port.use is use)
    return port * len(plan.metrics) + plan.metrics.index(metric)


def test_a_third_of_the_ports_is_idle_or_down() -> None:
    uses = [port.use for port in PLAN.ports]
    assert (uses.count(Use.UPLINK), uses.count(Use.IDLE), uses.count(Use.DOWN)) == (2, 5, 5)
    assert PLAN.points_per_poll == 30 * 8 + 10


def test_the_reference_router_has_130_values() -> None:
    assert plan_device("reference", 30).points_per_poll == 130


def test_same_seed_same_history() -> None:
    one, other = (list(DeviceHistory(PLAN, EVENING, seed=1).hours(3)) for _ in range(2))
    for hour, again in zip(one, other, strict=True):
        assert np.array_equal(hour.us, again.us)
        assert np.array_equal(hour.counters, again.counters)
        assert np.array_equal(hour.gauges, again.gauges, equal_nan=True)
    assert not np.array_equal(
        one[0].counters[:, :10], next(DeviceHistory(PLAN, EVENING, seed=2).hours(1)).counters[:, :10]
    )


def test_polls_come_once_a_second_with_milliseconds(month: list[DeviceHour]) -> None:
    for hour in month:
        assert (hour.us // HOUR_US == hour.hour).all()
        assert (np.diff(hour.us) > 0).all()
    late = np.diff(month[0].us) % 1000
    assert len(np.unique(late)) > 100
    polls = sum(len(hour.us) for hour in month)
    assert 0.97 < polls / (720 * 3600) < 1.0


def test_counters_go_on_from_hour_to_hour_and_fall_at_a_reboot_only(month: list[DeviceHour]) -> None:
    fell = 0
    for before, after in zip(month, month[1:], strict=False):
        both = np.concatenate([before.counters[:, -1:], after.counters], axis=1)
        there = np.ones(both.shape, dtype=bool)
        for offset, hour in ((0, before), (1, after)):
            if hour.absent is not None:
                part = hour.absent[:, -1:] if offset == 0 else hour.absent
                there[:, offset : offset + part.shape[1]] &= ~part
        grown = np.diff(both, axis=1)
        judged = there[:, 1:] & there[:, :-1]
        falls = judged & (grown < 0)
        if falls.any():
            fell += 1
            moments = np.flatnonzero(falls.any(axis=0))
            assert len(moments) == 1
            uptime = after.gauges[5]
            assert np.nanmin(uptime[moments[0] : moments[0] + 3]) < 200
    assert fell < 8


def test_a_month_has_what_goes_wrong(month: list[DeviceHour]) -> None:
    assert any(hour.absent is not None for hour in month)
    assert any(len(hour.us) < 3500 for hour in month)  # an outage
    assert any(np.isnan(hour.gauges).any() for hour in month)
    assert any(3590 < len(hour.us) < 3600 for hour in month)


def test_absent_values_are_marked_and_nought(month: list[DeviceHour]) -> None:
    hour = next(hour for hour in month if hour.absent is not None)
    assert hour.absent is not None
    assert (hour.counters[hour.absent] == 0).all()
    assert hour.points == hour.counters.size - hour.absent.sum() + (~np.isnan(hour.gauges)).sum()


def test_busy_seconds_differ_by_tens_of_percent() -> None:
    hour = one_hour()
    grown = np.diff(hour.counters[column(PLAN, Use.UPLINK, "iface.rx_bytes_total")]).astype(float)
    change = np.abs(np.diff(grown)).mean() / grown.mean()
    assert 0.1 < change < 0.5
    assert 20e6 < grown.mean() < 125e6  # hundreds of Mbit/s of a gigabit


def test_households_are_bursty() -> None:
    hour = one_hour()
    grown = np.diff(hour.counters[column(PLAN, Use.CUSTOMER, "iface.tx_bytes_total")]).astype(float)
    assert grown.std() > grown.mean() / 2
    assert np.percentile(grown, 99) > 5 * np.median(grown)


def test_no_line_is_exceeded() -> None:
    hour = one_hour()
    for number, port in enumerate(PLAN.ports):
        rates = np.diff(hour.counters[number * 8]) / (np.diff(hour.us) / 1e6)
        assert rates.max() <= port.speed_bps / 8 * 1.2 or port.use is Use.IDLE


def test_packets_fit_their_bytes() -> None:
    hour = one_hour()
    grown = np.diff(hour.counters.reshape(30, 8, -1), axis=2)
    for way in (0, 1):
        bytes_, packets = grown[:, way], grown[:, way + 2]
        assert (bytes_ >= packets * 64).all()
        assert ((bytes_ > 0) == (packets > 0)).all()
        busy = packets > 10
        assert (bytes_[busy] <= packets[busy] * 1600).all()


def test_ports_that_are_down_stand_still() -> None:
    hour = one_hour()
    first = column(PLAN, Use.DOWN, "iface.rx_bytes_total")
    assert (hour.counters[first : first + 4] == 0).all()


def test_faults_are_rare_and_come_together(month: list[DeviceHour]) -> None:
    grown = np.concatenate([np.diff(hour.counters[4]) for hour in month])
    some = grown[grown > 0]
    assert 0 < len(some) < len(grown) * 0.02


def test_sensors_are_what_routers_say() -> None:
    load, free, total, disk, _, uptime, celsius, volts, connections, _ = one_hour().gauges
    said = ~np.isnan(load)
    assert (load[said] == np.rint(load[said])).all()
    assert 0 <= load[said].min() <= load[said].max() <= 100
    assert np.nanmax(free % 4096) == 0
    assert np.nanmax(free) < np.nanmin(total)
    assert np.unique(disk[~np.isnan(disk)]).size == 1
    assert set(np.unique(np.diff(uptime[~np.isnan(uptime)]))) <= {0.0, 1.0, 2.0, 3.0}
    for sensor in (celsius, volts):
        tenths = sensor[~np.isnan(sensor)]
        assert (tenths == np.rint(tenths * 10) / 10).all()
        assert np.unique(tenths).size > 2
    assert np.unique(connections).size > 100


def test_rates_are_what_the_daemon_derives() -> None:
    hours = list(DeviceHistory(PLAN, EVENING).hours(2))
    first, second = (
        frame_rates(PLAN, hour, before)
        for hour, before in (
            (hours[0], None),
            (hours[1], (int(hours[0].us[-1]), hours[0].counters[:, -1])),
        )
    )
    assert np.isnan(first[0]).all()
    grown = int(hours[1].counters[0, 0] - hours[0].counters[0, -1])
    seconds = int(hours[1].us[0] - hours[0].us[-1]) / 1e6
    assert second[0, 0] == pytest.approx(grown * 8 / seconds)


def test_a_port_list_that_is_known_is_used() -> None:
    plan = plan_device("r", 3, instances=("*A", "*B"))
    assert [port.instance for port in plan.ports] == ["*A", "*B", "*3"]
    assert plan.layout().poll_group == "t0"
