"""Settings of coordination."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator


class LeaseBackend(StrEnum):
    """What keeps leases."""

    POSTGRESQL = "postgresql"
    JETSTREAM = "jetstream"


class CoordinationConfig(BaseModel):
    """Who polls what, and how soon others take over.

    A process that ends without a word is replaced within ``lease_s`` and about a second. All hubs of a database
    have the same values.
    """

    model_config = ConfigDict(extra="forbid")

    leases: LeaseBackend = Field(
        default=LeaseBackend.POSTGRESQL,
        description="What keeps the leases: postgresql, or jetstream, the NATS servers of event_log.jetstream.",
    )
    lease_s: float = Field(
        default=6.0,
        ge=1.0,
        le=300.0,
        description="How long a collector that isn't heard of keeps its devices, seconds. Those that nobody else could"
        " poll stay with it.",
    )
    renew_s: PositiveFloat = Field(
        default=2.0,
        description="A collector renews its lease this often, seconds; at most a third of lease_s.",
    )
    margin_s: float = Field(
        default=0.5,
        ge=0.05,
        description="So much earlier than its hub a collector takes its lease for over, seconds.",
    )
    check_s: PositiveFloat = Field(
        default=1.0,
        description="The coordinator looks for leases that are over this often, seconds, beside when they end.",
    )

    poll_without_store: bool = Field(
        default=False,
        description="A hub that polls, and isn't the only one: whether it goes on with its devices while what keeps the"
        " leases can't be asked. Others can't take them over then; but if only this hub is cut off they do, and both poll.",
    )

    @model_validator(mode="after")
    def _fits(self) -> CoordinationConfig:
        if self.renew_s > self.lease_s / 3:
            raise ValueError(
                f"coordination.renew_s is {self.renew_s:g} and lease_s {self.lease_s:g}: two renewals that get lost would"
                " end the lease; renew at least three times as often"
            )
        if self.margin_s > self.lease_s / 4:
            raise ValueError(
                f"coordination.margin_s is {self.margin_s:g}, more than a quarter of lease_s {self.lease_s:g}"
            )
        return self
