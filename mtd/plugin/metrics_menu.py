"""One metrics menu of one device: columns of a reply in, lanes of a frame out.

This is the hot path: what depends only on which rows there are is worked out
once, and again only when the rows change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from mtd.model import values
from mtd.model.command import Reply, Rows
from mtd.model.device import Way
from mtd.model.layout import Series, shared_series
from mtd.model.metric import Lane
from mtd.model.observation import Observation
from mtd.model.rates import RateBank
from mtd.model.values import Raw
from mtd.plugin import metrics
from mtd.plugin.declaration import Counter, Gauge, Menu, Parse, State
from mtd.plugin.rows import RowPicker
from mtd.plugin.state_events import state_change
from mtd.plugin.things import Things

NAN = math.nan
_NO_COUNTERS = values.CounterColumn(np.empty(0, dtype=np.int64))
# States of things that are gone are kept in case they come back, but not for ever.
_FORGOTTEN_STATES = 64
_CONVERT: dict[Parse, Callable[[Raw], float | None]] = {
    Parse.BOOLEAN: values.boolean,
    Parse.DURATION: values.duration,
    Parse.RATE: values.rate,
    Parse.SIZE: values.size,
}


class _GaugeColumn:
    """One gauge or state field: remembers its last column, because most don't change."""

    def __init__(self, field: Gauge | State) -> None:
        self.field = field
        self.raw: Sequence[Raw] | None = None
        self.numbers: list[float] = []
        self.states: dict[str, str] = {}  # instance -> state, where the field raises events
        if isinstance(field, State):
            words = field.words or {state: state for state in field.states}
            self.words = {word.encode(): state for word, state in words.items()}
            self.by_word = {word: float(field.states[state]) for word, state in self.words.items()}
        else:
            self.suffix = field.suffix.encode()
        # What is told by the clock differs though the router's text doesn't.
        self.timed = isinstance(field, Gauge) and field.parse is Parse.UNTIL
        self._now_s = 0.0

    def read(self, raw: Sequence[Raw], wall_us: int) -> int:
        """Turn a column, received at a wall time, into numbers; return how many couldn't be read."""
        self._now_s = wall_us / 1e6
        unreadable = 0
        numbers = []
        for value in raw:
            number = self._number(value)
            if number is None:
                number = NAN
                unreadable += not values.is_blank(value)
            numbers.append(number)
        self.raw, self.numbers = raw, numbers
        return unreadable

    def _number(self, raw: Raw) -> float | None:
        field = self.field
        if isinstance(field, State):
            return self.by_word.get(raw) if raw is not None else None
        if field.parse is Parse.DECIMAL:
            number = values.decimal(raw, self.suffix)
        elif self.timed:
            then = values.moment(raw)
            number = None if then is None else then - self._now_s
        else:
            number = _CONVERT[field.parse](raw)
        return number if number is None else number * field.scale


class MetricsMenu:
    """Maps the replies of one menu. ``series_version`` grows when the series change."""

    def __init__(
        self, menu: Menu, collector: str, things: Things, interval_s: float, max_instances: int
    ) -> None:
        self.menu = menu
        self.collector = collector
        self.series: tuple[Series, ...] = ()
        self.series_version = 0
        self.counters: list[int | None] = []
        self.gauges: list[float] = []
        self.rates: list[float] = []
        self.doubtful: Sequence[int] = ()
        self.read_at = -math.inf
        """Monotonic time of the last reply that was mapped."""
        self._twin: MetricsMenu | None = None
        self._things = things
        self._scope = things.scope(menu.scope)
        self._names_version = -1
        self._speeds_version = -1
        self._picker = RowPicker(menu, collector, things, max_instances)
        counters = [field for field in menu.fields if isinstance(field, Counter)]
        # Those with a rate come first, so that the bank sees one slice.
        self._counters = [c for c in counters if c.rate is not None] + [c for c in counters if c.rate is None]
        self._rates = [c.rate for c in self._counters if c.rate is not None]
        self._gauges = [_GaugeColumn(field) for field in menu.fields if isinstance(field, Gauge | State)]
        self._bank = RateBank(interval_s)
        self._over_snmp: bool | None = None  # how the counters were read last
        self._rated = 0
        self._made_of: dict[
            str, Raw
        ] = {}  # instance -> what its counters were made of, where that may change
        # Where the counters are among the numbers of a reply, while those have these names.
        self._names_parsed: tuple[str, ...] = ()
        self._places: NDArray[np.intp] | None = None
        self._pattern: list[bool] | None = None  # of a sparse menu: which gauges have a series
        self._stale = True  # the gauges have to be gathered even if no column changed

    @property
    def has_counters(self) -> bool:
        """Whether the moment of the reply matters."""
        return bool(self._counters)

    @property
    def has_rates(self) -> bool:
        """Whether a reboot has to be known before the reply is mapped."""
        return bool(self._rates)

    @property
    def instances(self) -> tuple[str, ...]:
        """The rows of the last reply; another object whenever they may be others."""
        return self._picker.instances

    @property
    def ids(self) -> tuple[str, ...]:
        """The same rows, as the router calls them."""
        return self._picker.ids

    def pair(self, twin: MetricsMenu) -> None:
        """Share the past of rows with another menu that reads the same fields of other rows: some may move there."""
        self._twin, twin._twin = twin, self
        self._bank.join(twin._bank)
        for own, other in zip(self._gauges, twin._gauges, strict=True):
            other.states = own.states

    def totals(self, fields: Collection[str]) -> dict[str, int]:
        """Return the sum of these counters of each row that has them all."""
        places = [place for place, counter in enumerate(self._counters) if counter.field in fields]
        count, sums = len(self.instances), {}
        if len(self.counters) != count * len(self._counters):
            return {}
        for position, row in enumerate(self.instances):
            values = [self.counters[place * count + position] for place in places]
            if None not in values:
                sums[row] = sum(filter(None, values))
        return sums

    def start_over(self) -> None:
        """Forget all rows and what they counted."""
        self.forget_rows()
        self.reset_baseline()

    def forget_rows(self) -> None:
        """Nothing is read any more: there are no rows and no series, until there are again."""
        if not self.series and not self.instances:
            return
        self._picker.clear()
        self.series = ()
        self.series_version += 1
        self.counters, self.gauges, self.rates, self.doubtful = [], [], [], ()
        self._stale = True

    def reset_baseline(self) -> None:
        """The device rebooted: its counters started again."""
        self._bank.reset_baseline()

    def absent(self) -> None:
        """The reply has not come: the series stay, without values."""
        self.counters = [None] * len(self.counters)
        self.gauges = [NAN] * len(self.gauges)
        self.rates = [NAN] * len(self.rates)
        self.doubtful = ()
        self._stale = True

    def observe(self, rows: Rows, reply: Reply, late: bool, out: Observation) -> None:
        """Map the rows of a reply; events and drops go to ``out``."""
        picker = self._picker
        self.read_at = reply.received_at
        arranged = picker.differs(rows) or self._scope.version != self._names_version
        if arranged:
            picker.arrange(rows, out)
            self._names_version = self._scope.version
        self._read_gauges(rows, reply.received_us, out, arranged)
        if arranged:
            self._arrange()
        if self._counters:
            self._follow_way(reply.way is Way.SNMP)
            self._read_counters(rows, reply.received_at, late, out)

    def _arrange(self) -> None:
        """Work out the series; baselines of rates stay with metric and instance."""
        instances = self._picker.instances
        counters = [shared_series(c.key, i, Lane.COUNTER) for c in self._counters for i in instances]
        gauges = [shared_series(g.field.key, i, Lane.GAUGE) for g in self._gauges for i in instances]
        if self._pattern is not None:
            gauges = [series for series, there in zip(gauges, self._pattern, strict=True) if there]
        rates = [shared_series(r.key, i, Lane.RATE) for r in self._rates for i in instances]
        series = (*counters, *gauges, *rates)
        self._rated = len(rates)
        self._bank.arrange(rates, [rate.scale for rate in self._rates for _ in instances])
        self._speeds_version = -1
        if series != self.series:
            self.series = series
            self.series_version += 1

    def _follow_way(self, over_snmp: bool) -> None:
        """Begin anew where SNMP takes over or ends: an agent has counters of its own, some of them of 32 bits.

        What they and RouterOS's differ by is no traffic. REST tells the same as the API.
        """
        if over_snmp is self._over_snmp:
            return
        for menu in (self, self._twin):
            if menu is not None:
                if menu._over_snmp is not None:
                    menu.reset_baseline()
                menu._over_snmp = over_snmp

    def _read_counters(self, rows: Rows, at: float, late: bool, out: Observation) -> None:
        numbers = self._parsed_counters(rows)
        if not numbers.numbers.size:
            self.counters, self.rates, self.doubtful = [], [], ()
            return
        if numbers.unreadable:
            metrics.UNREADABLE.labels(self.collector).inc(numbers.unreadable)
        self.counters = numbers.exact()
        if not self._rated:
            return
        if self._speeds_version != self._things.speeds_version:
            self._set_limits()
        present = numbers.present
        result = self._bank.update(
            at, numbers.numbers[: self._rated], None if present is None else present[: self._rated], late=late
        )
        self.rates = result.values.tolist()
        self.doubtful = result.doubtful
        if self.menu.breaks:
            self._leave_out_broken(rows)
        out.discarded_rates += result.discarded
        if result.resets:
            metrics.COUNTER_RESETS.labels(self.collector).inc(result.resets)
        if result.gap:
            metrics.RATE_GAPS.labels(self.collector).inc()

    def _leave_out_broken(self, rows: Rows) -> None:
        """Leave out the rates of counters that are made of other things than at the last read."""
        instances, before = self._picker.instances, self._made_of
        self._made_of = dict(zip(instances, self._picker.column(rows, self.menu.breaks), strict=True))
        broken = [
            position
            for position, (instance, now) in enumerate(self._made_of.items())
            if instance in before and before[instance] != now
        ]
        for position in broken:
            for first in range(0, self._rated, len(instances)):
                self.rates[first + position] = NAN
        if broken and self.doubtful:
            self.doubtful = [position for position in self.doubtful if not math.isnan(self.rates[position])]

    def _parsed_counters(self, rows: Rows) -> values.CounterColumn:
        """Return the counters field by field, as numbers."""
        parsed = self._picker.numbers(rows)
        if parsed is not None:
            if parsed.names != self._names_parsed:
                self._names_parsed = parsed.names
                self._places = parsed.places([field.field for field in self._counters])
            if self._places is not None:
                return values.CounterColumn(parsed.values.T[self._places].ravel())
        column = self._picker.column
        flat: list[Raw] = []
        for field in self._counters:
            flat += column(rows, field.field)
        return values.counters(flat) if flat else _NO_COUNTERS

    def _set_limits(self) -> None:
        scope, things = self.menu.scope, self._things
        self._speeds_version = things.speeds_version
        speeds = [things.speed(scope, instance) or math.inf for instance in self._picker.instances]
        unbounded = [math.inf] * len(speeds)
        limits: list[float] = []
        for rate in self._rates:
            limits += speeds if rate.bounded_by_link else unbounded
        self._bank.set_limits(limits)

    def _read_gauges(self, rows: Rows, wall_us: int, out: Observation, arranged: bool) -> None:
        changed = arranged
        for gauge in self._gauges:
            raw = self._picker.column(rows, gauge.field.field)
            if not arranged and raw == gauge.raw and not gauge.timed:
                continue
            changed = True
            unreadable = gauge.read(raw, wall_us)
            if unreadable:
                metrics.UNREADABLE.labels(self.collector).inc(unreadable)
            if isinstance(gauge.field, State) and gauge.field.event is not None:
                self._raise_events(gauge, rows, out)
            elif isinstance(gauge.field, Gauge) and gauge.field.is_link_speed:
                self._follow_speeds(gauge)
        if self.menu.sparse:
            pattern = [raw is not None for gauge in self._gauges for raw in gauge.raw or ()]
            if pattern != self._pattern:
                self._pattern = pattern
                self._arrange()
        if changed or self._stale:
            self.gauges = self._gathered()
            self._stale = False

    def _gathered(self) -> list[float]:
        gathered: list[float] = []
        for gauge in self._gauges:
            gathered += gauge.numbers
        if self._pattern is not None:
            gathered = [number for number, there in zip(gathered, self._pattern, strict=True) if there]
        return gathered

    def _follow_speeds(self, gauge: _GaugeColumn) -> None:
        for instance, speed in zip(self._picker.instances, gauge.numbers, strict=True):
            self._things.set_speed(self.menu.scope, instance, speed if speed > 0 else None)

    def _raise_events(self, gauge: _GaugeColumn, rows: Rows, out: Observation) -> None:
        field = gauge.field
        assert isinstance(field, State)
        assert field.event is not None
        instances = self._picker.instances
        there = len(instances) + (len(self._twin.instances) if self._twin is not None else 0)
        if len(gauge.states) > 2 * there + _FORGOTTEN_STATES:
            self._forget_states(gauge.states)
        excuse: Sequence[Raw] = ()
        wanted = b""
        if field.event.expected_when is not None:
            excuse = self._picker.column(rows, field.event.expected_when[0])
            wanted = field.event.expected_when[1].encode()
        for position, (instance, raw) in enumerate(zip(instances, gauge.raw or (), strict=True)):
            new = gauge.words.get(raw) if raw is not None else None
            if new is None:
                continue
            old = gauge.states.get(instance)
            gauge.states[instance] = new
            if old is None or old == new:
                continue
            expected = bool(excuse) and excuse[position] == wanted
            label = self._things.label(self.menu.scope, instance)
            logged_as = self._things.logged_as(self.menu.scope, instance)
            change = state_change(
                field.event, field.field, instance, label, old, new, expected=expected, logged_as=logged_as
            )
            out.state_changes.append(change)

    def _forget_states(self, states: dict[str, str]) -> None:
        """Forget the states of rows that are gone. In place: a twin has the same."""
        there = {*self.instances, *(self._twin.instances if self._twin is not None else ())}
        for key in states.keys() - there:
            del states[key]
