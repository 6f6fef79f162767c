"""Settings of back-pressure."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

MIB = 1024 * 1024

FourSteps = tuple[PositiveFloat, PositiveFloat, PositiveFloat, PositiveFloat]
TwoSteps = tuple[PositiveFloat, PositiveFloat]


class PressureConfig(BaseModel):
    """From where on lower tiers are polled less often, in four steps: see docs/pressure.md."""

    model_config = ConfigDict(extra="forbid")

    buffer_fill: FourSteps = Field(
        default=(0.3, 0.5, 0.65, 0.8),
        description="Shares of the buffer in front of the event log at which the steps begin. T0 waits from 0.95 on.",
    )
    log_fill: FourSteps = Field(
        default=(0.3, 0.5, 0.65, 0.8),
        description="Shares of event_log.max_bytes that PostgreSQL, or the hub, doesn't have yet, at which the steps begin.",
    )
    backlog_s: TwoSteps = Field(
        default=(300.0, 3600.0),
        description="Seconds that PostgreSQL, or the hub, may be behind the event log until the first and the second step "
        "begin. The others are for lack of room: while there is room, a long outage alone stops no tier but T3.",
    )
    disk_low_bytes: int = Field(
        default=2048 * MIB,
        ge=1,
        description="Free space above event_log.min_free_bytes at which the first step begins, the others at a half, "
        "a quarter and an eighth of it; at most a tenth of the disk.",
    )
    release: float = Field(
        default=0.7, gt=0, lt=1, description="A step ends below this share of where it began."
    )
    rise_s: float = Field(
        default=2.0, ge=0, description="How long it has to be so until a step begins: a hiccup is none."
    )
    calm_s: float = Field(
        default=30.0, ge=0, description="How long it has to be better until a step ends; then the next one."
    )
    look_s: float = Field(default=1.0, gt=0, description="How often all that is looked at.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name in ("buffer_fill", "log_fill", "backlog_s"):
            steps = getattr(self, name)
            if any(later <= earlier for earlier, later in zip(steps, steps[1:], strict=False)):
                raise ValueError(f"{name}: each step has to begin above the one before it")
        return self
