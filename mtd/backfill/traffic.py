"""What ports carry: bytes and packets of each second, no smoother than the real thing.

An uplink's second differs from the one before by tens of percent; a household's
by factors. Arrays are (ports, seconds).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtd.backfill.fleet import Port, Use
from mtd.backfill.polls import HOUR_S

Floats = NDArray[np.float32]
Numbers = NDArray[np.float64]

_KNOT_S = 60
_KNOTS = HOUR_S // _KNOT_S
_SLOW_KEPT = np.exp(-1 / 10)  # ten minutes until a change of mood is forgotten
_BREATH_S = 8
_UPLINK_SLOW, _UPLINK_BREATH, _UPLINK_SECOND = 0.15, 0.12, 0.18
_HOUSE_SLOW, _HOUSE_SECOND = 0.5, 0.9
_HOUSE_SILENT = 0.2
_PLAN_WOBBLE = 0.03  # at its plan's limit a household's rate is nearly even
_BURSTS_PER_HOUR = 45.0
_BURST_S, _BURST_S_SPREAD = 4.0, 1.3
SMALLEST_PACKET, _LARGEST = 64.0, 1514.0
_GREETINGS_PER_S = 0.06


def day_share(hour: int) -> Numbers:
    """Return how busy people are over an hour, second by second; about 1 in the mean of a week."""
    at = hour + np.arange(HOUR_S) / HOUR_S
    of_day, day = at % 24.0, int(hour // 24)
    evening = np.exp(-(((of_day - 20.5 + 12) % 24 - 12) ** 2) / 14.0)
    noon = np.exp(-(((of_day - 13.0 + 12) % 24 - 12) ** 2) / 18.0)
    weekend = 1.12 if (day + 4) % 7 in {0, 6} else 1.0  # day 0 was a Thursday
    return np.asarray(weekend * (0.32 + 1.25 * evening + 0.65 * noon))


class Traffic:
    """Ways of traffic of one device: two for each port, in and out."""

    def __init__(self, ports: Sequence[Port], dice: np.random.Generator) -> None:
        ways = [(port, way) for port in ports for way in ("rx", "tx")]
        uses = np.array([port.use for port, _ in ways])
        self._uplinks = np.flatnonzero(uses == Use.UPLINK)
        self._houses = np.flatnonzero(uses == Use.CUSTOMER)
        self._idle = np.flatnonzero(uses == Use.IDLE)
        self._count = len(ways)
        line = np.array([port.speed_bps / 8 for port, _ in ways])
        # People take more than they give.
        asymmetry = np.array([1.0 if way == "tx" else 0.2 for _, way in ways])
        uplink_asymmetry = np.array([1.0 if way == "rx" else 0.25 for _, way in ways])
        load = np.array([port.load for port, _ in ways])
        self._line = line
        self._mean = np.where(uses == Use.UPLINK, line * load * uplink_asymmetry, line * load * asymmetry)
        self._packet = dice.uniform(500, 1100, self._count)
        self._slow = dice.standard_normal(self._count)

    def hour(self, hour: int, dice: np.random.Generator) -> tuple[Numbers, Numbers]:
        """Return the bytes and packets of each way (in, out, in, out, ...) per second, not yet whole."""
        bytes_ = np.zeros((self._count, HOUR_S))
        packets = np.zeros((self._count, HOUR_S))
        busy, mood = day_share(hour), self._mood(dice)
        for which, of_use in ((self._uplinks, self._uplink), (self._houses, self._house)):
            if len(which):
                bytes_[which], packets[which] = of_use(which, busy, mood[which], dice)
        if len(self._idle):
            shape = (len(self._idle), HOUR_S)
            greetings = dice.poisson(_GREETINGS_PER_S, shape)
            packets[self._idle] = greetings
            bytes_[self._idle] = greetings * dice.integers(60, 350, shape)
        return bytes_, packets

    def _mood(self, dice: np.random.Generator) -> Floats:
        """Return what changes within minutes: a normal number for each way and second."""
        knots = np.empty((self._count, _KNOTS + 1), dtype=np.float32)
        knots[:, 0] = self._slow
        steps = dice.standard_normal((_KNOTS, self._count)) * np.sqrt(1 - _SLOW_KEPT**2)
        for number in range(_KNOTS):
            knots[:, number + 1] = _SLOW_KEPT * knots[:, number] + steps[number]
        self._slow = knots[:, -1].astype(np.float64)
        between = np.arange(_KNOT_S, dtype=np.float32) / _KNOT_S
        part = knots[:, :-1, None] + (knots[:, 1:] - knots[:, :-1])[:, :, None] * between
        return np.asarray(part.reshape(self._count, HOUR_S))

    def _uplink(
        self, which: NDArray[np.int64], busy: Numbers, mood: Floats, dice: np.random.Generator
    ) -> tuple[Numbers, Numbers]:
        logs = _breath(len(which), dice) * np.float32(_UPLINK_BREATH)
        logs += mood * np.float32(_UPLINK_SLOW)
        logs += _normal(len(which), dice) * np.float32(_UPLINK_SECOND)
        rate = self._mean[which, None] * busy * np.exp(logs)
        # A full line is not exceeded, and not quite even.
        full = self._line[which, None] * (1 - 0.02 * dice.random((len(which), HOUR_S), dtype=np.float32))
        rate = np.minimum(rate, full)
        wobble = np.exp(_normal(len(which), dice) * np.float32(0.05))
        size = np.clip(self._packet[which, None] * wobble, SMALLEST_PACKET, _LARGEST)
        return rate, rate / size

    def _house(
        self, which: NDArray[np.int64], busy: Numbers, mood: Floats, dice: np.random.Generator
    ) -> tuple[Numbers, Numbers]:
        count = len(which)
        logs = _normal(count, dice) * np.float32(_HOUSE_SECOND)
        logs += mood * np.float32(_HOUSE_SLOW)
        chatter = np.exp(logs) * (self._mean[which, None] * 0.05 * busy)
        chatter[dice.random((count, HOUR_S), dtype=np.float32) < _HOUSE_SILENT] = 0.0
        bursts = self._bursts(which, float(busy[0]), dice)
        bursts *= np.exp(_normal(count, dice) * np.float32(0.25))
        plan = self._line[which, None] * (1 + _PLAN_WOBBLE * _normal(count, dice))
        rate = np.minimum(chatter + bursts, plan)
        # What people load comes in large packets, what programs say to each other in small ones.
        size = np.where(bursts > chatter, 1150.0, 180.0) * np.exp(_normal(count, dice) * np.float32(0.2))
        packets = rate / np.clip(size, SMALLEST_PACKET, _LARGEST)
        rate = np.maximum(rate, np.ceil(packets) * SMALLEST_PACKET * (rate > 0))
        return rate, np.where(rate > 0, np.maximum(packets, 1.0), 0.0)

    def _bursts(self, which: NDArray[np.int64], busy: float, dice: np.random.Generator) -> Numbers:
        """Return what is loaded in bursts: pages for seconds, films for minutes, by Pareto's law."""
        count = len(which)
        steps = np.zeros((count, HOUR_S + 1))
        number = int(dice.poisson(_BURSTS_PER_HOUR * busy * count))
        port = dice.integers(0, count, number)
        begin = dice.integers(0, HOUR_S, number)
        length = np.exp(np.log(_BURST_S) + _BURST_S_SPREAD * dice.standard_normal(number))
        end = np.minimum(begin + np.maximum(length, 1).astype(np.int64), HOUR_S)
        rate = self._mean[which][port] * 2.0 * (1 + dice.pareto(1.6, number))
        np.add.at(steps, (port, begin), rate)
        np.add.at(steps, (port, end), -rate)
        return np.maximum(np.cumsum(steps, axis=1)[:, :HOUR_S], 0.0)


def _normal(count: int, dice: np.random.Generator) -> Floats:
    return dice.standard_normal((count, HOUR_S), dtype=np.float32)


def _breath(count: int, dice: np.random.Generator) -> Floats:
    """Return what changes within seconds: normal numbers, each the mean of some."""
    sums = np.cumsum(dice.standard_normal((count, HOUR_S + _BREATH_S), dtype=np.float32), axis=1)
    return np.asarray((sums[:, _BREATH_S:] - sums[:, :-_BREATH_S]) * np.float32(_BREATH_S**-0.5))


def faults(ports: int, kinds: int, dice: np.random.Generator) -> Numbers:
    """Return errors and drops of each second, (ports, kinds, seconds): none for hours, then some at once."""
    found = np.zeros((ports, kinds, HOUR_S))
    for _ in range(int(dice.poisson(0.02 * ports * kinds))):
        port, kind = int(dice.integers(ports)), int(dice.integers(kinds))
        begin, length = int(dice.integers(HOUR_S)), int(dice.geometric(0.1))
        run = found[port, kind, begin : begin + length]
        run += dice.poisson(float(dice.exponential(6.0)), len(run))
    return found
