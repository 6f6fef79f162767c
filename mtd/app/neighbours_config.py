"""Settings of what hubs on one database tell each other."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class NeighboursConfig(BaseModel):
    """Other hubs on the same database."""

    model_config = ConfigDict(extra="forbid")

    lease_s: float = Field(
        default=15.0, ge=3, description="A hub that isn't heard of for so long is held to be gone, seconds."
    )
    tell_interval_s: float = Field(
        default=0.3,
        gt=0,
        le=10,
        description="How often a hub tells the others, if there are any, of which devices it has newer values.",
    )
    read_interval_s: float = Field(
        default=0.3,
        gt=0,
        le=10,
        description="How often such values are read for streams and consoles that are open here.",
    )
    idle_read_interval_s: float = Field(
        default=5.0, gt=0, description="The same while nobody looks: how old what Prometheus scrapes may be."
    )
