"""Settings of the syslog listeners."""

from __future__ import annotations

import enum
import ipaddress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Stored(enum.StrEnum):
    """Which lines are kept."""

    ALL = "all"
    EVENTS = "events"


class LeastSevere(enum.StrEnum):
    """Severities of syslog, the worst first."""

    EMERGENCY = "emergency"
    ALERT = "alert"
    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"
    INFO = "info"
    DEBUG = "debug"


class SyslogConfig(BaseModel):
    """Lines of devices' logs, as they send them: on a router, ``/system logging action`` with this machine as `remote`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=False, description="Whether to listen.")
    host: str = Field(
        default="0.0.0.0",  # noqa: S104 - routers send from elsewhere
        description="Address to listen on; `::` for IPv6 and IPv4.",
    )
    udp: bool = Field(
        default=True, description="Whether to listen on UDP, where anybody may say to be anybody."
    )
    udp_port: int = Field(
        default=514,
        ge=0,
        le=65535,
        description="UDP port; routers send to 514. Ports below 1024 want the capability CAP_NET_BIND_SERVICE.",
    )
    tcp_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="TCP port, of RouterOS 7.18 and later and forwarders; none if not set.",
    )
    tls_port: int | None = Field(
        default=None, ge=0, le=65535, description="TCP port for TLS, usually 6514; none if not set."
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file with the certificate for TLS and what leads to its CA; `mtd ca issue` makes one.",
    )
    tls_key: Path | None = Field(default=None, description="PEM file with its key.")
    tls_client_ca: Path | None = Field(
        default=None,
        description="PEM file of CAs of which senders must have a certificate; any sender if not set.",
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Processes that receive and read what comes over UDP; 0: the daemon does. Above some 3,000 lines a second, set "
        "it to one for each 10,000. A sender's lines are always read by the same one; TCP and TLS stay with the daemon.",
    )
    receive_buffer_bytes: int = Field(
        default=32 * 2**20,
        ge=4096,
        le=2**30,
        description="What the kernel holds while mtd, or each worker, is busy. More than net.core.rmem_max is had with CAP_NET_ADMIN only;"
        " a smaller one than asked for is told at the start.",
    )
    max_waiting_bytes: int = Field(
        default=160 * 2**20,
        ge=2**16,
        description="Lines that were received and wait to be looked at, in the daemon; and as much in all workers, each of which has an "
        "equal part, for the senders that are its own. More are dropped and counted.",
    )
    max_connections: int = Field(default=1000, ge=1, le=100_000, description="TCP connections at a time.")
    max_connections_per_sender: int = Field(
        default=32,
        ge=1,
        le=100_000,
        description="TCP connections of one address at a time, on each port, idle ones as well; more are refused and counted.",
    )
    max_handshakes: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="TLS handshakes under way at a time. Then the oldest gives way to the next if it has taken a second; else "
        "that waits.",
    )
    handshake_s: float = Field(
        default=10.0, gt=0, le=60, description="A TLS handshake that takes longer is given up."
    )
    idle_s: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="TCP: when a sender pauses so long, what it sent is a line: RouterOS sends no end of one.",
    )
    flush_s: float = Field(
        default=0.5, gt=0, le=10, description="Lines of a device become one event this often, seconds."
    )
    lines_per_s: float = Field(
        default=1000.0,
        gt=0,
        description="Lines of a device that are taken in per second, ten seconds' worth at once; more are dropped, counted, and"
        " told on its timeline.",
    )
    repeat_window_s: float = Field(
        default=0.0,
        ge=0,
        le=3600,
        description="What a device sends again within so many seconds is stored as one more line, with how often it came;"
        " each by itself if 0.",
    )
    least_severe: LeastSevere = Field(
        default=LeastSevere.DEBUG, description="Lines that are less severe than that aren't stored."
    )
    stored: Stored = Field(
        default=Stored.ALL, description="all: each line. events: those only that a rule knows."
    )
    rules_file: Path | None = Field(
        default=None,
        description="YAML file of rules of one's own, which go before those that come with mtd; `mtd syslog rules` tests it.",
    )

    @model_validator(mode="after")
    def _listens_somewhere(self) -> SyslogConfig:
        if not self.udp and self.tcp_port is None and self.tls_port is None:
            raise ValueError("syslog.udp is off: set syslog.tcp_port or syslog.tls_port")
        return self

    @model_validator(mode="after")
    def _tls_has_what_it_needs(self) -> SyslogConfig:
        if self.tls_port is not None and (self.tls_certificate is None or self.tls_key is None):
            raise ValueError("syslog.tls_port needs syslog.tls_certificate and syslog.tls_key")
        return self

    @field_validator("host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            raise ValueError(f"{host!r} is no address") from None
