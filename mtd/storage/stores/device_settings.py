"""What people set about a device: checked, as columns of its row, and as the collector takes it."""

from __future__ import annotations

import datetime as dt
import enum
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from mtd.core.errors import Refused
from mtd.model.credentials import Purpose
from mtd.model.device import (
    Device,
    InterfaceNaming,
    Login,
    RestSettings,
    SnmpAuth,
    SnmpPriv,
    SnmpSettings,
    SnmpVersion,
    TlsMode,
    Way,
)
from mtd.model.metric import Tier
from mtd.model.selection import T0Settings
from mtd.storage.errors import RowUnusable
from mtd.storage.txn import Row

_DEFAULT_CONNECT_TIMEOUT_S = 5.0
_DEFAULT_COMMAND_TIMEOUT_S = 5.0
_DEFAULT_PORT = 8728
_DEFAULT_TLS_PORT = 8729
SNMP_PORT = 161


class Secret(enum.StrEnum):
    """What is sealed besides the password."""

    SNMP_COMMUNITY = "snmp_community"
    SNMP_AUTH_PASSWORD = "snmp_auth_password"  # noqa: S105 - its name
    SNMP_PRIV_PASSWORD = "snmp_priv_password"  # noqa: S105


Secrets = Mapping[Secret, str]


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """What people set about a device. Timeouts of 0, and tiers that are missing: the collector's default.

    Without ``ways`` all are used that there are settings for. REST is as secure
    as the API unless ``rest_tls_mode`` says otherwise, and without a port it is
    where the router says. Without ``snmp_version`` there is no SNMP. Where a set of credentials is named, what
    it has counts, and the device's own login is used for the rest. ``site`` and ``groups`` are names or ids.
    """

    name: str
    host: str
    username: str
    port: int = 0
    tls_mode: TlsMode = TlsMode.OFF
    tls_fingerprint: str = ""
    code_page: str = "latin-1"
    naming: InterfaceNaming = InterfaceNaming.NAME
    enabled: bool = True
    connect_timeout_s: float = 0.0
    command_timeout_s: float = 0.0
    intervals_s: Mapping[Tier, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""
    t0: T0Settings = T0Settings()
    ways: tuple[Way, ...] = ()
    rest_port: int = 0
    rest_tls_mode: TlsMode | None = None
    rest_tls_fingerprint: str = ""
    snmp_version: SnmpVersion | None = None
    snmp_port: int = SNMP_PORT
    snmp_username: str = ""
    snmp_auth: SnmpAuth = SnmpAuth.NONE
    snmp_priv: SnmpPriv = SnmpPriv.NONE
    readonly_credentials: str = ""
    diagnostics_credentials: str = ""
    config_audit_credentials: str = ""
    site: str = ""
    groups: tuple[str, ...] = ()

    def checked(self) -> DeviceSettings:
        """Return the settings with the ports filled in. Raises Refused with all that is wrong."""
        wrong = [f"{name} is empty" for name in ("name", "host") if not getattr(self, name).strip()]
        if self.tls_mode is TlsMode.PINNED and not self.tls_fingerprint:
            wrong.append("tls_fingerprint is empty, but tls_mode is pinned")
        if self.connect_timeout_s < 0 or self.command_timeout_s < 0:
            wrong.append("a timeout is negative")
        wrong += [
            f"intervals_s.{tier} isn't positive" for tier, value in self.intervals_s.items() if value <= 0
        ]
        wrong += self.t0.problems()
        try:
            "".encode(self.code_page or "latin-1")
        except (LookupError, ValueError):  # unknown, or no name at all
            wrong.append(f"code_page {self.code_page!r} isn't known")
        filled = replace(
            self,
            port=self.port or default_port(self),
            snmp_port=self.snmp_port or SNMP_PORT,
            code_page=self.code_page or "latin-1",
        )
        ports = {"port": filled.port, "rest_port": filled.rest_port or None, "snmp_port": filled.snmp_port}
        wrong += [
            f"{name} {port} isn't between 1 and 65535"
            for name, port in ports.items()
            if port is not None and not 0 < port <= 65535
        ]
        wrong += filled._way_problems()
        if wrong:
            raise Refused("; ".join(wrong))
        return filled

    def _way_problems(self) -> list[str]:
        wrong = []
        if len(set(self.ways)) != len(self.ways):
            wrong.append("ways names one twice")
        if self.ways == (Way.REST,) and not self.rest_port:
            wrong.append("ways is rest alone, but rest_port isn't set: without the API nobody tells the port")
        if Way.SNMP in self.ways and self.snmp_version is None:
            wrong.append("ways names snmp, but snmp_version isn't set")
        if self.rest_tls_mode is TlsMode.PINNED and not (self.rest_tls_fingerprint or self.tls_fingerprint):
            wrong.append("rest_tls_fingerprint is empty, but rest_tls_mode is pinned")
        if self.snmp_version is SnmpVersion.V3 and not self.snmp_username:
            wrong.append("snmp_username is empty, but snmp_version is 3")
        if self.snmp_priv is not SnmpPriv.NONE and self.snmp_auth is SnmpAuth.NONE:
            wrong.append("snmp_priv encrypts only for a user with snmp_auth")
        return wrong

    def secrets(self) -> set[Secret]:
        """Return the secrets that these settings need."""
        if self.snmp_version is SnmpVersion.V2C:
            return {Secret.SNMP_COMMUNITY}
        if self.snmp_version is None or self.snmp_auth is SnmpAuth.NONE:
            return set()
        return {Secret.SNMP_AUTH_PASSWORD} | (
            {Secret.SNMP_PRIV_PASSWORD} if self.snmp_priv is not SnmpPriv.NONE else set()
        )


_SETS = tuple(purpose.setting for purpose in Purpose)
PLACES = frozenset(("site", "groups"))
"""Settings that aren't columns of the device's row; see `placing`. A record has none."""

SETTING_NAMES = frozenset(f.name for f in fields(DeviceSettings))
_NAMES = tuple(f.name for f in fields(DeviceSettings) if f.name not in PLACES)
COLUMNS = ", ".join(("tenant_id, device_id, revision, created_at, updated_at", *_NAMES))


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """A device of the inventory. Never holds a secret."""

    tenant_id: str
    device_id: str
    settings: DeviceSettings
    revision: int
    created_at: dt.datetime
    updated_at: dt.datetime


def default_port(settings: DeviceSettings) -> int:
    """Return the port of the API where nobody chose one."""
    return _DEFAULT_PORT if settings.tls_mode is TlsMode.OFF else _DEFAULT_TLS_PORT


def values_of(settings: DeviceSettings) -> dict[str, object]:
    """Return the columns of settings."""
    values = {name: _column(getattr(settings, name)) for name in _NAMES}
    values["t0"] = json.dumps(
        {key: value for key, value in asdict(settings.t0).items() if value not in (None, ())}
    )
    values.update({name: values[name] or None for name in _SETS})
    return values


def _column(value: object) -> object:
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    if isinstance(value, tuple):
        return [str(entry) for entry in value]
    if isinstance(value, enum.StrEnum):
        return value.value
    return "" if value is None else value


def record_of(row: Row) -> DeviceRecord:
    """Return the device of a row of COLUMNS. Raises RowUnusable if someone wrote what can't be."""
    try:
        tenant_id, device_id, revision, created_at, updated_at, *values = row
        settings = _settings(dict(zip(_NAMES, values, strict=True)))
    except (ValueError, TypeError, AttributeError) as error:
        raise RowUnusable(f"the row of device {row[1]} can't be read ({error}): correct it") from error
    return DeviceRecord(tenant_id, device_id, settings, revision, created_at, updated_at)


def _settings(values: dict[str, Any]) -> DeviceSettings:
    return DeviceSettings(**{name: _READ.get(name, _as_it_is)(value) for name, value in values.items()})


def _as_it_is(value: Any) -> Any:
    return value


_READ: Mapping[str, Callable[[Any], Any]] = {
    "tls_mode": TlsMode,
    "naming": InterfaceNaming,
    "intervals_s": lambda value: {Tier(tier): float(seconds) for tier, seconds in value.items()},
    "t0": lambda value: T0Settings(
        value.get("interfaces"), value.get("metrics"), tuple(value.get("pins", ()))
    ),
    "ways": lambda value: tuple(map(Way, value)),
    "rest_tls_mode": lambda value: TlsMode(value) if value else None,
    "snmp_version": lambda value: SnmpVersion(value) if value else None,
    "snmp_auth": SnmpAuth,
    "snmp_priv": SnmpPriv,
    **dict.fromkeys(_SETS, lambda value: value or ""),
}


def to_device(
    record: DeviceRecord,
    password: str,
    secrets: Secrets,
    *,
    username: str = "",
    config_login: Login | None = None,
) -> Device:
    """Return the device as a collector polls it; as ``username``, where a set of credentials has one."""
    settings = record.settings
    return Device(
        device_id=record.device_id,
        tenant_id=record.tenant_id,
        name=settings.name,
        host=settings.host,
        port=settings.port,
        username=username or settings.username,
        password=password,
        tls_mode=settings.tls_mode,
        tls_fingerprint=settings.tls_fingerprint,
        code_page=settings.code_page,
        naming=settings.naming,
        enabled=settings.enabled,
        connect_timeout_s=settings.connect_timeout_s or _DEFAULT_CONNECT_TIMEOUT_S,
        command_timeout_s=settings.command_timeout_s or _DEFAULT_COMMAND_TIMEOUT_S,
        intervals_s=settings.intervals_s,
        labels=settings.labels,
        revision=record.revision,
        ways=settings.ways or tuple(Way),
        rest=RestSettings(
            port=settings.rest_port,
            tls_mode=settings.rest_tls_mode or settings.tls_mode,
            tls_fingerprint=settings.rest_tls_fingerprint or settings.tls_fingerprint,
        ),
        snmp=_snmp(settings, secrets),
        t0=settings.t0,
        config_login=config_login,
    )


def _snmp(settings: DeviceSettings, secrets: Secrets) -> SnmpSettings | None:
    if settings.snmp_version is None:
        return None
    return SnmpSettings(
        version=settings.snmp_version,
        port=settings.snmp_port,
        community=secrets.get(Secret.SNMP_COMMUNITY, ""),
        username=settings.snmp_username,
        auth=settings.snmp_auth,
        auth_password=secrets.get(Secret.SNMP_AUTH_PASSWORD, ""),
        priv=settings.snmp_priv,
        priv_password=secrets.get(Secret.SNMP_PRIV_PASSWORD, ""),
    )
