"""What is true about one simulated router at each tick."""

from __future__ import annotations

import bisect
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtd.lab.clock import TICKS_PER_S, to_ticks
from mtd.lab.curves import COLUMN, COUNTERS, LINK_DOWNS, WIDTH, Curves, build_curves
from mtd.lab.hardware import Interface, board_for, build_interfaces
from mtd.lab.scenario import Fault, FaultKind, RouterSpec
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
class InterfaceState:
    """An interface at a tick."""

    id: str
    name: str
    comment: bytes
    type: str
    dynamic: bool
    disabled: bool
    running: bool


@dataclass(slots=True)
class AppliedFault:
    """A fault and the ticks from and until which it holds.

    ``live`` tells faults injected into a running lab from those planned in
    the scenario, which the truth may take into account from the beginning.
    """

    fault: Fault
    start_tick: int
    end_tick: int | None = None
    live: bool = False


@dataclass(slots=True)
class Segment:
    """A stretch of time in which nothing but the clock changes.

    Its end is the start of the next one. ``generation`` counts the times that
    counters were set back: rates across generations don't exist.
    """

    start: int
    curves: Curves
    running: list[bool]
    sessions: int
    booted: int
    labels: dict[int, tuple[str | None, bytes | None]] = field(default_factory=dict)
    up_since: dict[int, int] = field(default_factory=dict)
    down_since: dict[int, int] = field(default_factory=dict)
    load_pct: int | None = None
    generation: int = 0

    def fork(self, tick: int) -> Segment:
        """Return a copy that begins at a tick and can be changed."""
        other = copy.copy(self)
        other.start = tick
        other.running = list(self.running)
        other.labels, other.up_since = dict(self.labels), dict(self.up_since)
        other.down_since = dict(self.down_since)
        return other


_Change = Callable[[Segment], None]


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
        changes: list[tuple[int, int, _Change]] = []
        for order, applied in enumerate(self.applied):
            changes += [(tick, order, change) for tick, change in self._changes(applied)]
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

    def _changes(self, applied: AppliedFault) -> list[tuple[int, _Change]]:
        fault, start = applied.fault, applied.start_tick
        match fault.kind:
            case FaultKind.REBOOT:
                return [(start + to_ticks(fault.boot_s), self._reboot)]
            case FaultKind.COUNTER_RESET:
                return [(start, self._reset)]
            case FaultKind.WRAP32:
                # Planned, the counters are narrow from the beginning; live, they are set back first.
                begin, wrap = (start, start + 2 * TICKS_PER_S) if applied.live else (0, start)
                return [(begin, lambda segment: self._narrow(segment, wrap))]
            case FaultKind.LINK_FLAP:
                return self._flaps(applied)
            case FaultKind.RENAME:
                return [(start, lambda segment: self._rename(segment, fault))]
            case FaultKind.PPPOE_DROP:
                return self._while(applied, lambda s: _set_sessions(s, fault.sessions), self._all_sessions)
            case FaultKind.CPU_HIGH:
                return self._while(
                    applied, lambda s: _set_load(s, fault.load_pct), lambda s: _set_load(s, None)
                )
            case _:
                return []

    @staticmethod
    def _while(applied: AppliedFault, begin: _Change, end: _Change) -> list[tuple[int, _Change]]:
        changes = [(applied.start_tick, begin)]
        if applied.end_tick is not None:
            changes.append((applied.end_tick, end))
        return changes

    def _flaps(self, applied: AppliedFault) -> list[tuple[int, _Change]]:
        fault = applied.fault
        hit = [self.index[name] for name in fault.interfaces if name in self.index]

        def down(segment: Segment) -> None:
            self._link(segment, hit, up=False)

        def up(segment: Segment) -> None:
            self._link(segment, hit, up=True)

        if fault.every_s is None:
            return self._while(applied, down, up)
        every, low = to_ticks(fault.every_s), to_ticks(fault.down_s)
        # Without an end it flaps for a day: longer than any lab run that tests something.
        end = applied.end_tick or applied.start_tick + 86_400 * TICKS_PER_S
        changes: list[tuple[int, _Change]] = []
        for begin in range(applied.start_tick, end, every):
            changes += [(begin, down), (min(begin + low, end), up)]
        return changes

    def _mask(self, indices: list[int], columns: list[int]) -> NDArray[np.bool_]:
        mask = np.zeros((len(self.all_interfaces), WIDTH), dtype=np.bool_)
        mask[np.ix_(indices, columns)] = True
        return mask.reshape(-1)

    def _link(self, segment: Segment, indices: list[int], *, up: bool) -> None:
        hit = [index for index in indices if segment.running[index] != up]
        hit = [index for index in hit if self.all_interfaces[index].connected]
        counters = self._mask(hit, list(range(WIDTH)))
        if up:
            segment.curves = segment.curves.resumed(segment.start, counters)
            segment.up_since |= dict.fromkeys(hit, segment.start)
        else:
            stopped = segment.curves.stopped(segment.start, counters)
            segment.curves = stopped.bumped(self._mask(hit, [LINK_DOWNS]))
            segment.down_since |= dict.fromkeys(hit, segment.start)
        for index in hit:
            segment.running[index] = up

    def _reboot(self, segment: Segment) -> None:
        segment.curves = segment.curves.zeroed(
            segment.start, np.ones(len(segment.curves.mean), dtype=np.bool_)
        )
        segment.booted = segment.start
        segment.up_since = {
            interface.index: segment.start for interface in self.all_interfaces if interface.connected
        }
        segment.down_since = {}
        segment.generation += 1

    def _reset(self, segment: Segment) -> None:
        traffic = self._mask(list(range(len(self.all_interfaces))), list(range(LINK_DOWNS)))
        segment.curves = segment.curves.zeroed(segment.start, traffic)
        segment.generation += 1

    def _narrow(self, segment: Segment, wrap_tick: int) -> None:
        segment.curves = segment.curves.narrowed(wrap_tick)
        segment.generation += 1

    def _rename(self, segment: Segment, fault: Fault) -> None:
        for identity in fault.interfaces:
            if identity in self.index:
                name, comment = segment.labels.get(self.index[identity], (None, None))
                new_comment = (
                    None if fault.comment is None else fault.comment.encode("utf-8", "surrogateescape")
                )
                segment.labels[self.index[identity]] = (
                    name if fault.name is None else fault.name,
                    comment if new_comment is None else new_comment,
                )

    def _all_sessions(self, segment: Segment) -> None:
        segment.sessions = self.spec.pppoe

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


def _set_sessions(segment: Segment, count: int) -> None:
    segment.sessions = min(count, segment.sessions)


def _set_load(segment: Segment, load_pct: int | None) -> None:
    segment.load_pct = load_pct
