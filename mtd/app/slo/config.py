"""What is promised."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from mtd.model.slo import Objective


class SloConfig(BaseModel):
    """What is promised of mtd as a service, and how it is measured."""

    model_config = ConfigDict(extra="forbid")

    freshness_2s: float = Field(
        default=0.95, gt=0, lt=1, description="Share of looks at which live values are at most 2 s old."
    )
    freshness_5s: float = Field(
        default=0.99, gt=0, lt=1, description="Share of looks at which live values are at most 5 s old."
    )
    availability: float = Field(
        default=0.999, gt=0, lt=1, description="Share of the time that collectors take part."
    )
    acceptance: float = Field(
        default=0.999, gt=0, lt=1, description="Share of batches of events that are taken at the first try."
    )
    detection: float = Field(
        default=0.95, gt=0, lt=1, description="Share of routers that went down and were told of in time."
    )
    detect_within_s: float = Field(
        default=10.0, gt=0, description="In time is within so many seconds after a router's last answer."
    )
    look_interval_s: float = Field(default=10.0, ge=1, le=60, description="How often the fleet is looked at.")
    keep_days: float = Field(default=400.0, ge=31, description="How long the counts are kept.")
    clock_skew_s: float = Field(
        default=2.0,
        gt=0,
        description="A clock of a collector, of a program that sends, or of PostgreSQL that is further off is told of.",
    )

    @property
    def targets(self) -> Mapping[Objective, float]:
        """What is promised, by objective."""
        return {one: getattr(self, one.value) for one in Objective}
