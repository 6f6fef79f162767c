"""Counters and readings of things that aren't interfaces: exact functions of the tick, too.

A thing is known by a number of its own, so that two routers of one name and seed
count the same, whatever version they run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.wave import AMPLITUDE, mix

if TYPE_CHECKING:
    from mtd.lab.truth import RouterTruth


def counted(truth: RouterTruth, thing: int, per_s: int, since_tick: int, tick: int) -> int:
    """Return what a counter shows that began at ``since_tick``: so much per second, up and down with the load."""
    wave, elapsed = truth.wave, tick - since_tick
    if elapsed <= 0:
        return 0
    phase = mix(truth.key, thing) % wave.period
    swing = per_s // 2
    gone = int(wave.integral[(elapsed + phase) % wave.period]) - int(wave.integral[phase])
    return (per_s * AMPLITUDE * elapsed + swing * gone) // (AMPLITUDE * TICKS_PER_S)


def since_boot(truth: RouterTruth, thing: int, per_s: int, tick: int) -> int:
    """Return what a counter shows that begins anew with the router, and when traffic counters are set back."""
    return counted(truth, thing, per_s, truth.segment(tick).counted_from, tick)


def reading(truth: RouterTruth, thing: int, middle: int, reach: int, tick: int) -> int:
    """Return a reading that drifts around its middle, no further than its reach."""
    wave = truth.wave
    height = int(wave.height[(tick + mix(truth.key, thing, 1)) % wave.period])
    return middle + reach * height // AMPLITUDE
