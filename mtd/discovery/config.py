"""Settings of discovery."""

from __future__ import annotations

import ipaddress

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mtd.codec.mndp import PORT


class DiscoveryConfig(BaseModel):
    """Devices that the inventory may not have. Nothing is scanned, and nothing listened to, unless it says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mndp: bool = Field(
        default=False, description="Listen to what MikroTik devices in the same network announce (MNDP)."
    )
    mndp_host: str = Field(
        default="0.0.0.0",  # noqa: S104 - broadcasts reach no other address
        description="Address to listen on for announcements. They are broadcasts, which Linux gives to "
        "listeners on all addresses only.",
    )
    mndp_port: int = Field(
        default=PORT, ge=0, le=65535, description="UDP port of announcements; routers send to 5678."
    )
    max_datagrams_per_s: int = Field(
        default=200, ge=1, description="Announcements that are looked at; more are dropped and counted."
    )
    max_new_per_minute: int = Field(
        default=60,
        ge=1,
        description="Devices that were never seen before and are taken in, per minute, after the first thousand: "
        "anybody can announce any number of them.",
    )
    repeat_s: float = Field(
        default=3600.0,
        ge=60,
        description="A device that says nothing new is told to be still there this often, seconds.",
    )
    keep_days: float = Field(
        default=30.0, gt=0, description="Proposals that nobody decided about go when not seen for so long."
    )
    max_proposals: int = Field(
        default=10_000,
        ge=1,
        le=100_000,
        description="Proposals of a tenant that nobody decided about; the oldest go.",
    )
    subnets: list[str] = Field(
        default=[],
        description='Subnets that operators may have scanned, such as ["10.0.0.0/22"]; nothing else ever is.',
    )
    scan_max_addresses: int = Field(
        default=4096, ge=1, le=65536, description="Most addresses of one scan: larger ones are refused."
    )
    scan_connections: int = Field(
        default=64, ge=1, le=1024, description="Connections that a scan has under way at a time."
    )
    scan_per_s: float = Field(
        default=100.0, ge=1, le=10_000, description="Connections that a scan begins per second."
    )
    scan_timeout_s: float = Field(
        default=2.0, ge=0.5, le=30, description="How long a scan waits for each answer, seconds."
    )

    @field_validator("subnets")
    @classmethod
    def _are_networks(cls, subnets: list[str]) -> list[str]:
        found = []
        for text in subnets:
            try:
                found.append(str(ipaddress.ip_network(text)))
            except ValueError as error:
                raise ValueError(f"{text!r} is no subnet: {error}") from None
        return found

    @field_validator("mndp_host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            raise ValueError(f"{host!r} is no address") from None
