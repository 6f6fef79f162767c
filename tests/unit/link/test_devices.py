"""Devices go over the link whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from mtd.link.devices import DeviceUnreadable, assigned_message, assigned_of, device_message, device_of
from mtd.model.assignment import AssignedDevice
from mtd.model.device import Device, SnmpSettings, SnmpVersion, Way
from mtd.pb.collector.v1 import assignment_pb2 as pb
from tests.unit.link.devices_made import ASSIGNED, FIELDS, device, field_names


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_every_field_is_tried(kind: type[Any]) -> None:
    assert set(FIELDS[kind]) == field_names(kind), (
        "add the new field to FIELDS, and carry it in mtd/link/devices.py"
    )


@settings(max_examples=40)
@given(ASSIGNED)
def test_a_device_comes_back_as_it_was(assigned: AssignedDevice) -> None:
    sent = assigned_message(assigned).SerializeToString()
    assert assigned_of(pb.AssignedDevice.FromString(sent)) == assigned


def test_an_unknown_mode_of_tls_is_never_guessed() -> None:
    message = device_message(device(1))
    message.tls_mode = 77  # type: ignore[assignment]
    with pytest.raises(DeviceUnreadable, match="mode of TLS"):
        device_of(message)
    message = device_message(device(1))
    message.rest.tls_mode = 0
    with pytest.raises(DeviceUnreadable, match="mode of TLS"):
        device_of(message)


def test_unknown_ways_are_left_out_unless_there_are_no_others() -> None:
    message = device_message(device(1, ways=(Way.SNMP,)))
    message.ways.append(9)  # type: ignore[arg-type]
    assert device_of(message).ways == (Way.SNMP,)
    del message.ways[0]
    with pytest.raises(DeviceUnreadable, match="ways"):
        device_of(message)


def test_snmp_is_spoken_as_it_is_told_or_not_at_all() -> None:
    message = device_message(device(1, snmp=SnmpSettings(SnmpVersion.V3, username="mon")))
    message.snmp.auth = 9  # type: ignore[assignment]
    assert device_of(message).snmp is None


def test_secrets_are_marked_as_such() -> None:
    """So that audit and logs leave them out, wherever a message gets to."""
    secret = {"password", "community", "auth_password", "priv_password"}
    for message in (pb.PolledDevice, pb.SnmpSettings, pb.Login):
        for field in message.DESCRIPTOR.fields:
            assert field.GetOptions().debug_redact == (field.name in secret), field.full_name


def test_a_device_doesnt_show_its_secrets() -> None:
    shown = repr(AssignedDevice(Device("d", "t", "n", "h", 1, "u", "hunter2"), 1))
    assert "hunter2" not in shown
