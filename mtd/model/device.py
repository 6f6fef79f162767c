"""Devices as the collector sees them, and what can become of a poll."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from mtd.model.metric import Tier
from mtd.model.selection import T0Settings

DEFAULT_TENANT_ID = "00000000-0000-4000-8000-000000000001"


class TlsMode(enum.StrEnum):
    """Transport security of a session. There is no automatic downgrade."""

    OFF = "off"
    VERIFY = "verify"  # signed by a trusted CA, name matches
    PINNED = "pinned"  # SHA-256 fingerprint matches
    ANONYMOUS = "anonymous"  # anonymous Diffie-Hellman: what RouterOS offers without a certificate
    INSECURE = "insecure"  # any certificate; asked for explicitly, shown red


class Way(enum.StrEnum):
    """How a device is asked, in the order in which ways are preferred (S000-6.1d)."""

    API = "api"  # the RouterOS API
    REST = "rest"  # REST of RouterOS 7
    SNMP = "snmp"  # standard counters only


class SnmpVersion(enum.StrEnum):
    """Versions of SNMP that are spoken. Version 1 has no 64-bit counters."""

    V2C = "2c"
    V3 = "3"


class SnmpAuth(enum.StrEnum):
    """How an SNMPv3 user proves who it is."""

    NONE = "none"
    MD5 = "md5"
    SHA1 = "sha1"


class SnmpPriv(enum.StrEnum):
    """How an SNMPv3 user's messages are encrypted."""

    NONE = "none"
    DES = "des"
    AES = "aes"  # AES-128


class InterfaceNaming(enum.StrEnum):
    """How interfaces are labelled wherever people read them (X-28)."""

    NAME = "name"
    COMMENT = "comment"
    BOTH = "both"

    def label(self, name: str, comment: str) -> str:
        """Return the label of an interface. Without a comment it is its name."""
        if not comment or self is InterfaceNaming.NAME:
            return name
        return comment if self is InterfaceNaming.COMMENT or not name else f"{name} ({comment})"


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
class RestSettings:
    """How REST is reached. It is as secure as it says, and never less."""

    port: int = 0  # 0: as the router's own list of services says
    tls_mode: TlsMode = TlsMode.VERIFY
    tls_fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class SnmpSettings:
    """How SNMP is spoken. ``repr`` leaves the secrets out.

    Version 2c has the community, version 3 the user and what proves it; a user
    without ``auth`` has no ``priv``.
    """

    version: SnmpVersion
    port: int = 161
    community: str = field(default="", repr=False)
    username: str = ""
    auth: SnmpAuth = SnmpAuth.NONE
    auth_password: str = field(default="", repr=False)
    priv: SnmpPriv = SnmpPriv.NONE
    priv_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """Who to log in as. ``problem``: why nobody can, and what to do about it."""

    username: str
    password: str = field(repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A router to be polled: the part of the inventory that a collector needs.

    The password is here because a session needs it; ``repr`` leaves it out.
    ``ways`` are those that may be used, the best first; REST without a port is
    used once the router has said that it has it, SNMP if there are settings.
    ``config_login``: its configuration is read as somebody else. ``redundancy``: so many collectors poll it at a time.
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
    ways: tuple[Way, ...] = tuple(Way)
    rest: RestSettings = RestSettings()
    snmp: SnmpSettings | None = None
    t0: T0Settings = T0Settings()
    config_login: Login | None = None
    redundancy: int = 1
