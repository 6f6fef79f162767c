"""Devices of every kind, for these tests."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hypothesis import strategies as st

from mtd.model.assignment import AssignedDevice, Assignment
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
from mtd.model.selection import ALL, T0Settings

TENANT = "00000000-0000-4000-8000-000000000001"
OTHER_TENANT = "00000000-0000-4000-8000-000000000002"

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
PORTS = st.integers(0, 65535)
SECONDS = st.floats(0.001, 1e6)
LIMITS = st.none() | st.just(ALL) | st.integers(0, 10_000)

# Each field of each class, by hand: a field that is added fails the test below until it is here, and fails to
# come back until it is carried.
FIELDS: dict[type[Any], dict[str, st.SearchStrategy[Any]]] = {
    RestSettings: {"port": PORTS, "tls_mode": st.sampled_from(TlsMode), "tls_fingerprint": TEXTS},
    SnmpSettings: {
        "version": st.sampled_from(SnmpVersion),
        "port": PORTS,
        "community": TEXTS,
        "username": TEXTS,
        "auth": st.sampled_from(SnmpAuth),
        "auth_password": TEXTS,
        "priv": st.sampled_from(SnmpPriv),
        "priv_password": TEXTS,
    },
    Login: {"username": TEXTS, "password": TEXTS, "problem": TEXTS},
    T0Settings: {
        "interfaces": LIMITS,
        "metrics": LIMITS,
        "pins": st.lists(TEXTS, max_size=3).map(tuple),
    },
}
FIELDS[Device] = {
    "device_id": st.uuids().map(str),
    "tenant_id": st.sampled_from((TENANT, OTHER_TENANT)),
    "name": TEXTS,
    "host": TEXTS,
    "port": PORTS,
    "username": TEXTS,
    "password": TEXTS,
    "tls_mode": st.sampled_from(TlsMode),
    "tls_fingerprint": TEXTS,
    "code_page": st.sampled_from(("latin-1", "cp1251", "cp1256")),
    "naming": st.sampled_from(InterfaceNaming),
    "enabled": st.booleans(),
    "connect_timeout_s": SECONDS,
    "command_timeout_s": SECONDS,
    "intervals_s": st.dictionaries(st.sampled_from(Tier), SECONDS),
    "labels": st.dictionaries(TEXTS, TEXTS, max_size=3),
    "revision": st.integers(0, 2**62),
    "ways": st.lists(st.sampled_from(Way), unique=True).map(tuple),
    "rest": st.builds(RestSettings, **FIELDS[RestSettings]),
    "snmp": st.none() | st.builds(SnmpSettings, **FIELDS[SnmpSettings]),
    "t0": st.builds(T0Settings, **FIELDS[T0Settings]),
    "config_login": st.none() | st.builds(Login, **FIELDS[Login]),
    "redundancy": st.integers(1, 2),
}
DEVICES = st.builds(Device, **FIELDS[Device])
ASSIGNED = st.builds(AssignedDevice, DEVICES, st.integers(1, 2**62), st.booleans())


def field_names(kind: type[Any]) -> set[str]:
    return {field.name for field in fields(kind)}


def device(number: int, tenant_id: str = TENANT, **others: Any) -> Device:
    """Return a device with a password that no other text holds."""
    return Device(
        device_id=f"10000000-0000-4000-8000-{number:012d}",
        tenant_id=tenant_id,
        name=f"router-{number}",
        host=f"192.0.2.{number}",
        port=8728,
        username="mtd",
        password=f"hunter2-{number}",
        **others,
    )


def assignment(revision: int, *devices: AssignedDevice) -> Assignment:
    return Assignment(revision, {one.device.device_id: one for one in devices})


def leased(number: int, epoch: int = 1, **others: Any) -> AssignedDevice:
    return AssignedDevice(device(number, **others), epoch)


def exclusive(number: int, epoch: int = 1, **others: Any) -> AssignedDevice:
    return AssignedDevice(device(number, **others), epoch, exclusive=True)
