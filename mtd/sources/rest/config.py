"""Settings of the REST source; those of one device are in `mtd.model.device.RestSettings`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RestConfig(BaseModel):
    """Limits of every session. TLS trusts what the API source trusts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_at_once: int = Field(
        default=2,
        ge=1,
        le=4,
        description="Requests that a router is given at once, and connections to it. The polls of a tier ask "
        "one after the other.",
    )
    row_bytes: int = Field(
        default=256 * 1024, ge=1024, description="Longest row of JSON that is accepted from a router."
    )
    close_timeout_s: float = Field(
        default=1.0, gt=0, le=30, description="Seconds for an orderly end of a connection before it is cut."
    )
