"""What to tell of an agent that doesn't answer as it should, and what to do about it."""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING

from mtd.model.device import Outcome, SnmpVersion

if TYPE_CHECKING:
    from mtd.model.device import Device, SnmpSettings

_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_AWAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


def silent(device: Device, settings: SnmpSettings, waited_s: float) -> str:
    """No answer at all: over UDP nobody says why."""
    if settings.version is SnmpVersion.V3:
        who = f"that {settings.username!r} is one of its users"
    else:
        who = "that the community is the right one (a wrong one gets no answer)"
    return (
        f"no answer from {_place(device, settings)} within {waited_s:.3g} s. Over UDP it can't be told whether the "
        "device is away, a firewall drops the requests, or it won't answer: check that it can be reached, that SNMP "
        f"is on (/snmp set enabled=yes), {who}, and that its addresses include the collector's (/snmp community)"
    )


def refused(device: Device, settings: SnmpSettings) -> str:
    """The device says that nobody listens there."""
    return (
        f"{_place(device, settings)} is closed: switch SNMP on (/snmp set enabled=yes), or correct the port"
    )


def not_let_in(device: Device, settings: SnmpSettings) -> str:
    """Version 3 says no; the library doesn't tell which of the reasons it was."""
    return (
        f"{_place(device, settings)} refused user {settings.username!r}: check the name, the two passwords and their "
        "protocols, and the security level against /snmp community on the device"
    )


def no_snmp(device: Device, settings: SnmpSettings) -> str:
    """What comes isn't SNMP."""
    return f"what answers on {_place(device, settings)} isn't SNMP: check that the port is that of /snmp"


def no_routeros(device: Device, settings: SnmpSettings, told: str) -> str:
    """It is SNMP, of something else."""
    return (
        f"what answers on {_place(device, settings)} isn't RouterOS ({told or 'it doesn’t tell what it is'}): "
        "check host and port"
    )


def of_os_error(device: Device, settings: SnmpSettings, text: str) -> tuple[Outcome, str]:
    """What the operating system says of sending or receiving."""
    found = _OS_ERROR.search(text)
    number = int(found[1]) if found is not None else 0
    if number == errno.ECONNREFUSED:
        return Outcome.REFUSED, refused(device, settings)
    what = os.strerror(number) if number else text
    if number in _AWAY:
        return Outcome.UNREACHABLE, f"{_place(device, settings)} can't be reached: {what}"
    return Outcome.UNREACHABLE, f"nothing can be sent to {_place(device, settings)}: {what}"


def _place(device: Device, settings: SnmpSettings) -> str:
    return f"{device.host} port {settings.port} (UDP)"
