"""Settings of the listeners for flows."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

_MOST_SAMPLING = 1_000_000


class ExporterConfig(BaseModel):
    """What is known better than by what an exporter tells."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sampling: int | None = Field(
        default=None,
        ge=1,
        le=_MOST_SAMPLING,
        description="It looks at one of so many packets, whatever it tells; 1: at each.",
    )
    domains: dict[int, str] = Field(
        default_factory=dict,
        description="Where several devices send from this address: each by its source id, or observation domain, as the "
        "device's id or `tenant-id/name`; its name alone does where there is one tenant only.",
    )


class EnrichmentConfig(BaseModel):
    """What is known of addresses beside what exporters tell. Files are of MaxMind's format."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_file: Path | None = Field(
        default=None,
        description="File of AS numbers, such as GeoLite2-ASN.mmdb: for records whose exporter tells none.",
    )
    country_file: Path | None = Field(
        default=None, description="File of countries, such as GeoLite2-Country.mmdb, or of cities."
    )
    internal: list[str] = Field(
        default_factory=list,
        description="Networks on our side, such as 10.0.0.0/8: records are outbound, inbound, internal or transit by them.",
    )
    internal_of: dict[str, list[str]] = Field(
        default_factory=dict, description="The same for devices of a tenant, by its id, instead of those."
    )

    @field_validator("internal")
    @classmethod
    def _are_networks(cls, texts: list[str]) -> list[str]:
        return [_network(text) for text in texts]

    @field_validator("internal_of")
    @classmethod
    def _are_networks_of(cls, tenants: dict[str, list[str]]) -> dict[str, list[str]]:
        return {tenant: [_network(text) for text in texts] for tenant, texts in tenants.items()}


class FlowsConfig(BaseModel):
    """Flows: on a router, ``/ip traffic-flow target`` with this machine as `dst-address`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=False, description="Whether to listen.")
    host: str = Field(
        default="0.0.0.0",  # noqa: S104 - routers send from elsewhere
        description="Address to listen on; `::` for IPv6 and IPv4.",
    )
    ports: list[int] = Field(
        default_factory=lambda: [2055, 4739, 6343],
        min_length=1,
        max_length=16,
        description="UDP ports. NetFlow v5 and v9, IPFIX and sFlow v5 are taken on each.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that receive and read; an exporter is always read by the same one. One does some hundred thousand records a second.",
    )
    receive_buffer_bytes: int = Field(
        default=32 * 2**20,
        ge=4096,
        le=2**30,
        description="What the kernel holds of each port while its reader is busy. More than net.core.rmem_max is had with CAP_NET_ADMIN only.",
    )
    max_waiting_bytes: int = Field(
        default=64 * 2**20,
        ge=2**20,
        description="Packed records of a worker that wait for the daemon; more are dropped and counted.",
    )
    flush_s: float = Field(
        default=5.0,
        gt=0,
        le=30,
        description="Records of an exporter are stored together this often, seconds; sooner if they are many.",
    )
    max_exporters: int = Field(
        default=2000,
        ge=1,
        le=100_000,
        description="Exporters of which templates are remembered; who was silent for longest gives way.",
    )
    enrichment: EnrichmentConfig = Field(
        default_factory=EnrichmentConfig, description="What is known of addresses."
    )
    exporters: dict[str, ExporterConfig] = Field(
        default_factory=dict, description='By their addresses, each a table `[flows.exporters."ADDRESS"]`.'
    )

    @field_validator("host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        return _address(host)

    @field_validator("exporters")
    @classmethod
    def _by_address(cls, exporters: dict[str, ExporterConfig]) -> dict[str, ExporterConfig]:
        return {_address(name): one for name, one in exporters.items()}

    @field_validator("ports")
    @classmethod
    def _are_ports(cls, ports: list[int]) -> list[int]:
        for port in ports:
            if not 0 <= port <= 65535:
                raise ValueError(f"{port} is no port")
        if len(set(ports) - {0}) + ports.count(0) != len(ports):
            raise ValueError("a port is there twice")
        return ports


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is no address") from None


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as wrong:
        raise ValueError(f"{text!r} is no network: {wrong}") from None
