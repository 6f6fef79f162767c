"""What a device tells of itself: load, memory, temperature, connections."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtd.backfill.fleet import DEVICE_GAUGES
from mtd.backfill.polls import HOUR_S, HOUR_US, SECOND_US, Hour

Numbers = NDArray[np.float64]

_MEMORY_BYTES, _DISK_BYTES = 1_073_741_824, 134_217_728
_PAGE_BYTES, _SECTOR_BYTES = 4096, 1024
_DAY_S = 86_400


class Sensors:
    """Gauges of one device, in the order of DEVICE_GAUGES; walks go on from hour to hour."""

    def __init__(self, first_hour: int, dice: np.random.Generator) -> None:
        self._booted_us = first_hour * HOUR_US - int(dice.integers(1, 200 * _DAY_S)) * SECOND_US
        self._base_pct = float(dice.uniform(4, 25))
        self._free_pages = float(dice.uniform(0.3, 0.7) * _MEMORY_BYTES / _PAGE_BYTES)
        self._free_sectors = float(dice.uniform(0.2, 0.8) * _DISK_BYTES / _SECTOR_BYTES)
        self._celsius = float(dice.uniform(35, 55))
        self._people = float(dice.uniform(1500, 30_000))
        self._volts = float(dice.choice((12.0, 24.0, 48.0)))
        self._clients = float(dice.uniform(5, 40))

    def hour(self, polls: Hour, busy: Numbers, dice: np.random.Generator) -> Numbers:
        """Return (gauges, seconds)."""
        steps = dice.standard_normal((5, HOUR_S), dtype=np.float32)
        values = np.empty((len(DEVICE_GAUGES), HOUR_S))
        load = self._base_pct * (0.5 + busy / 2) * np.exp(0.25 * steps[0])
        spikes = dice.random(HOUR_S, dtype=np.float32) < 0.01
        values[0] = np.rint(np.clip(load + spikes * dice.uniform(10, 60, HOUR_S), 0, 100))
        values[1] = self._memory(steps[1], dice)
        values[2], values[4] = _MEMORY_BYTES, _DISK_BYTES
        self._free_sectors -= float(dice.poisson(0.3)) * 4
        values[3] = np.rint(self._free_sectors) * _SECTOR_BYTES
        values[5] = self._uptime(polls)
        values[6] = self._temperature(busy, polls.us / SECOND_US, steps[2])
        values[7] = np.rint((self._volts + 0.06 * steps[3].astype(np.float64)) * 10) / 10
        count = self._people * busy * np.exp(_walk(dice, 0.004))
        values[8] = np.rint(count + np.sqrt(count) * steps[4])
        changes = dice.random(HOUR_S, dtype=np.float32) < 0.02
        values[9] = np.rint(np.maximum(self._clients * busy + np.cumsum(changes * np.sign(steps[3])) / 4, 0))
        return values

    def _memory(self, steps: NDArray[np.float32], dice: np.random.Generator) -> Numbers:
        """Memory goes and comes in pages, in most seconds by some."""
        moved = np.rint(steps * 12) * (dice.random(HOUR_S, dtype=np.float32) < 0.7)
        pages = self._free_pages + np.cumsum(moved)
        most = _MEMORY_BYTES / _PAGE_BYTES
        middle = 0.5 * most
        self._free_pages = float(pages[-1] + 0.02 * (middle - pages[-1]))
        return np.asarray(np.clip(np.rint(pages), 0, most) * _PAGE_BYTES)

    def _uptime(self, polls: Hour) -> Numbers:
        booted = np.full(HOUR_S, self._booted_us)
        if polls.booted is not None:
            self._booted_us = int(polls.us[polls.booted]) - 30 * SECOND_US
            booted[polls.booted :] = self._booted_us
        return np.asarray((polls.us - booted) // SECOND_US, dtype=np.float64)

    def _temperature(self, busy: Numbers, polls_s: Numbers, steps: NDArray[np.float32]) -> Numbers:
        """Tenths of a degree: warm by load, slowly, and read with a little noise."""
        now = self._celsius + 4 * busy + 0.8 * np.sin(polls_s / 517.0)
        return np.asarray(np.rint((now + 0.12 * steps) * 10) / 10)


def _walk(dice: np.random.Generator, step: float) -> Numbers:
    return np.cumsum(dice.standard_normal(HOUR_S)) * step
