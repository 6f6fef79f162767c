"""What SNMP tells of the router itself: HOST-RESOURCES-MIB and the vendor's health.

The size and the use of memory and disk are told in units, with the indices
that RouterOS gives them. States of power supplies are left out: sources
don't agree which of their numbers is the good one.
"""

from __future__ import annotations

from mtd.plugin import SnmpField, SnmpKey, SnmpTable
from mtd.plugin.declaration.snmp import Convert, SnmpValue
from mtd.plugin.snmp_values import decimal, mean, number, positive, product, remainder, text, ticks, words

_UPTIME = "1.3.6.1.2.1.1.3.0"
_PROCESSOR_LOAD = "1.3.6.1.2.1.25.3.3.1.2"
_STORAGE = "1.3.6.1.2.1.25.2.3.1"
_UNIT, _SIZE, _USED = f"{_STORAGE}.4", f"{_STORAGE}.5", f"{_STORAGE}.6"
_MEMORY, _DISK = 65_536, 131_072
_HEALTH = "1.3.6.1.4.1.14988.1.1.3"
_GAUGES = f"{_HEALTH}.100.1"

# Units of the vendor's gauges: as they are, or in tenths.
_CELSIUS, _RPM, _DECIVOLTS, _DECIAMPERES, _DECIWATTS = 1, 2, 3, 4, 5
_UNITS = {_CELSIUS: b"C", _RPM: b"RPM", _DECIVOLTS: b"V", _DECIAMPERES: b"A", _DECIWATTS: b"W"}
_TENTHS = frozenset((_DECIVOLTS, _DECIAMPERES, _DECIWATTS))
_tenths = decimal(1)


def _field(name: str, convert: Convert, *oids: str, column: bool = False) -> SnmpField:
    return SnmpField(field=name, oids=oids, convert=convert, column=column)


def _of(index: int, *columns: str) -> tuple[str, ...]:
    return tuple(f"{column}.{index}" for column in columns)


RESOURCE = SnmpTable(
    fields=(
        _field("uptime", ticks, _UPTIME),
        # The mean over all cores, as the router's own figure is.
        _field("cpu-load", mean, _PROCESSOR_LOAD, column=True),
        _field("cpu-frequency", positive, f"{_HEALTH}.14.0"),
        _field("total-memory", product, *_of(_MEMORY, _SIZE, _UNIT)),
        _field("free-memory", remainder, *_of(_MEMORY, _SIZE, _USED, _UNIT)),
        _field("total-hdd-space", product, *_of(_DISK, _SIZE, _UNIT)),
        _field("free-hdd-space", remainder, *_of(_DISK, _SIZE, _USED, _UNIT)),
    )
)


def _core(index: int) -> bytes:
    """Return the name of a core: the agent counts from 1, RouterOS from 0."""
    return b"cpu%d" % (index - 1)


CORES = SnmpTable(
    rows=_PROCESSOR_LOAD,
    key=SnmpKey(field="cpu", text_of=_core),
    fields=(_field("load", number, _PROCESSOR_LOAD),),
)


def _gauge(value: SnmpValue, unit: SnmpValue) -> bytes | None:
    """Write the value of a sensor in the unit that the API has for it."""
    if unit in _TENTHS:
        return _tenths(value)
    return number(value) if unit in _UNITS else None


# Version 7 has a table of sensors; version 6 an object for each, which the egg takes like the API's single row.
HEALTH = SnmpTable(
    rows=f"{_GAUGES}.2",
    fields=(
        _field("name", text, f"{_GAUGES}.2"),
        _field("value", _gauge, f"{_GAUGES}.3", f"{_GAUGES}.4"),
        _field("type", words(_UNITS), f"{_GAUGES}.4"),
    ),
    otherwise=SnmpTable(
        fields=(
            _field("voltage", _tenths, f"{_HEALTH}.8.0"),
            _field("temperature", _tenths, f"{_HEALTH}.10.0"),
            _field("cpu-temperature", _tenths, f"{_HEALTH}.11.0"),
            _field("power-consumption", _tenths, f"{_HEALTH}.12.0"),
            _field("fan1-speed", number, f"{_HEALTH}.17.0"),
            _field("fan2-speed", number, f"{_HEALTH}.18.0"),
        )
    ),
)
