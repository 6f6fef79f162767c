"""Batches against what mtd knows: which rows are good, and what they mean. Pure, for a thread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from mtd.ingest.config import IngestConfig
from mtd.ingest.push.keys import KEY_CHARACTERS, KeyBook, Meant
from mtd.ingest.push.rows import EventRow, Problem, PushBatch, SampleRow, Value
from mtd.model.metric import Kind, Lane

_INT64 = 2**63
_FLOAT32 = 3.4028235e38
_SHOWN = 60
_REASONS_OF_A_ROW = 5

DeviceIds = Mapping[str, str]
"""Ids of a tenant's devices by name and by id."""

Labels = Mapping[tuple[str, str, str], str]
"""Instances by device, scope, and what people call them."""

SeriesName = tuple[str, str, Lane]
"""Metric, instance, lane."""


@dataclass(slots=True)
class Checked:
    """What a batch means: values by (device, time), and events with their devices."""

    frames: dict[tuple[str, int], dict[SeriesName, int | float]] = field(default_factory=dict)
    samples: int = 0
    events: list[tuple[str, EventRow]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class _Bad(ValueError):
    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Bounds:
    """The times that are taken, in microseconds since the epoch."""

    oldest_us: int
    newest_us: int
    now_us: int

    def check(self, at_us: int) -> None:
        """Raise for a time outside of them."""
        if at_us > self.newest_us:
            ahead_s = (at_us - self.now_us) / 1e6
            raise _Bad("future", f"ts is {ahead_s:,.0f} s ahead of mtd's clock: is the sender's clock right?")
        if at_us < self.oldest_us:
            days = (self.now_us - at_us) / 86_400e6
            raise _Bad("too_old", f"ts is {days:,.0f} days ago: values of that time aren't kept any more")


class Checker:
    """Holds rows against the catalogue and the inventory."""

    def __init__(self, book: KeyBook, settings: IngestConfig) -> None:
        self._book = book
        self._max_series = settings.max_series

    def named(self, batch: PushBatch) -> tuple[set[str], set[str]]:
        """Return which devices a batch names, and of which of them it names things."""
        devices = {row.device for row in batch.samples} | {row.device for row in batch.events}
        with_things: set[str] = set()
        for sample in batch.samples:
            if sample.device in with_things:
                continue
            meanings = (self._book.meaning(key) for key in sample.metrics if len(key) <= KEY_CHARACTERS)
            if any(meant is not None and meant.label for meant in meanings):
                with_things.add(sample.device)
        return devices, with_things

    def check(self, batch: PushBatch, devices: DeviceIds, labels: Labels, bounds: Bounds) -> Checked:
        """Return what a batch means, and which rows are wrong. ``problems`` has those of the batch as well."""
        checked = Checked(problems=list(batch.problems))
        for sample in batch.samples:
            try:
                self._take_sample(checked, sample, devices, labels, bounds)
            except _Bad as error:
                checked.problems.append(Problem(f"samples/{sample.number}", error.reason, str(error)))
        told: set[str] = set()
        for event in batch.events:
            try:
                if event.event_id in told:
                    raise _Bad("duplicate", "an event before it in the batch has the same id")
                device_id = _device(devices, event.device)
                bounds.check(event.at_us)
            except _Bad as error:
                checked.problems.append(Problem(f"events/{event.number}", error.reason, str(error)))
                continue
            told.add(event.event_id)
            checked.events.append((device_id, event))
        return checked

    def _take_sample(
        self, checked: Checked, sample: SampleRow, devices: DeviceIds, labels: Labels, bounds: Bounds
    ) -> None:
        device_id = _device(devices, sample.device)
        bounds.check(sample.at_us)
        values: dict[SeriesName, int | float] = {}
        wrong: list[_Bad] = []
        for key, value in sample.metrics.items():
            try:
                name, number = self._value(device_id, key, value, labels)
                if name in values:
                    raise _Bad("repeated", f"{_shown(key)} is given under two names")
                values[name] = number
            except _Bad as error:
                wrong.append(error)
        if wrong:
            more = len(wrong) - _REASONS_OF_A_ROW
            texts = [str(error) for error in wrong[:_REASONS_OF_A_ROW]] + [f"and {more} more"] * (more > 0)
            raise _Bad(wrong[0].reason, "; ".join(texts))
        known = checked.frames.get((device_id, sample.at_us), {})
        if not known.keys().isdisjoint(values):
            raise _Bad(
                "repeated", "a row before it in the batch has a value of the same device, time and key"
            )
        if len(known) + len(values) > self._max_series:
            raise _Bad("too_many_series", f"a device has at most {self._max_series:,} values at one time")
        checked.frames.setdefault((device_id, sample.at_us), {}).update(values)
        checked.samples += 1

    def _value(
        self, device_id: str, key: str, value: Value, labels: Labels
    ) -> tuple[SeriesName, int | float]:
        meant = self._book.meaning(key) if len(key) <= KEY_CHARACTERS and "\0" not in key else None
        if meant is None:
            raise _Bad(
                "unknown_metric", f"{_shown(key)} is no key of the catalogue, see `mtd catalogue` for those"
            )
        metric = meant.metric
        instance = labels.get((device_id, metric.scope, meant.label), meant.label)
        return (metric.key, instance, metric.lane), _number(key, value, meant)


def _device(devices: DeviceIds, device: str) -> str:
    found = devices.get(device)
    if found is None:
        # The same words for what is another tenant's: nobody learns by trying what others have.
        raise _Bad("unknown_device", f"there is no device {_shown(device)}")
    return found


def _number(key: str, value: Value, meant: Meant) -> int | float:
    kind = meant.metric.kind
    if kind is Kind.STATE:
        return _state(key, value, meant.metric.states)
    if isinstance(value, str):
        raise _Bad("wrong_kind", f"{_shown(key)} is a {kind}, not a state: give a number")
    if kind is Kind.COUNTER:
        return _counter(key, value)
    if not math.isfinite(value):
        raise _Bad("not_finite", f"{_shown(key)} is no finite number: leave out what isn't known")
    if kind is Kind.RATE and not 0 <= value <= _FLOAT32:
        raise _Bad("out_of_range", f"{_shown(key)} is a rate, which isn't below zero")
    return float(value)


def _counter(key: str, value: int | float) -> int:
    if isinstance(value, float):
        if not value.is_integer():  # infinity and NaN as well
            raise _Bad("wrong_kind", f"{_shown(key)} is a counter: give a whole number")
        if abs(value) > 2**53:
            raise _Bad(
                "wrong_kind", f"{_shown(key)} is a counter: give it without exponent, it isn't exact so"
            )
        value = int(value)
    if not 0 <= value < _INT64:
        raise _Bad("out_of_range", f"{_shown(key)} is a counter, which is between 0 and 2^63 - 1")
    return value


def _state(key: str, value: Value, states: Mapping[str, int]) -> float:
    known = states.get(value) if isinstance(value, str) else value if value in states.values() else None
    if known is None:
        names = ", ".join(sorted(states)[:20])
        raise _Bad("unknown_state", f"{_shown(key)} has no state {_shown(str(value))}; it has {names}")
    return float(known)


def _shown(text: str) -> str:
    return repr(text[:_SHOWN] + ("…" if len(text) > _SHOWN else ""))
