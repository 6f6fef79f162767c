"""What each category of data costs one router: counted as replies come, told per hour.

A category is a collector. A command that several of them share is shared out
among them in equal parts. What no collector asked for (logins, probes, the
uptime that rates need, commands that were not answered) is mtd's own.

Busy is a router while commands are under way. Of polls that are under way at
the same time each counts its part of the time; of commands that were sent
together each counts the time for which its answer was the one waited for. So
categories add up to what the router was busy.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from mtd.scheduler import metrics

if TYPE_CHECKING:
    from mtd.model.command import Command, Reply

OWN = "mtd"
"""Category of what no collector asked for."""

HOUR_S = 3600.0
_MARK_S = 900.0
# What is told is of the last hour; before it is over, of the time since the start.
_MARKS = 5
_OWNED_BY_MTD = (OWN,)
_FIGURES = 5  # of each category: commands, received, sent, rows, busy seconds
_duration = attrgetter("duration_s")


@dataclass(frozen=True, slots=True)
class Cost:
    """What was counted, or per hour what it comes to."""

    commands: float = 0.0
    received_bytes: float = 0.0
    sent_bytes: float = 0.0
    rows: float = 0.0
    busy_s: float = 0.0

    def times(self, factor: float) -> Cost:
        """Return it multiplied."""
        return Cost(*(factor * value for value in _values(self)))

    def plus(self, other: Cost) -> Cost:
        """Return the sum."""
        return Cost(*(one + two for one, two in zip(_values(self), _values(other), strict=True)))

    def least(self) -> Cost:
        """Return it without what is below zero: of sums that were taken at two moments."""
        return Cost(*(max(0.0, value) for value in _values(self)))


def _values(cost: Cost) -> tuple[float, ...]:
    return cost.commands, cost.received_bytes, cost.sent_bytes, cost.rows, cost.busy_s


@dataclass(frozen=True, slots=True)
class HourlyCost:
    """What a router costs per hour, in all and by category, counted over ``counted_s``."""

    counted_s: float
    total: Cost
    categories: Mapping[str, Cost]


class CostBook:
    """Costs of one router since its loop began. Some additions per reply, and a copy each quarter of an hour."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._figures = array("d", [0.0] * _FIGURES)  # the first are the whole router's
        self._marks: deque[tuple[float, array[float]]] = deque(maxlen=_MARKS)
        self._under_way = 0
        self._passed_at = 0.0
        self._part_s = 0.0  # of each poll that was always under way

    def sent(self, now: float) -> float:
        """Commands are sent. ``now``: monotonic, seconds. Returns what ``ended`` wants to know of them."""
        if not self._marks:
            self._mark(now)
        self._pass(now)
        self._under_way += 1
        return self._part_s

    def ended(self, now: float, traffic: tuple[int, int, int], sent: float) -> float:
        """They were answered, or given up; return for how many seconds the router was busy with them.

        ``traffic``: commands, bytes sent and bytes received so far, of all sessions.
        """
        self._pass(now)
        self._under_way -= 1
        figures = self._figures
        figures[0], figures[2], figures[1] = traffic
        if now - self._marks[-1][0] >= _MARK_S:
            self._mark(now)
        return self._part_s - sent

    def _pass(self, now: float) -> None:
        if self._under_way:
            self._figures[4] += now - self._passed_at
            self._part_s += (now - self._passed_at) / self._under_way
        self._passed_at = now

    def answered(
        self, replies: Sequence[Reply], owners: Mapping[Command, tuple[str, ...]], busy_s: float
    ) -> None:
        """Take the answers to commands that were sent together; ``owners`` says whose each of them is."""
        asked = [reply for reply in replies if reply.trap is None or not reply.trap.not_served]
        asked.sort(key=_duration)
        longest = asked[-1].duration_s if asked else 0.0
        scale = busy_s / longest if longest > 0 else 0.0
        before = 0.0
        for reply in asked:
            names = owners.get(reply.command, _OWNED_BY_MTD)
            share = 1.0 / len(names)
            part = (
                share,
                reply.size_bytes * share,
                reply.sent_bytes * share,
                reply.rows.count * share,
                (reply.duration_s - before) * scale * share,
            )
            before = reply.duration_s
            for name in names:
                self._add(name, part)

    def total(self) -> Cost:
        """Return what was counted of the router as a whole."""
        return self._whole(self._figures)

    def by_category(self) -> dict[str, Cost]:
        """Return what was counted by category."""
        return self._categories(self._figures)

    def hourly(self, now: float) -> HourlyCost:
        """Return what it comes to per hour. ``now``: monotonic, seconds."""
        began, before = self._marks[0] if self._marks else (now, array("d"))
        seconds = now - began
        factor = HOUR_S / seconds if seconds > 0 else 0.0
        old, new = self._categories(before), self.by_category()
        grown = {
            name: cost.plus(old.get(name, Cost()).times(-1.0)).times(factor) for name, cost in new.items()
        }
        total = self.total().plus(self._whole(before).times(-1.0)).times(factor)
        return HourlyCost(seconds, total.least(), {name: cost.least() for name, cost in grown.items()})

    def _add(self, name: str, part: Sequence[float]) -> None:
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = len(self._figures)
            self._figures.extend([0.0] * _FIGURES)
        figures = self._figures
        for counter, value in zip(metrics.cost_counters(name), part, strict=True):
            figures[place] += value
            place += 1
            counter.inc(value)

    def _mark(self, now: float) -> None:
        self._marks.append((now, self._figures[:]))

    def _whole(self, figures: Sequence[float]) -> Cost:
        commands, received, sent, _, busy_s = figures[:_FIGURES] or (0.0,) * _FIGURES
        rows = math.fsum(figures[place + 3] for place in self._places.values() if place < len(figures))
        return Cost(commands, received, sent, rows, busy_s)

    def _categories(self, figures: Sequence[float]) -> dict[str, Cost]:
        """Return the costs by category; what nobody is told to have asked is mtd's own."""
        found = {
            name: Cost(*figures[place : place + _FIGURES])
            for name, place in self._places.items()
            if place < len(figures)
        }
        total, asked = self._whole(figures), summed(found.values())
        rest = Cost(
            total.commands - asked.commands,
            total.received_bytes - asked.received_bytes,
            total.sent_bytes - asked.sent_bytes,
            busy_s=total.busy_s - asked.busy_s,
        )
        found[OWN] = found.get(OWN, Cost()).plus(rest.least())
        return found


def summed(costs: Iterable[Cost]) -> Cost:
    """Return the sum of costs."""
    total = Cost()
    for cost in costs:
        total = total.plus(cost)
    return total
