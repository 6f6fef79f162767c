"""Metrics: keys, kinds, units and tiers (FEATURES S000-1.1, S000-6.3)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


class Tier(enum.StrEnum):
    """How often something is polled; also the name of the poll group."""

    T0 = "t0"
    T1 = "t1"
    T2 = "t2"
    T3 = "t3"


DEFAULT_INTERVAL_S: Mapping[Tier, float] = MappingProxyType(
    {Tier.T0: 1.0, Tier.T1: 10.0, Tier.T2: 60.0, Tier.T3: 900.0}
)


class Kind(enum.StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"  # only grows until the router resets it; exact 64-bit integer
    GAUGE = "gauge"  # goes up and down
    STATE = "state"  # one of a few named states, stored as its number
    RATE = "rate"  # per-second change of a counter, derived here


class Lane(enum.StrEnum):
    """Which packed list of a frame holds a value."""

    COUNTER = "counter"
    GAUGE = "gauge"  # gauges, and states by their number
    RATE = "rate"


class Unit(enum.StrEnum):
    """Units a metric may have. OpenMetrics base units where they exist."""

    BYTES = "bytes"
    PACKETS = "packets"
    BITS_PER_SECOND = "bits_per_second"
    PACKETS_PER_SECOND = "packets_per_second"
    EVENTS = "events"
    EVENTS_PER_SECOND = "events_per_second"
    PERCENT = "percent"
    SECONDS = "seconds"
    CELSIUS = "celsius"
    VOLTS = "volts"
    AMPERES = "amperes"
    WATTS = "watts"
    RPM = "rpm"
    HERTZ = "hertz"
    DBM = "dbm"
    DECIBELS = "decibels"
    COUNT = "count"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the catalogue.

    ``scope`` is the leading part of the key that names the measured thing: in
    the key as people see it, the instance's label follows the scope. Key
    ``iface.rx_bps`` with scope ``iface`` reads ``iface.ether1.rx_bps``. The
    scope of a metric of the device itself is empty.

    A rate says which counter it is derived from (``rate_of``, a key), and what
    turns the counter's unit into its own: 8 for bytes to bits.
    """

    key: str
    unit: Unit
    kind: Kind
    tier: Tier
    description: str
    since: str
    scope: str = ""
    expected_min: float | None = None
    expected_max: float | None = None
    states: Mapping[str, int] = field(default_factory=dict)
    rate_of: str = ""
    rate_scale: float = 1.0

    @property
    def lane(self) -> Lane:
        """The lane of a frame that holds the metric's values."""
        if self.kind is Kind.COUNTER:
            return Lane.COUNTER
        return Lane.RATE if self.kind is Kind.RATE else Lane.GAUGE


def full_key(key: str, scope: str, label: str) -> str:
    """Return the key as people see it: ``iface.ether1.rx_bps``."""
    if not scope or not label:
        return key
    return f"{scope}.{label}{key[len(scope) :]}"
