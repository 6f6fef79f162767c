"""What is true about one simulated router at each tick."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mtd.lab.clock import TICKS_PER_S, to_ticks
from mtd.lab.curves import COLUMN, COUNTERS, WIDTH, Curves, build_curves
from mtd.lab.hardware import Interface, board_for, build_interfaces
from mtd.lab.scenario import Fault, RouterSpec
from mtd.lab.subscribers import Subscribers
from mtd.lab.timeline import AppliedFault, Change, Changes, Segment
from mtd.lab.wave import AMPLITUDE, PERIODS_TICKS, Dice, Ints, mix, text_key, wave

# Linear search for the tick of a poll stops after so many candidates.
_MATCH_LIMIT = 200_000


@dataclass(frozen=True, slots=True)
class Resource:
    """What ``/system/resource`` says that changes with time."""

    uptime_s: int
    cpu_load_pct: int
    free_memory_bytes: int
    total_memory_bytes: int


@dataclass(frozen=True, slots=True)
class Sensors:
    """What ``/system/health`` says."""

    decivolts: int
    celsius: int
    cpu_celsius: int
    fan_rpm: int


@dataclass(frozen=True, slots=True)
class InterfaceState:
    """An interface at a tick."""

    id: str
    name: str
    comment: bytes
    type: str
    dynamic: bool
    disabled: bool
    running: bool


class RouterTruth:
    """Counters, states and load of one router as pure functions of the tick.

    They follow from the seed, the router's specification, and the faults
    applied to it; nothing else.
    """

    def __init__(self, spec: RouterSpec, seed: int) -> None:
        self.spec = spec
        self.key = mix(seed, text_key(spec.name))
        self.version = tuple(int(part) for part in spec.version.split("."))
        dice = Dice(self.key, 3)
        self.board = board_for(self.version[0], dice)
        self.all_interfaces = build_interfaces(spec.interfaces, spec.pppoe, self.key)
        self.index = {interface.id: interface.index for interface in self.all_interfaces}
        self.wave = wave(PERIODS_TICKS[dice.between(0, len(PERIODS_TICKS) - 1)])
        self.uptime_at_start_s = dice.between(3_600, 40_000_000)
        self._cpu_mean_pct = dice.between(6, 60)
        self._cpu_swing_pct = dice.between(2, 25)
        self._memory_used_pct = dice.between(20, 70)
        self._phase = dice.between(0, self.wave.period - 1)
        self.subscribers = Subscribers(
            spec.sessions, spec.leases, spec.churn_pct, spec.churn_every_s, self.key
        )
        self._faults = Changes(self.all_interfaces, spec.pppoe)
        self._first = Segment(
            start=0,
            curves=build_curves(self.all_interfaces, self.wave, self.key),
            running=[interface.connected for interface in self.all_interfaces],
            sessions=spec.pppoe,
            booted=-self.uptime_at_start_s * TICKS_PER_S,
        )
        self.applied = [self.schedule(fault) for fault in spec.fault]
        self._rebuild()

    # -- faults ---------------------------------------------------------------

    @staticmethod
    def schedule(fault: Fault, start_tick: int | None = None) -> AppliedFault:
        """Return a fault with its ticks: from ``at_s``, or from a given tick."""
        start = to_ticks(fault.at_s) if start_tick is None else start_tick
        end = None if fault.for_s is None else start + to_ticks(fault.for_s)
        return AppliedFault(fault, start, end, live=start_tick is not None)

    def apply(self, applied: AppliedFault) -> None:
        """Let a fault become part of the truth."""
        self.applied.append(applied)
        self._rebuild()

    def end(self, applied: AppliedFault, tick: int) -> None:
        """End a fault at a tick, if it hasn't ended before."""
        if applied.end_tick is None or applied.end_tick > tick:
            applied.end_tick = tick
            self._rebuild()

    def _rebuild(self) -> None:
        changes: list[tuple[int, int, Change]] = []
        for order, applied in enumerate(self.applied):
            changes += [(tick, order, change) for tick, change in self._faults.changes(applied)]
        segments = [self._first]
        for tick, _, change in sorted(changes, key=lambda item: item[:2]):
            last = segments[-1]
            segment = last.fork(tick)
            change(segment)
            if last.start == tick and len(segments) > 1:
                segments.pop()
            segments.append(segment)
        # Assigned at once: a reader in between sees the old list or the new one.
        self._starts = [segment.start for segment in segments[1:]]
        self._segments = segments

    # -- reading --------------------------------------------------------------

    def segment(self, tick: int) -> Segment:
        """Return the segment that a tick is in."""
        segments = self._segments
        return segments[bisect.bisect_right(self._starts, tick)] if len(segments) > 1 else segments[0]

    def shown(self, segment: Segment) -> list[Interface]:
        """Return the interfaces that exist in a segment, in the router's order."""
        return self.all_interfaces[: self.spec.interfaces + segment.sessions]

    def label(self, segment: Segment, interface: Interface) -> tuple[str, bytes]:
        """Return (name, comment) of an interface in a segment."""
        name, comment = segment.labels.get(interface.index, (None, None))
        return name or interface.name, interface.comment if comment is None else comment

    def counter_matrix(self, tick: int) -> Ints:
        """Return all counters at a tick: rows as ``all_interfaces``, columns as COUNTERS."""
        return self.segment(tick).curves.at(tick).reshape(-1, WIDTH)

    def counters(self, tick: int) -> dict[str, dict[str, int]]:
        """Return interface id -> property -> value at a tick, of the interfaces that exist."""
        shown = self.shown(self.segment(tick))
        rows = self.counter_matrix(tick).tolist()
        return {item.id: dict(zip(COUNTERS, rows[item.index], strict=True)) for item in shown}

    def interfaces(self, tick: int) -> list[InterfaceState]:
        """Return the interfaces that exist at a tick."""
        segment = self.segment(tick)
        states = []
        for item in self.shown(segment):
            name, comment = self.label(segment, item)
            running = segment.running[item.index]
            states.append(
                InterfaceState(item.id, name, comment, item.type, item.dynamic, item.disabled, running)
            )
        return states

    def true_rate(self, interface: str, prop: str, t1: int, t2: int) -> float | None:
        """Return the mean rate between two ticks, in units of the counter per second.

        It is the rate of the flow itself, free of the rounding of counters.
        None where counters were set back in between: there is no rate.
        """
        if t2 <= t1 or self.segment(t1).generation != self.segment(t2).generation:
            return None
        element = np.array([self.index[interface] * WIDTH + COLUMN[prop]])
        inner = [start for start in self._starts if t1 < start < t2]
        flow = 0.0
        for begin, end in zip([t1, *inner], [*inner, t2], strict=True):
            curve = self.segment(begin).curves.take(element)
            flow += float(curve.flow_per_s(begin, end)[0]) * (end - begin)
        return flow / (t2 - t1)

    def resource(self, tick: int) -> Resource:
        """Return uptime, CPU load and memory at a tick."""
        segment = self.segment(tick)
        height = int(self.wave.height[(tick + self._phase) % self.wave.period])
        second = tick // TICKS_PER_S
        load = self._cpu_mean_pct + self._cpu_swing_pct * height // AMPLITUDE + mix(self.key, second) % 5
        total = self.board.memory_bytes
        used_permille = self._memory_used_pct * 10 + 60 * height // AMPLITUDE
        pages = total * (1000 - used_permille) // 1000 // 4096 - mix(self.key, 5, second) % 64
        return Resource(
            uptime_s=max(0, tick - segment.booted) // TICKS_PER_S,
            cpu_load_pct=segment.load_pct if segment.load_pct is not None else min(100, max(1, load)),
            free_memory_bytes=pages * 4096,
            total_memory_bytes=total,
        )

    def sensors(self, tick: int) -> Sensors:
        """Return what the sensors tell at a tick; it drifts with the load curve."""
        height = int(self.wave.height[tick % self.wave.period])
        celsius = 41 + 6 * height // AMPLITUDE
        return Sensors(
            decivolts=(24 + height // AMPLITUDE) * 10 + mix(self.key, tick // 5000) % 10,
            celsius=celsius,
            cpu_celsius=celsius + 12,
            fan_rpm=4200 + height,
        )

    def match(self, values: Mapping[str, Mapping[str, int]], first: int, last: int) -> int | None:
        """Return a tick within first..last at which all given counters have these values.

        ``values`` is interface id -> property -> value. None if there is no
        such tick: then at least one value is wrong, or they are of two ticks.
        """
        elements = [
            (self.index[identity] * WIDTH + COLUMN[prop], value)
            for identity, row in values.items()
            for prop, value in row.items()
        ]
        indices = np.array([element for element, _ in elements])
        wanted = np.array([value for _, value in elements], dtype=np.int64)
        bounds = [first, *(start for start in self._starts if first < start <= last), last + 1]
        for begin, end in zip(bounds, bounds[1:], strict=False):
            curves = self.segment(begin).curves.take(indices)
            found = _search(curves, wanted, begin, end)
            if found is not None:
                return found
        return None


def _search(curves: Curves, wanted: Ints, begin: int, end: int) -> int | None:
    """Find the tick in begin..end-1, of one segment, at which the curves have some values."""
    if curves.narrow:
        ticks = range(begin, min(end, begin + _MATCH_LIMIT))
        return next((tick for tick in ticks if np.array_equal(curves.at(tick), wanted)), None)
    # Counters don't step back within a segment: find where none is too small any more.
    low, high = begin, end
    while low < high:
        middle = (low + high) // 2
        if bool((curves.at(middle) < wanted).any()):
            low = middle + 1
        else:
            high = middle
    return low if low < end and np.array_equal(curves.at(low), wanted) else None
