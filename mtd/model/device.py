"""Devices as the collector sees them, and what can become of a poll."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from mtd.model.metric import Tier

DEFAULT_TENANT_ID = "00000000-0000-4000-8000-000000000001"


class TlsMode(enum.StrEnum):
    """Transport security of a session. There is no automatic downgrade."""

    OFF = "off"
    VERIFY = "verify"  # signed by a trusted CA, name matches
    PINNED = "pinned"  # SHA-256 fingerprint matches
    ANONYMOUS = "anonymous"  # anonymous Diffie-Hellman: what RouterOS offers without a certificate
    INSECURE = "insecure"  # any certificate; asked for explicitly, shown red


class InterfaceNaming(enum.StrEnum):
    """How interfaces are labelled wherever people read them (X-28)."""

    NAME = "name"
    COMMENT = "comment"
    BOTH = "both"

    def label(self, name: str, comment: str) -> str:
        """Return the label of an interface. Without a comment it is its name."""
        if not comment or self is InterfaceNaming.NAME:
            return name
        return comment if self is InterfaceNaming.COMMENT else f"{name} ({comment})"


class DeviceStatus(enum.StrEnum):
    """What a NOC operator reads first about a device."""

    UNKNOWN = "unknown"
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    DISABLED = "disabled"


class Outcome(enum.StrEnum):
    """Result of a poll, or of an attempt to open a session, and its cause."""

    OK = "ok"
    NAME_NOT_FOUND = "name_not_found"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    TLS_FAILED = "tls_failed"
    LOGIN_FAILED = "login_failed"
    TIMED_OUT = "timed_out"
    NOT_PERMITTED = "not_permitted"
    BUSY = "busy"
    PROTOCOL_ERROR = "protocol_error"
    REPLY_TOO_LARGE = "reply_too_large"
    COMMAND_FAILED = "command_failed"


class Severity(enum.StrEnum):
    """How grave an event is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Device:
    """A router to be polled: the part of the inventory that a collector needs.

    The password is here because a session needs it; ``repr`` leaves it out.
    """

    device_id: str
    tenant_id: str
    name: str
    host: str
    port: int
    username: str
    password: str = field(repr=False)
    tls_mode: TlsMode = TlsMode.OFF
    tls_fingerprint: str = ""
    code_page: str = "latin-1"
    naming: InterfaceNaming = InterfaceNaming.NAME
    enabled: bool = True
    connect_timeout_s: float = 5.0
    command_timeout_s: float = 5.0
    intervals_s: Mapping[Tier, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
