"""What is counted of a current-state table: rows that are there, that came, and that went.

Rows are counted as they differ from the read before, so that a table of 20,000
rows costs what 200 changes of it cost. A row is of a set if it matches ``where``;
with ``by``, the set has a part for each value. What enters a part came, what
leaves it went, and so the numbers always add up: rows now = rows before + came - went.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter as Numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mtd.model.device import Severity
from mtd.model.layout import Series, shared_series
from mtd.model.metric import Lane
from mtd.model.observation import Observation, StateChange
from mtd.model.rates import RateBank
from mtd.model.values import Raw, text
from mtd.plugin import metrics
from mtd.plugin.declaration import Counted, Menu, Tally
from mtd.plugin.session_names import is_sessions

NO_VALUE = "none"
"""The instance of rows that don't have the field that they are counted by."""

SESSIONS = "<sessions>"
"""The instance of all rows whose value is the name of a session's interface: there may be thousands, of people."""

_NONE = NO_VALUE.encode()
_SESSIONS = SESSIONS.encode()
_WHOLE = b""  # the one part of a set that isn't divided
Row = Sequence[Raw]


@dataclass(slots=True)
class _Part:
    """Rows of one value that came and went since it has series."""

    came: int = 0
    went: int = 0


@dataclass(slots=True)
class _Set:
    """Rows that match, by value. ``rows`` knows all values, ``parts`` those with series.

    ``came`` are the rows of this read whose values had no series when they came.
    """

    name: str
    where: tuple[tuple[int, bytes], ...]
    by: int | None
    max_values: int
    code_page: str
    rows: Numbers[bytes] = field(default_factory=Numbers)
    parts: dict[bytes, _Part] = field(default_factory=dict)
    came: Numbers[bytes] = field(default_factory=Numbers)
    untold: int = 0  # rows of values that have no series
    changed: bool = True  # values may have come or gone

    def value_of(self, row: Row | None) -> bytes | None:
        """Return which part of the set a row is in; None if it is in none."""
        if row is None:
            return None
        for place, wanted in self.where:
            if row[place] != wanted:
                return None
        if self.by is None:
            return _WHOLE
        value = row[self.by] or _NONE
        if is_sessions(value):
            return _SESSIONS
        return value if value.isascii() else text(value, self.code_page).encode()

    def move(self, left: bytes | None, entered: bytes | None, *, counting: bool) -> None:
        """Take a row from one part to another."""
        if left is not None:
            self.rows[left] -= 1
            part = self.parts.get(left)
            if part is not None:
                part.went += counting
            if part is None or (self.untold and not self.rows[left]):
                self.changed = True
        if entered is not None:
            self.rows[entered] += 1
            part = self.parts.get(entered)
            if part is None:
                self.changed = True
                self.came[entered] += counting
            else:
                part.came += counting

    def settle(self) -> bool:
        """Give new values series as far as there is room, those with most rows first.

        Returns whether rows began to be left out of series, or ceased to be.
        """
        if not self.changed:
            return False
        self.rows = +self.rows
        if self.by is None:
            self.parts.setdefault(_WHOLE, _Part(self.came[_WHOLE]))
        else:
            self._give_series()
        self.came.clear()
        before, self.untold = self.untold, self.rows.total() - sum(self.rows[value] for value in self.parts)
        return bool(before) is not bool(self.untold)

    def _give_series(self) -> None:
        waiting = [(-count, value) for value, count in self.rows.items() if value not in self.parts]
        dead = [value for value in self.parts if value not in self.rows]
        room = self.max_values - len(self.parts)
        for _, value in heapq.nsmallest(room + len(dead), waiting):
            if room:
                room -= 1
            else:
                del self.parts[dead.pop(0)]
            self.parts[value] = _Part(self.came[value])

    def instances(self) -> list[tuple[bytes, str]]:
        """Return the values with series, and their instances, in an order that doesn't depend on when they came."""
        return [
            (value, "" if self.by is None else text(value, self.code_page)) for value in sorted(self.parts)
        ]


class Tallies:
    """The tallies of one table of one device: series and lanes of a frame, as a metrics menu has them.

    ``places`` says where in a row the fields are. Counters begin at 0 with mtd.
    """

    def __init__(
        self, menu: Menu, collector: str, places: Mapping[str, int], interval_s: float, code_page: str
    ) -> None:
        self.series: tuple[Series, ...] = ()
        self.series_version = 0
        self.counters: list[int | None] = []
        self.gauges: list[float] = []
        self.rates: list[float] = []
        self.doubtful: Sequence[int] = ()
        self._menu = menu
        self._collector = collector
        self._code_page = code_page
        self._sets: dict[tuple[object, ...], _Set] = {}
        counted = [(tally, self._set(tally, places)) for tally in menu.tallies]
        self._gauges = [pair for pair in counted if pair[0].counts is Counted.ROWS]
        counters = [pair for pair in counted if pair[0].counts is not Counted.ROWS]
        # Those with a rate come first, so that the bank sees one slice.
        self._counters = sorted(counters, key=lambda pair: pair[0].rate is None)
        self._values: dict[int, list[bytes]] = {}  # of each set, in the order of their series
        self._bank = RateBank(interval_s)
        self._rated = 0

    def changed(self, before: Row | None, now: Row | None, *, counting: bool = True) -> None:
        """Take in that a row came (nothing before), changed, or went (nothing now).

        Without ``counting`` it is found or lost, and did not come or go.
        """
        for group in self._sets.values():
            left, entered = group.value_of(before), group.value_of(now)
            if left != entered:
                group.move(left, entered, counting=counting)

    def forget_rows(self) -> None:
        """Nothing is known of the rows any more: the next read finds them. Counters stay."""
        for group in self._sets.values():
            group.rows.clear()
            group.changed = True

    def read(self, at: float, late: bool, out: Observation) -> None:
        """Make the lanes of a frame, after a read at a monotonic time was taken in."""
        for group in self._sets.values():
            if group.settle():
                out.state_changes.append(self._cap_event(group))
            if group.untold:
                metrics.TALLY_ROWS_UNTOLD.labels(self._collector).inc(group.untold)
        if any([group.changed for group in self._sets.values()]):
            self._arrange()
        self.gauges = [
            float(group.rows[value]) for _, group in self._gauges for value in self._values[id(group)]
        ]
        numbers: list[int] = []
        for tally, group in self._counters:
            parts = [group.parts[value] for value in self._values[id(group)]]
            numbers += [part.came if tally.counts is Counted.APPEARED else part.went for part in parts]
        self.counters = list(numbers)
        if self._rated:
            rated = np.array(numbers[: self._rated], dtype=np.int64)
            result = self._bank.update(at, rated, late=late)
            self.rates, self.doubtful = result.values.tolist(), result.doubtful

    def absent(self) -> None:
        """The table was not read: the series stay, without values."""
        self.counters = [None] * len(self.counters)
        self.gauges = [math.nan] * len(self.gauges)
        self.rates = [math.nan] * len(self.rates)
        self.doubtful = ()

    def _set(self, tally: Tally, places: Mapping[str, int]) -> _Set:
        """Return the set that a tally counts; tallies of one set share it."""
        key = (tally.where, tally.by, tally.max_values)
        found = self._sets.get(key)
        if found is None:
            where = tuple((places[name], value.encode()) for name, value in tally.where)
            by = places[tally.by] if tally.by else None
            found = self._sets[key] = _Set(tally.key, where, by, tally.max_values, self._code_page)
        return found

    def _arrange(self) -> None:
        """Work out the series; baselines of rates stay with metric and instance."""
        found = {id(group): group.instances() for group in self._sets.values()}
        self._values = {key: [value for value, _ in pairs] for key, pairs in found.items()}

        def lane(keys: Sequence[tuple[str, _Set]], which: Lane) -> list[Series]:
            return [shared_series(key, name, which) for key, group in keys for _, name in found[id(group)]]

        counters = lane([(tally.key, group) for tally, group in self._counters], Lane.COUNTER)
        gauges = lane([(tally.key, group) for tally, group in self._gauges], Lane.GAUGE)
        rated = [(tally.rate.key, group) for tally, group in self._counters if tally.rate is not None]
        rates = lane(rated, Lane.RATE)
        self._rated = len(rates)
        self._bank.arrange(rates, [1.0] * len(rates))
        for group in self._sets.values():
            group.changed = False
        series = (*counters, *gauges, *rates)
        if series != self.series:
            self.series = series
            self.series_version += 1

    def _cap_event(self, group: _Set) -> StateChange:
        path, values = self._menu.path, len(group.rows)
        by = next(tally.by for tally in self._menu.tallies if tally.key == group.name)
        told = f"{group.name} tells {group.max_values} of them apart, and leaves out the rows of the others"
        return StateChange(
            event_type="collector.tally.capped" if group.untold else "collector.tally.uncapped",
            severity=Severity.WARNING if group.untold else Severity.INFO,
            entity_type="menu",
            entity_id=f"{self._collector}.{self._menu.name}",
            entity_label=path,
            field=by,
            old=str(group.max_values),
            new=str(values),
            message=(
                f"{path} has rows with {values} values of {by}: {told}"
                if group.untold
                else f"{path} has rows with {values} values of {by}: {group.name} tells them all apart again"
            ),
        )
