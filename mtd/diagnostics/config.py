"""Settings of the tools that routers run on demand."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, model_validator

from mtd.diagnostics.tools import ToolName


class DiagnosticsConfig(BaseModel):
    """Tools that routers run on demand: who calls gets no more than this."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tools: list[ToolName] = Field(
        default=list(ToolName), description="Tools that may be run; an empty list forbids all."
    )
    max_runs: int = Field(
        default=8, ge=1, le=100, description="Runs at a time on all routers; on one router it is one."
    )
    max_tenant_runs: int = Field(
        default=5, ge=1, le=100, description="Runs of one tenant at a time, so that others find a place."
    )
    max_runs_per_hour: int = Field(
        default=60, ge=1, le=100_000, description="Runs that one caller may begin within an hour."
    )
    max_tenant_runs_per_hour: int = Field(
        default=600,
        ge=1,
        le=1_000_000,
        description="Runs that all callers of a tenant may begin within an hour, unless the tenant's quota says fewer.",
    )
    collector_targets: list[IPvAnyNetwork] = Field(
        default=[],
        description="Networks that ping and traceroute from the collector may be aimed at, beside the device that they"
        " are run for: callers see through them what the collector can reach.",
    )
    keep_days: float = Field(
        default=30.0, gt=0, le=3650, description="How long what runs found is kept, days."
    )
    keep_rows: int = Field(
        default=1000, ge=0, le=100_000, description="Most rows of a run that are kept; the first ones."
    )
    default_seconds: float = Field(
        default=10.0, gt=0, le=3600, description="How long a tool runs if the caller doesn't say."
    )
    max_seconds: float = Field(default=60.0, gt=0, le=3600, description="Longest run, seconds.")
    max_rows: int = Field(default=10_000, ge=1, le=100_000, description="Most rows of a run.")
    max_bytes: int = Field(
        default=4 * 1024 * 1024, ge=4096, le=64 * 1024 * 1024, description="Most bytes that a run may bring."
    )
    max_bandwidth_seconds: float = Field(
        default=15.0, gt=0, le=3600, description="Longest bandwidth test, seconds: it takes what others need."
    )
    max_bandwidth_bps: int = Field(
        default=100_000_000,
        ge=10_000,
        description="Most that a bandwidth test may send each way, bits per second.",
    )

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if self.default_seconds > self.max_seconds:
            raise ValueError(
                f"default_seconds is {self.default_seconds:g}, which is more than max_seconds {self.max_seconds:g}"
            )
        return self
