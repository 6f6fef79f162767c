"""Settings of the link between edges and hubs."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class LinkConfig(BaseModel):
    """The link between edges and hubs, of either end."""

    model_config = ConfigDict(extra="forbid")

    answer_timeout_s: float = Field(
        3.0,
        ge=0.5,
        description="Edge: a hub that has not answered for so long is left, and the next one called, seconds.",
    )
    first_retry_s: float = Field(
        0.2, gt=0, description="Edge: first wait before a hub is called again, seconds; it doubles."
    )
    longest_retry_s: float = Field(
        5.0, gt=0, description="Edge: longest wait before a hub is called again, seconds."
    )
    refused_grace_s: float = Field(
        60.0,
        ge=0,
        description="Edge: refused for so long, it lets go of what it polls without a lease, and forgets it, seconds.",
    )
    superseded_pause_s: float = Field(
        120.0,
        ge=1,
        description="Edge: how long it stays silent after another process with its certificate took its place, seconds.",
    )
    max_commands: int = Field(
        16, ge=1, description="Edge: commands of its hub that it carries out at a time; more are refused."
    )
    max_links: int = Field(
        2000, ge=1, description="Hub: most collectors at the edge that are linked with one hub."
    )
    part_devices: int = Field(
        100, ge=1, le=1000, description="Hub: devices in one message of what a collector is to poll."
    )
    report_interval_s: float = Field(
        10.0, gt=0, description="Hub: how often what a collector says of itself is stored, seconds."
    )
    max_row_reads: int = Field(
        4, ge=1, description="Hub: collectors that read the rows of their devices at a time; others wait."
    )
