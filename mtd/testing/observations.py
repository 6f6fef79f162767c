"""Reading observations in tests: values by name instead of by position."""

from __future__ import annotations

import math

from mtd.model.metric import Lane
from mtd.model.observation import FrameValues, Observation, StateChange


def series_name(metric: str, instance: str) -> str:
    """Return ``iface.rx_bps[*1]``, or the key alone for the device itself."""
    return f"{metric}[{instance}]" if instance else metric


def values_of(frame: FrameValues | None) -> dict[str, float]:
    """Return the values that are there, by series name."""
    return {name: value for name, value in all_values(frame).items() if value is not None}


def all_values(frame: FrameValues | None) -> dict[str, float | None]:
    """Return all values of a frame by series name; None where the router gave nothing."""
    if frame is None:
        return {}
    lanes = {Lane.COUNTER: frame.counters, Lane.GAUGE: frame.gauges, Lane.RATE: frame.rates}
    named: dict[str, float | None] = {}
    for lane, numbers in lanes.items():
        series = frame.layout.lane(lane)
        for entry, number in zip(series, numbers, strict=True):
            absent = number is None or math.isnan(number)
            named[series_name(entry.metric, entry.instance)] = None if absent else number
    return named


def doubtful_of(frame: FrameValues | None) -> set[str]:
    """Return the names of the rates that are of low confidence."""
    if frame is None:
        return set()
    rates = frame.layout.lane(Lane.RATE)
    return {series_name(rates[n].metric, rates[n].instance) for n in frame.low_confidence}


def events_of(observation: Observation, event_type: str) -> list[StateChange]:
    """Return the events of one type."""
    return [change for change in observation.state_changes if change.event_type == event_type]
