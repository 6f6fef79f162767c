"""Settings of the scheduler."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from mtd.model.metric import DEFAULT_INTERVAL_S, Tier


class Intervals(BaseModel):
    """Seconds between polls, by tier; a device may have its own."""

    model_config = ConfigDict(extra="forbid")

    t0: PositiveFloat = Field(default=DEFAULT_INTERVAL_S[Tier.T0], description="Live values, seconds.")
    t1: PositiveFloat = Field(
        default=DEFAULT_INTERVAL_S[Tier.T1], description="Sessions and neighbours, seconds."
    )
    t2: PositiveFloat = Field(default=DEFAULT_INTERVAL_S[Tier.T2], description="Tables and health, seconds.")
    t3: PositiveFloat = Field(default=DEFAULT_INTERVAL_S[Tier.T3], description="Inventory, seconds.")

    def of(self, tier: Tier) -> float:
        """Return the interval of a tier in seconds."""
        return float(getattr(self, tier.value))


class SchedulerConfig(BaseModel):
    """How routers are polled."""

    model_config = ConfigDict(extra="forbid")

    intervals_s: Intervals = Field(default_factory=Intervals, description="Seconds between polls, by tier.")
    max_connecting: PositiveInt = Field(
        default=64, description="Connections and logins under way at once; sessions are not limited."
    )
    max_reconnecting: PositiveInt = Field(
        default=32,
        description="Of devices that failed before: they wait apart, so that dead ones don't delay live ones.",
    )
    max_first_readings: PositiveInt = Field(
        default=8,
        description="Devices whose tables are read for the first time after a connect at once, of each tier "
        "below T0: a start with many devices must not delay live values.",
    )
    backoff_first_s: PositiveFloat = Field(default=1.0, description="Wait after the first failure, seconds.")
    backoff_cap_s: PositiveFloat = Field(default=30.0, description="Longest wait after a failure, seconds.")
    breaker_failures: PositiveInt = Field(
        default=5, description="Failures in a row after which a device is only tried every breaker_open_s."
    )
    breaker_open_s: PositiveFloat = Field(
        default=60.0, description="Pause of a device that keeps failing, seconds."
    )
    cpu_guard_pct: float = Field(
        default=90.0,
        gt=0,
        le=101,
        description="Router CPU load at which tiers below T0 stop; 101 switches it off.",
    )
    cpu_guard_release_pct: float = Field(
        default=75.0, gt=0, le=100, description="Router CPU load below which they go on."
    )
    cpu_guard_polls: PositiveInt = Field(
        default=5, description="T0 polls in a row over (or under) the limit before the guard acts."
    )
    probe_interval_s: PositiveFloat = Field(
        default=6 * 3600.0, description="Seconds between capability probes."
    )
