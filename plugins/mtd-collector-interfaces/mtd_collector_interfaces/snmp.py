"""What SNMP tells of interfaces: IF-MIB, and the vendor's tables of the same index.

The index of an interface is its internal id, so that the series that were
begun over the API go on. What can't be told for sure isn't: kinds, drops of
queues, and packets where the agent counts them in several places.
"""

from __future__ import annotations

from mtd.plugin import SnmpField, SnmpTable
from mtd.plugin.declaration.snmp import Convert, SnmpValue
from mtd.plugin.snmp_values import (
    INTERNAL_ID,
    decimal,
    dynamic_name,
    link_rate,
    mac_address,
    number,
    positive,
    text,
    undivided,
    words,
)

_IF = "1.3.6.1.2.1.2.2.1"
_IFX = "1.3.6.1.2.1.31.1.1.1"
_MIKROTIK = "1.3.6.1.4.1.14988.1.1"
_OPTICAL = f"{_MIKROTIK}.19.1.1"
_SUPPLY = f"{_OPTICAL}.7"
_LINK_DOWNS = f"{_MIKROTIK}.14.1.1.90"

_POE = f"{_MIKROTIK}.15.1.1"

_NAME = f"{_IFX}.1"
# Interfaces that are configured are numbered from 1. RouterOS gives those of sessions numbers from here on: there
# may be thousands, which are left out by their names in any case.
_OF_SESSIONS = 0xF00000
_ETHERNET = 6
_POWERED_ON = 3

_IS_UP = words({1: b"true", 2: b"false", 5: b"false", 6: b"false", 7: b"false"})
_IS_DISABLED = words({1: b"false", 2: b"true"})
_KIND = words({_ETHERNET: b"ether"})


def _field(name: str, convert: Convert, *oids: str) -> SnmpField:
    return SnmpField(field=name, oids=oids, convert=convert)


_POE_STATUS = words(
    {
        1: b"disabled",
        2: b"waiting-for-load",
        _POWERED_ON: b"powered-on",
        4: b"overload",
        5: b"short-circuit",
        6: b"voltage-too-low",
        7: b"current-too-low",
        9: b"voltage-too-high",
        10: b"controller-error",
        11: b"controller-upgrade",
        12: b"voltage-on-poe-in",
        13: b"no-valid-PSU",
        14: b"controller-init",
        15: b"low-voltage-too-low",
    }
)


def _of_module(convert: Convert) -> Convert:
    """Return what writes a reading of an optical module: one that is powered, or it has none to tell."""

    def written(value: SnmpValue, supply: SnmpValue) -> bytes | None:
        return convert(value) if isinstance(supply, int) and supply > 0 else None

    return written


def _if_powered(convert: Convert) -> Convert:
    """Return what writes a reading of a port that feeds something: the API has none of others."""

    def written(value: SnmpValue, status: SnmpValue) -> bytes | None:
        return convert(value) if status == _POWERED_ON else None

    return written


# 64-bit counters only: those of 32 bits wrap within a minute at 1 Gbit/s. There are no others of errors
# and discards, which take years for that.
INTERFACE = SnmpTable(
    rows=_NAME,
    below=_OF_SESSIONS,
    key=INTERNAL_ID,
    name="name",
    fields=(
        _field("rx-byte", number, f"{_IFX}.6"),
        _field("tx-byte", number, f"{_IFX}.10"),
        _field("rx-packet", undivided, f"{_IFX}.7", f"{_IFX}.8", f"{_IFX}.9"),
        _field("tx-packet", undivided, f"{_IFX}.11", f"{_IFX}.12", f"{_IFX}.13"),
        _field("rx-error", number, f"{_IF}.14"),
        _field("tx-error", number, f"{_IF}.20"),
        _field("rx-drop", number, f"{_IF}.13"),
        _field("tx-drop", number, f"{_IF}.19"),
        # The vendor's table has 0 for what isn't known of an interface.
        _field("link-downs", positive, _LINK_DOWNS),
        _field("running", _IS_UP, f"{_IF}.8"),
        _field("disabled", _IS_DISABLED, f"{_IF}.7"),
        _field("name", text, _NAME),
        _field("dynamic", dynamic_name, _NAME),
        _field("comment", text, f"{_IFX}.18"),
        _field("mac-address", mac_address, f"{_IF}.6"),
        _field("actual-mtu", number, f"{_IF}.4"),
    ),
)

ETHERNET = SnmpTable(
    rows=_NAME,
    below=_OF_SESSIONS,
    key=INTERNAL_ID,
    only=("type=ether",),
    name="name",
    fields=(_field("name", text, _NAME), _field("type", _KIND, f"{_IF}.3")),
)

LINK = SnmpTable(
    rows=_NAME,
    below=_OF_SESSIONS,
    key=INTERNAL_ID,
    arguments=("once",),
    name="name",
    fields=(
        _field("name", text, _NAME),
        _field("rate", link_rate, f"{_IFX}.15"),
        _field("sfp-temperature", _of_module(number), f"{_OPTICAL}.6", _SUPPLY),
        _field("sfp-supply-voltage", _of_module(decimal(3)), f"{_OPTICAL}.7", _SUPPLY),
        _field("sfp-tx-bias-current", _of_module(number), f"{_OPTICAL}.8", _SUPPLY),
        _field("sfp-tx-power", _of_module(decimal(3)), f"{_OPTICAL}.9", _SUPPLY),
        _field("sfp-rx-power", _of_module(decimal(3)), f"{_OPTICAL}.10", _SUPPLY),
    ),
)

POE = SnmpTable(rows=f"{_POE}.2", key=INTERNAL_ID, name="name", fields=(_field("name", text, f"{_POE}.2"),))

POE_OUT = SnmpTable(
    rows=f"{_POE}.2",
    key=INTERNAL_ID,
    arguments=("once",),
    name="name",
    fields=(
        _field("name", text, f"{_POE}.2"),
        _field("poe-out-status", _POE_STATUS, f"{_POE}.3"),
        _field("poe-out-voltage", _if_powered(decimal(1)), f"{_POE}.4", f"{_POE}.3"),
        _field("poe-out-current", _if_powered(number), f"{_POE}.5", f"{_POE}.3"),
        _field("poe-out-power", _if_powered(decimal(1)), f"{_POE}.6", f"{_POE}.3"),
    ),
)
