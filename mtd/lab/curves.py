"""Counters as exact functions of the tick."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.hardware import Interface
from mtd.lab.wave import AMPLITUDE, Dice, Ints, Wave

COUNTERS = (
    "rx-byte",
    "tx-byte",
    "rx-packet",
    "tx-packet",
    "rx-drop",
    "tx-drop",
    "tx-queue-drop",
    "rx-error",
    "tx-error",
    "fp-rx-byte",
    "fp-tx-byte",
    "fp-rx-packet",
    "fp-tx-packet",
    "link-downs",
)
COLUMN = {name: number for number, name in enumerate(COUNTERS)}
LINK_DOWNS = COLUMN["link-downs"]
WIDTH = len(COUNTERS)

PAST_FLOAT = (1 << 53) + 1
_LOW32 = (1 << 32) - 1
# A rate in these columns is an integer number of units per so many ticks: coarse for bytes, so
# that 64 bits last for months at 100 Gbit/s, and fine for errors, which are rare.
_BYTE_SCALE = 1
_PACKET_SCALE = TICKS_PER_S
_RARE_SCALE = 1_000_000 * TICKS_PER_S


@dataclass(frozen=True, slots=True)
class Curves:
    """A set of counters, one per element of each array.

    With ``t`` the ticks during which the link was up (``tick * alive + shift``)
    a counter is ``floor((256 * mean * t + swing * wave integral + constant) /
    divisor) + offset``, all in 64-bit integers; ``mean`` and ``swing`` are units
    per tick times ``divisor / 256``, and the swing is less than the mean, so that
    no counter ever steps back.
    """

    wave: Wave
    mean: Ints
    swing: Ints
    phase: Ints
    constant: Ints
    divisor: Ints
    offset: Ints
    alive: Ints
    shift: Ints
    narrow: bool = False  # 32-bit counters

    def take(self, indices: Ints) -> Curves:
        """Return some of the counters, in the order of the indices."""
        return Curves(
            wave=self.wave,
            mean=self.mean[indices],
            swing=self.swing[indices],
            phase=self.phase[indices],
            constant=self.constant[indices],
            divisor=self.divisor[indices],
            offset=self.offset[indices],
            alive=self.alive[indices],
            shift=self.shift[indices],
            narrow=self.narrow,
        )

    def numerators(self, tick: int) -> Ints:
        """Return the exact integrals times ``divisor``, without the offset."""
        time = self.alive * tick
        time += self.shift
        place = time + self.phase
        place %= self.wave.period
        total: Ints = self.wave.integral[place]
        total *= self.swing
        total += self.constant
        time *= self.mean
        total += time
        return total

    def raw(self, tick: int) -> Ints:
        """Return the counters without their offset."""
        return self.numerators(tick) // self.divisor

    def at(self, tick: int) -> Ints:
        """Return the counters as the router shows them."""
        values = self.numerators(tick)
        values //= self.divisor
        values += self.offset
        if self.narrow:
            values &= _LOW32
        return values

    def flow_per_s(self, first: int, last: int) -> NDArray[np.float64]:
        """Return the mean rates between two ticks, in units per second, not rounded to counts."""
        flow = (self.numerators(last) - self.numerators(first)) / self.divisor
        return flow * (TICKS_PER_S / (last - first))

    def zeroed(self, tick: int, which: NDArray[np.bool_]) -> Curves:
        """Return the curves with some counters at nought at a tick."""
        return replace(self, offset=np.where(which, -self.raw(tick), self.offset))

    def narrowed(self, tick: int) -> Curves:
        """Return 32-bit counters, of which the byte counters wrap at a tick."""
        byte = np.tile(["byte" in name for name in COUNTERS], len(self.mean) // WIDTH)
        wraps = (1 << 32) - self.raw(tick)
        return replace(self, offset=np.where(byte, wraps, self.offset & _LOW32), narrow=True)

    def stopped(self, tick: int, which: NDArray[np.bool_]) -> Curves:
        """Return the curves with some counters standing still from a tick on."""
        time = self.alive * tick + self.shift
        return replace(self, alive=np.where(which, 0, self.alive), shift=np.where(which, time, self.shift))

    def resumed(self, tick: int, which: NDArray[np.bool_]) -> Curves:
        """Return the curves with some stopped counters going on from a tick."""
        which = which & (self.alive == 0)
        return replace(
            self, alive=np.where(which, 1, self.alive), shift=np.where(which, self.shift - tick, self.shift)
        )

    def bumped(self, which: NDArray[np.bool_]) -> Curves:
        """Return the curves with some counters one higher."""
        return replace(self, offset=self.offset + which)


def build_curves(interfaces: list[Interface], wave: Wave, key: int) -> Curves:
    """Return the counters of a router's interfaces, interface by interface, in COUNTERS' order."""
    rows = [_interface_curves(interface, wave, Dice(key, interface.index, 2)) for interface in interfaces]
    table = np.array(rows, dtype=np.int64).reshape(len(interfaces) * WIDTH, 5)
    mean, swing, phase, divisor, offset = (np.ascontiguousarray(column) for column in table.T)
    return Curves(
        wave=wave,
        mean=mean * AMPLITUDE,
        swing=swing,
        phase=phase,
        constant=-swing * wave.integral[phase],
        divisor=divisor * AMPLITUDE,
        offset=offset,
        alive=np.ones_like(mean),
        shift=np.zeros_like(mean),
    )


def _interface_curves(interface: Interface, wave: Wave, dice: Dice) -> list[tuple[int, int, int, int, int]]:
    """Return (mean, swing, phase, divisor, start) for each counter."""
    line_bytes_per_tick = interface.speed_bps // (8 * TICKS_PER_S)
    table: dict[str, tuple[int, int, int, int, int]] = {}
    for way in ("rx", "tx"):
        phase = dice.between(0, wave.period - 1)
        load_permille = dice.between(5, 550) if interface.connected else 0
        swing_permille = dice.between(200, 700)
        packet_bytes = dice.between(300, 1200)
        per_tick = line_bytes_per_tick * load_permille // 1000
        packets_per_s = per_tick * TICKS_PER_S // packet_bytes
        start = _start(interface, dice)
        for prefix, share in (("", 1), ("fp-", 2)):
            for kind, mean, scale, begin in (
                ("byte", per_tick, _BYTE_SCALE, start),
                ("packet", packets_per_s, _PACKET_SCALE, start // packet_bytes),
            ):
                part = mean // share
                swing = part * swing_permille // 1000
                table[f"{prefix}{way}-{kind}"] = (part, swing, phase, scale, begin // share)
        for kind in ("drop", "error"):
            table[f"{way}-{kind}"] = _rare(interface, dice, wave)
    table["tx-queue-drop"] = _rare(interface, dice, wave)
    table["link-downs"] = (0, 0, 0, 1, dice.between(0, 12))
    return [table[name] for name in COUNTERS]


def _start(interface: Interface, dice: Dice) -> int:
    """Return where byte counters begin: some past what a double can hold."""
    start = dice.between(10**6, 10**13)
    return start + PAST_FLOAT if interface.index % 7 == 0 and not interface.dynamic else start


def _rare(interface: Interface, dice: Dice, wave: Wave) -> tuple[int, int, int, int, int]:
    """Return drops or errors: none on most interfaces, up to two a second on others."""
    if dice.between(0, 2) or not interface.connected:
        return 0, 0, 0, 1, dice.between(0, 40)
    per_s_micro = dice.between(10_000, 2_000_000)
    return (
        per_s_micro,
        per_s_micro // 2,
        dice.between(0, wave.period - 1),
        _RARE_SCALE,
        dice.between(0, 10**5),
    )
