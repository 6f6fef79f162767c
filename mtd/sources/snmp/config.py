"""Settings of the SNMP source; those of one device are in `mtd.model.device.Device.snmp`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SnmpConfig(BaseModel):
    """Limits of what is asked of a device over SNMP."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    objects_per_request: int = Field(
        default=24,
        ge=1,
        le=64,
        description="Objects that one request asks for: an answer should fit into one packet of the network.",
    )
    requests_in_flight: int = Field(
        default=2, ge=1, le=16, description="Requests that a device is given at once; the rest wait."
    )
    repeat_after_s: float = Field(
        default=1.0,
        gt=0,
        le=30,
        description="Seconds without an answer after which a request is sent again: packets may be lost.",
    )
    rows_known_for_s: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="Seconds for which the rows of a table are taken to be those that were found; new ones are "
        "seen after this at the latest. One that is gone, or is called otherwise, is noticed at once.",
    )
    walk_rows: int = Field(
        default=25_000,
        ge=1,
        description="Rows that are looked at to find those of a table; a table with more isn't read.",
    )
