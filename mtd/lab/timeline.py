"""Time cut into segments, and what faults of the values change between them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtd.lab.clock import TICKS_PER_S, to_ticks
from mtd.lab.curves import LINK_DOWNS, WIDTH, Curves
from mtd.lab.hardware import Interface
from mtd.lab.scenario import Fault, FaultKind

# A flap without an end stops after an hour: each change costs memory, and no test takes longer.
_FLAP_TICKS = 3_600 * TICKS_PER_S


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
    reset: int | None = None  # when traffic counters were set back, since it was booted

    @property
    def counted_from(self) -> int:
        """The tick that traffic counters count from."""
        return self.booted if self.reset is None else self.reset

    def fork(self, tick: int) -> Segment:
        """Return a copy that begins at a tick and can be changed."""
        other = copy.copy(self)
        other.start = tick
        other.running = list(self.running)
        other.labels, other.up_since = dict(self.labels), dict(self.up_since)
        other.down_since = dict(self.down_since)
        return other


Change = Callable[[Segment], None]


class Changes:
    """Works out what a router's faults change, and when.

    ``sessions`` is the number of dynamic interfaces when nothing is wrong.
    """

    def __init__(self, interfaces: list[Interface], sessions: int) -> None:
        self._interfaces = interfaces
        self._index = {interface.id: interface.index for interface in interfaces}
        self._sessions = sessions

    def changes(self, applied: AppliedFault) -> list[tuple[int, Change]]:
        """Return (tick, change) for each moment at which a fault changes something."""
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
    def _while(applied: AppliedFault, begin: Change, end: Change) -> list[tuple[int, Change]]:
        changes = [(applied.start_tick, begin)]
        if applied.end_tick is not None:
            changes.append((applied.end_tick, end))
        return changes

    def _flaps(self, applied: AppliedFault) -> list[tuple[int, Change]]:
        fault = applied.fault
        hit = [self._index[name] for name in fault.interfaces if name in self._index]

        def down(segment: Segment) -> None:
            self._link(segment, hit, up=False)

        def up(segment: Segment) -> None:
            self._link(segment, hit, up=True)

        if fault.every_s is None:
            return self._while(applied, down, up)
        every, low = to_ticks(fault.every_s), to_ticks(fault.down_s)
        end = applied.end_tick or applied.start_tick + _FLAP_TICKS
        changes: list[tuple[int, Change]] = []
        for begin in range(applied.start_tick, end, every):
            changes += [(begin, down), (min(begin + low, end), up)]
        return changes

    def _mask(self, indices: list[int], columns: list[int]) -> NDArray[np.bool_]:
        mask = np.zeros((len(self._interfaces), WIDTH), dtype=np.bool_)
        mask[np.ix_(indices, columns)] = True
        return mask.reshape(-1)

    def _link(self, segment: Segment, indices: list[int], *, up: bool) -> None:
        hit = [index for index in indices if segment.running[index] != up]
        hit = [index for index in hit if self._interfaces[index].connected]
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
        segment.reset = None
        segment.up_since = {
            interface.index: segment.start for interface in self._interfaces if interface.connected
        }
        segment.down_since = {}
        segment.generation += 1

    def _reset(self, segment: Segment) -> None:
        segment.reset = segment.start
        traffic = self._mask(list(range(len(self._interfaces))), list(range(LINK_DOWNS)))
        segment.curves = segment.curves.zeroed(segment.start, traffic)
        segment.generation += 1

    def _narrow(self, segment: Segment, wrap_tick: int) -> None:
        segment.curves = segment.curves.narrowed(wrap_tick)
        segment.generation += 1

    def _rename(self, segment: Segment, fault: Fault) -> None:
        for identity in fault.interfaces:
            if identity in self._index:
                name, comment = segment.labels.get(self._index[identity], (None, None))
                new_comment = (
                    None if fault.comment is None else fault.comment.encode("utf-8", "surrogateescape")
                )
                segment.labels[self._index[identity]] = (
                    name if fault.name is None else fault.name,
                    comment if new_comment is None else new_comment,
                )

    def _all_sessions(self, segment: Segment) -> None:
        segment.sessions = self._sessions


def _set_sessions(segment: Segment, count: int) -> None:
    segment.sessions = min(count, segment.sessions)


def _set_load(segment: Segment, load_pct: int | None) -> None:
    segment.load_pct = load_pct
