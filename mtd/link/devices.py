"""Devices as messages, and back: every field, secrets included."""

from __future__ import annotations

from mtd.core.errors import Refused
from mtd.model.assignment import AssignedDevice
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
from mtd.model.pb_enums import NAMING, SNMP_AUTH, SNMP_PRIV, SNMP_VERSION, TLS_MODE, WAY
from mtd.model.selection import T0Settings, limit_of, text_of
from mtd.pb.collector.v1 import assignment_pb2 as pb


class DeviceUnreadable(Refused):
    """A message names what this version doesn't know, and guessing would be dangerous."""

    hint = "update mtd on the collector to the version of the hub"


def device_message(device: Device) -> pb.PolledDevice:
    """Return the message of a device. It holds secrets in clear, and must not be logged."""
    login, snmp = device.config_login, device.snmp
    return pb.PolledDevice(
        device_id=device.device_id,
        tenant_id=device.tenant_id,
        name=device.name,
        host=device.host,
        port=device.port,
        username=device.username,
        password=device.password,
        tls_mode=TLS_MODE.to_pb(device.tls_mode),
        tls_fingerprint=device.tls_fingerprint,
        code_page=device.code_page,
        naming=NAMING.to_pb(device.naming),
        enabled=device.enabled,
        connect_timeout_s=device.connect_timeout_s,
        command_timeout_s=device.command_timeout_s,
        intervals_s={str(tier): seconds for tier, seconds in device.intervals_s.items()},
        labels=device.labels,
        revision=device.revision,
        redundancy=device.redundancy,
        ways=[WAY.to_pb(way) for way in device.ways],
        rest=pb.RestSettings(
            port=device.rest.port,
            tls_mode=TLS_MODE.to_pb(device.rest.tls_mode),
            tls_fingerprint=device.rest.tls_fingerprint,
        ),
        snmp=None if snmp is None else _snmp_message(snmp),
        t0=pb.LiveSettings(
            interfaces=text_of(device.t0.interfaces),
            metrics=text_of(device.t0.metrics),
            pins=device.t0.pins,
        ),
        config_login=None
        if login is None
        else pb.Login(username=login.username, password=login.password, problem=login.problem),
    )


def device_of(message: pb.PolledDevice) -> Device:
    """Return the device of a message. Raises DeviceUnreadable rather than poll less securely than it says."""
    # A way that this version doesn't know can't be used; the others can.
    ways = tuple(WAY.from_pb(way, Way.API) for way in message.ways if WAY.knows(way))
    if message.ways and not ways:
        raise DeviceUnreadable(f"{message.name} is to be asked in ways that this version doesn't know")
    return Device(
        device_id=message.device_id,
        tenant_id=message.tenant_id,
        name=message.name,
        host=message.host,
        port=message.port,
        username=message.username,
        password=message.password,
        tls_mode=_tls_mode(message.tls_mode, message.name),
        tls_fingerprint=message.tls_fingerprint,
        code_page=message.code_page,
        naming=NAMING.from_pb(message.naming, InterfaceNaming.NAME),
        enabled=message.enabled,
        connect_timeout_s=message.connect_timeout_s,
        command_timeout_s=message.command_timeout_s,
        intervals_s={Tier(tier): seconds for tier, seconds in message.intervals_s.items() if tier in _TIERS},
        labels=dict(message.labels),
        redundancy=max(1, message.redundancy),
        revision=message.revision,
        ways=ways,
        rest=RestSettings(
            port=message.rest.port,
            tls_mode=_tls_mode(message.rest.tls_mode, message.name),
            tls_fingerprint=message.rest.tls_fingerprint,
        ),
        snmp=_snmp_of(message.snmp) if message.HasField("snmp") else None,
        t0=T0Settings(limit_of(message.t0.interfaces), limit_of(message.t0.metrics), tuple(message.t0.pins)),
        config_login=_login_of(message.config_login) if message.HasField("config_login") else None,
    )


def assigned_message(assigned: AssignedDevice) -> pb.AssignedDevice:
    """Return the message of an assigned device."""
    return pb.AssignedDevice(
        device=device_message(assigned.device), epoch=assigned.epoch, exclusive=assigned.exclusive
    )


def assigned_of(message: pb.AssignedDevice) -> AssignedDevice:
    """Return the assigned device of a message. Raises DeviceUnreadable."""
    return AssignedDevice(device_of(message.device), message.epoch, message.exclusive)


_TIERS = frozenset(map(str, Tier))


def _tls_mode(number: int, name: str) -> TlsMode:
    if not TLS_MODE.knows(number):
        raise DeviceUnreadable(f"{name} is to be reached by a mode of TLS that this version doesn't know")
    return TLS_MODE.from_pb(number, TlsMode.VERIFY)


def _snmp_message(snmp: SnmpSettings) -> pb.SnmpSettings:
    return pb.SnmpSettings(
        version=SNMP_VERSION.to_pb(snmp.version),
        port=snmp.port,
        community=snmp.community,
        username=snmp.username,
        auth=SNMP_AUTH.to_pb(snmp.auth),
        auth_password=snmp.auth_password,
        priv=SNMP_PRIV.to_pb(snmp.priv),
        priv_password=snmp.priv_password,
    )


def _snmp_of(message: pb.SnmpSettings) -> SnmpSettings | None:
    known = (
        SNMP_VERSION.knows(message.version)
        and SNMP_AUTH.knows(message.auth)
        and SNMP_PRIV.knows(message.priv)
    )
    if not known:  # it isn't spoken in any other way than it says
        return None
    return SnmpSettings(
        version=SNMP_VERSION.from_pb(message.version, SnmpVersion.V3),
        port=message.port,
        community=message.community,
        username=message.username,
        auth=SNMP_AUTH.from_pb(message.auth, SnmpAuth.NONE),
        auth_password=message.auth_password,
        priv=SNMP_PRIV.from_pb(message.priv, SnmpPriv.NONE),
        priv_password=message.priv_password,
    )


def _login_of(message: pb.Login) -> Login:
    return Login(message.username, message.password, message.problem)
