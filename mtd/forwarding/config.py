"""Settings of forwarding."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

MIB = 1024 * 1024


class HubConfig(BaseModel):
    """Where the hub of a collector is."""

    model_config = ConfigDict(extra="forbid")

    targets: list[str] = Field(
        default_factory=list,
        max_length=16,
        description="Further addresses (HOST:PORT) at which hubs take collectors, tried in turn after the one that this "
        "collector enrolled with. All of them have to know it: hubs that share a database do.",
    )


class ForwardConfig(BaseModel):
    """How a collector copies its log to the hub."""

    model_config = ConfigDict(extra="forbid")

    live_horizon_s: float = Field(
        default=10.0,
        gt=0,
        description="What is older when the hub can be reached goes the way of the backfill, behind what is new. So does "
        "what is new once it waits for three times as long.",
    )
    backfill_bytes_per_s: float = Field(
        default=4 * MIB, gt=0, description="Most bytes per second of what could not be sent when it was new."
    )
    backfill_events_per_s: float = Field(
        default=50_000.0,
        gt=0,
        description="Most events per second of what could not be sent when it was new.",
    )
    compress: bool = Field(
        default=False,
        description="Pack what is sent with gzip: for lines that are narrow or cost by the byte.",
    )
    batch_bytes: int = Field(
        default=1 * MIB,
        ge=1024,
        description="Largest batch; the hub may allow less, and a single event may be larger.",
    )
    retry_first_s: float = Field(
        default=0.5, gt=0, description="Wait after the first failure to reach the hub."
    )
    retry_cap_s: float = Field(
        default=15.0, gt=0, description="Longest wait between tries, unless the hub asks for more."
    )
    ack_timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="A hub that takes nothing for so long, and a second longer for each 32 KiB of a batch, is tried "
        "again, or the next one.",
    )
    lost_after_s: float = Field(
        default=10.0,
        gt=0,
        description="A hub that can't be reached for so long is an event: collector.hub.lost.",
    )
