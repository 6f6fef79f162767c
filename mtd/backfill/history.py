"""One device's months, hour by hour: what its polls brought."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtd.backfill.fleet import PORT_COUNTERS, RATE_OF, DevicePlan, seed_of
from mtd.backfill.polls import HOUR_S, SECOND_US, Hour, polls_of
from mtd.backfill.sensors import Sensors
from mtd.backfill.traffic import SMALLEST_PACKET, Traffic, day_share, faults

Ints = NDArray[np.int64]
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]

_TRAFFIC_KINDS = 4
_GAP_US = 3 * SECOND_US
_PORT_ABSENT_PER_HOUR = 1 / 200
_PORT_ABSENT_S = (1, 90)
_GAUGE_ABSENT = 1e-4
_START_UP_TO = 8 * 10**12


@dataclass(frozen=True, slots=True, eq=False)
class DeviceHour:
    """The polls of one device in one hour. ``counters`` (series, polls), ``gauges`` (series, polls).

    In ``absent`` (None: nowhere) stands which counters the router didn't give;
    of gauges those are NaN. ``hour`` is counted since the epoch.
    """

    hour: int
    us: Ints
    counters: Ints
    absent: Mask | None
    gauges: Numbers

    @property
    def points(self) -> int:
        """How many values there are."""
        missing = 0 if self.absent is None else int(np.count_nonzero(self.absent))
        return self.counters.size - missing + int(np.count_nonzero(~np.isnan(self.gauges)))


class DeviceHistory:
    """Invents a device's past. The same plan, seed and first hour give the same, bit by bit."""

    def __init__(self, plan: DevicePlan, first_hour: int, seed: int = 0) -> None:
        self.plan = plan
        self._key = (seed, seed_of(plan.device_id))
        self._next = first_hour
        dice = self._dice(0)
        self._phase_us = int(dice.integers(0, SECOND_US * 6 // 10))
        self._traffic = Traffic(plan.ports, dice)
        self._sensors = Sensors(first_hour, dice)
        self._kinds = [PORT_COUNTERS.index(metric) for metric in plan.metrics]
        carries = np.array([[port.use != "down"] for port in plan.ports])
        # Bytes, and packets of some hundred bytes; faults begin at some.
        begin = dice.integers(10**6, _START_UP_TO, (len(plan.ports), 2)) * carries
        self._last = np.zeros((len(plan.ports), len(PORT_COUNTERS)), dtype=np.int64)
        self._last[:, 0:2], self._last[:, 2:4] = begin, begin // 700

    def _dice(self, hour: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence([*self._key, hour])))

    def hours(self, count: int) -> Iterator[DeviceHour]:
        """Give the next hours, one after the other."""
        for _ in range(count):
            hour, self._next = self._next, self._next + 1
            dice = self._dice(hour)
            polls = polls_of(hour, self._phase_us, dice)
            counters = self._counters(polls, hour, dice)
            gauges = self._sensors.hour(polls, day_share(hour), dice)[: self.plan.gauges]
            yield self._seen(hour, polls, counters, gauges, dice)

    def _counters(self, polls: Hour, hour: int, dice: np.random.Generator) -> Ints:
        """Return (ports, kinds, seconds) as the router counted, whether somebody asked or not."""
        ports = len(self.plan.ports)
        grown = np.empty((ports, len(PORT_COUNTERS), HOUR_S))
        seconds = np.empty(HOUR_S)
        seconds[1:] = np.diff(polls.us) / SECOND_US
        # The first interval reaches back into the hour before.
        seconds[0] = 1.0 + (polls.us[0] % SECOND_US - self._phase_us) / SECOND_US
        bytes_, packets = self._traffic.hour(hour, dice)
        packets = np.rint(packets * seconds)
        # No packet without bytes, and no bytes without a packet.
        bytes_ = np.where(packets > 0, np.maximum(bytes_ * seconds, packets * SMALLEST_PACKET), 0.0)
        grown[:, 0:2] = bytes_.reshape(ports, 2, HOUR_S)
        grown[:, 2:4] = packets.reshape(ports, 2, HOUR_S)
        grown[:, _TRAFFIC_KINDS:] = faults(ports, len(PORT_COUNTERS) - _TRAFFIC_KINDS, dice)
        totals: Ints = np.cumsum(np.rint(grown), axis=2).astype(np.int64)
        totals += self._last[:, :, None]
        if polls.booted is not None:
            totals[:, :, polls.booted :] -= totals[:, :, polls.booted - 1 : polls.booted]
        self._last = totals[:, :, -1].copy()
        return totals

    def _seen(
        self, hour: int, polls: Hour, counters: Ints, gauges: Numbers, dice: np.random.Generator
    ) -> DeviceHour:
        """Return what was asked for and answered."""
        chosen = counters[:, self._kinds].reshape(-1, HOUR_S)
        absent = self._absent(chosen.shape, dice)
        if self.plan.chosen:
            rows = list(self.plan.chosen)
            chosen, absent = chosen[rows], None if absent is None else absent[rows]
        gauges = np.where(dice.random(gauges.shape, dtype=np.float32) < _GAUGE_ABSENT, np.nan, gauges)
        if not polls.there.all():
            chosen, gauges = chosen[:, polls.there], gauges[:, polls.there]
            absent = None if absent is None else absent[:, polls.there]
        if absent is not None:
            chosen = np.where(absent, 0, chosen)
        us = polls.us[polls.there]
        return DeviceHour(hour, us, np.ascontiguousarray(chosen), absent, np.ascontiguousarray(gauges))

    def _absent(self, shape: tuple[int, int], dice: np.random.Generator) -> Mask | None:
        """Now and then a router leaves a port out for a while."""
        if not shape[0] or dice.random() >= _PORT_ABSENT_PER_HOUR:
            return None
        absent = np.zeros(shape, dtype=np.bool_)
        width = len(self._kinds)
        port = int(dice.integers(len(self.plan.ports)))
        begin = int(dice.integers(HOUR_S))
        end = begin + int(dice.integers(*_PORT_ABSENT_S))
        absent[port * width : (port + 1) * width, begin:end] = True
        return absent


def frame_rates(plan: DevicePlan, hour: DeviceHour, before: tuple[int, Ints] | None) -> NDArray[np.float32]:
    """Return (polls, rates) as the daemon derives them, NaN where there is none.

    ``before`` are the time and the counters of the poll before the hour.
    """
    scales = np.array([RATE_OF[metric][1] for _, metric in plan.polled()])
    rates = np.full((len(hour.us), len(scales)), np.nan, dtype=np.float32)
    if not len(hour.us):
        return rates
    first_us, first = before if before is not None else (-_GAP_US, hour.counters[:, 0])
    us = np.concatenate([[first_us], hour.us])
    steps_us = np.diff(us)
    counters = np.concatenate([first[:, None], hour.counters], axis=1)
    grown = np.diff(counters, axis=1)
    good = (grown >= 0) & (steps_us <= _GAP_US) & (steps_us > 0)
    if hour.absent is not None:
        gone = hour.absent.copy()
        gone[:, 1:] |= hour.absent[:, :-1]
        good &= ~gone
    values = np.where(good, grown * (scales[:, None] * SECOND_US) / np.maximum(steps_us, 1), np.nan)
    rates[:] = values.T
    return rates
