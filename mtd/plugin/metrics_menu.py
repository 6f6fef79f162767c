"""One metrics menu of one device: columns of a reply in, lanes of a frame out.

This is the hot path: what depends only on which rows there are is worked out
once, and again only when the rows change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mtd.model import values
from mtd.model.command import Rows
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

    def read(self, raw: Sequence[Raw]) -> int:
        """Turn a column into numbers; return how many couldn't be read."""
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
        self._things = things
        self._things_version = -1
        self._speeds_version = -1
        self._picker = RowPicker(menu, collector, things, max_instances)
        counters = [field for field in menu.fields if isinstance(field, Counter)]
        # Those with a rate come first, so that the bank sees one slice.
        self._counters = [c for c in counters if c.rate is not None] + [c for c in counters if c.rate is None]
        self._rates = [c.rate for c in self._counters if c.rate is not None]
        self._gauges = [_GaugeColumn(field) for field in menu.fields if isinstance(field, Gauge | State)]
        self._bank = RateBank(interval_s)
        self._rated = 0
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

    def observe(self, rows: Rows, at: float, late: bool, out: Observation) -> None:
        """Map a reply that was received at a monotonic time; events and drops go to ``out``."""
        picker = self._picker
        arranged = picker.differs(rows) or self._things.version != self._things_version
        if arranged:
            picker.arrange(rows, out)
            self._things_version = self._things.version
        self._read_gauges(rows, out, arranged)
        if arranged:
            self._arrange()
        if self._counters:
            self._read_counters(rows, at, late, out)

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

    def _read_counters(self, rows: Rows, at: float, late: bool, out: Observation) -> None:
        column = self._picker.column
        flat: list[Raw] = []
        for field in self._counters:
            flat += column(rows, field.field)
        if not flat:
            self.counters, self.rates, self.doubtful = [], [], ()
            return
        numbers = values.counters(flat)
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
        out.discarded_rates += result.discarded
        if result.resets:
            metrics.COUNTER_RESETS.labels(self.collector).inc(result.resets)
        if result.gap:
            metrics.RATE_GAPS.labels(self.collector).inc()

    def _set_limits(self) -> None:
        scope, things = self.menu.scope, self._things
        self._speeds_version = things.speeds_version
        speeds = [things.speed(scope, instance) or math.inf for instance in self._picker.instances]
        unbounded = [math.inf] * len(speeds)
        limits: list[float] = []
        for rate in self._rates:
            limits += speeds if rate.bounded_by_link else unbounded
        self._bank.set_limits(limits)

    def _read_gauges(self, rows: Rows, out: Observation, arranged: bool) -> None:
        changed = arranged
        for gauge in self._gauges:
            raw = self._picker.column(rows, gauge.field.field)
            if not arranged and raw == gauge.raw:
                continue
            changed = True
            unreadable = gauge.read(raw)
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
        if len(gauge.states) > 2 * len(instances) + _FORGOTTEN_STATES:
            gauge.states = {key: state for key, state in gauge.states.items() if key in instances}
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
            out.state_changes.append(
                state_change(field.event, field.field, instance, label, old, new, expected=expected)
            )
