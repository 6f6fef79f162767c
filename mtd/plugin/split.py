"""A menu of metrics in two halves: rows that were chosen for the live tier, and the others at a slower one.

Nothing is missing in between: the half that a row leaves reads it until the
half that it comes to has read it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mtd.model.command import Command
from mtd.model.selection import Why
from mtd.plugin.choosing import Totals
from mtd.plugin.declaration import Selectable
from mtd.plugin.metrics_menu import MetricsMenu

Asked = tuple[str, ...] | None
"""The router's ids of the rows that a half asks for, or leaves out. None: of the fast half all, of the slow nothing."""


class Split:
    """Two halves, and what each asks the router for. Until ``choose`` everything is in the fast one."""

    def __init__(self, fast: MetricsMenu, slow: MetricsMenu, selectable: Selectable) -> None:
        self.fast = fast
        self.slow = slow
        self.selectable = selectable
        self.everything = True
        self.chosen: dict[str, Why] = {}
        self._leaving: set[str] = set()  # not chosen any more, and not read by the slow half yet
        self._seen: tuple[Sequence[str], Sequence[str]] | None = None  # by both, when it was worked out
        self._fast_asks: Asked = None
        self._slow_omits: Asked = None
        self._noticed: dict[int, Asked] = {}  # by id of the half
        fast.pair(slow)

    @property
    def was_read(self) -> bool:
        """Whether the fast half was read yet."""
        return self.fast.read_at > -math.inf

    @property
    def rows(self) -> list[str]:
        """Instances of all rows that were there when they were last read."""
        return list(dict.fromkeys((*self.fast.instances, *self.slow.instances)))

    @property
    def live(self) -> set[str]:
        """Instances that are meant to be at the live tier."""
        return set(self.rows) if self.everything else set(self.chosen)

    @property
    def values_per_row(self) -> int:
        """How many values a row has, without what is derived from them."""
        return len(self.fast.menu.fields)

    def totals(self) -> Totals:
        """Return the traffic counted so far, of each row as it was read last."""
        found: dict[str, tuple[float, int]] = {}
        for half in sorted((self.fast, self.slow), key=lambda half: half.read_at):
            for row, total in half.totals(self.selectable.traffic).items():
                found[row] = half.read_at, total
        return found

    def choose(self, chosen: Mapping[str, Why], *, everything: bool, at_once: bool = False) -> None:
        """Set what the fast half reads. ``at_once``: without waiting for the slow one to read the others."""
        was_live = set(self.fast.instances)
        self.everything = everything
        self.chosen = dict(chosen)
        if everything or at_once:
            self._leaving.clear()
        else:
            self._leaving = was_live - self.chosen.keys() - set(self.slow.instances)
        self._seen = None

    def polled(self, half: MetricsMenu) -> None:
        """Take note of what a half has read."""
        if not self._leaving:
            return
        there = set(half.instances)
        self._leaving = self._leaving - there if half is self.slow else self._leaving & there
        self._seen = None

    def outdated(self, half: MetricsMenu) -> bool:
        """Whether a half asks for other rows than when this was asked last."""
        self._work_out()
        asks = self._asks(half)
        if self._noticed.get(id(half)) == asks:
            return False
        self._noticed[id(half)] = asks
        return True

    def narrowed(self, half: MetricsMenu, command: Command) -> Command | None:
        """Return the command that reads a half's rows only; None if it has nothing to read."""
        self._work_out()
        asks = self._asks(half)
        if half is self.fast:
            if asks is None:
                return command
            words = _any_of(asks)
        else:
            words = None if asks is None else _none_of(asks)
        if words is None:
            half.forget_rows()
            return None
        return replace(command, queries=command.queries + words)

    def _asks(self, half: MetricsMenu) -> Asked:
        return self._fast_asks if half is self.fast else self._slow_omits

    def _work_out(self) -> None:
        """Say anew what the halves ask for, if what they have read, or what is chosen, is another."""
        fast, slow = self.fast, self.slow
        if self._seen is not None and self._seen[0] is fast.instances and self._seen[1] is slow.instances:
            return
        self._seen = fast.instances, slow.instances
        there = set(fast.instances)
        if self.everything:
            self._fast_asks = None
            self._slow_omits = None if there.issuperset(slow.instances) else _sorted(fast.ids)
            return
        ids = dict(zip(slow.instances, slow.ids, strict=True)) | dict(
            zip(fast.instances, fast.ids, strict=True)
        )
        self._fast_asks = _sorted(ids[row] for row in (*self.chosen, *self._leaving) if row in ids)
        self._slow_omits = _sorted(ids[row] for row in self.chosen if row in there)


def _sorted(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(ids), key=lambda one: (len(one), one)))


def _any_of(ids: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return query words that are true of rows with one of these ids; None if there are none."""
    if not ids:
        return None
    either = ("#" + "|" * (len(ids) - 1),) if len(ids) > 1 else ()
    return (*(f".id={one}" for one in ids), *either)


def _none_of(ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return query words that are true of rows with none of these ids."""
    if not ids:
        return ()
    return (*(f".id={one}" for one in ids), "#" + "|" * (len(ids) - 1) + "!")
