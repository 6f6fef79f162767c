"""What SNMP tells of LTE modems: the signal of an LTE cell, and nothing of other networks.

The vendor's table has one set of numbers for all kinds of networks, and 0 for
what the modem doesn't tell; the API has names of their own for 3G and 5G.
"""

from __future__ import annotations

from mtd.plugin import SnmpField, SnmpTable
from mtd.plugin.declaration.snmp import SnmpValue
from mtd.plugin.snmp_values import INTERNAL_ID, number, text

_MODEM = "1.3.6.1.4.1.14988.1.1.16.1.1"
_RSSI, _RSRQ, _RSRP, _TECHNOLOGY, _SINR = (f"{_MODEM}.{column}" for column in (2, 3, 4, 6, 7))
_NAMES = ("1.3.6.1.2.1.31.1.1.1.1", "1.3.6.1.4.1.14988.1.1.14.1.1.2")
_LTE = 7


def _level(value: SnmpValue, technology: SnmpValue) -> bytes | None:
    """Write a level of an LTE cell, which is under 0."""
    return number(value) if technology == _LTE and isinstance(value, int) and value < 0 else None


def _ratio(value: SnmpValue, technology: SnmpValue, level: SnmpValue) -> bytes | None:
    """Write the signal over the noise, which may be 0: if a cell is heard at all."""
    return number(value) if _level(level, technology) is not None else None


def _name(standard: SnmpValue, vendors: SnmpValue) -> bytes | None:
    """Write the name of the modem's interface, which two tables tell."""
    return text(standard) or text(vendors)


SIGNAL = SnmpTable(
    rows=_RSRP,
    key=INTERNAL_ID,
    arguments=("once",),
    name="name",
    fields=(
        SnmpField(field="rssi", oids=(_RSSI, _TECHNOLOGY), convert=_level),
        SnmpField(field="rsrp", oids=(_RSRP, _TECHNOLOGY), convert=_level),
        SnmpField(field="rsrq", oids=(_RSRQ, _TECHNOLOGY), convert=_level),
        SnmpField(field="sinr", oids=(_SINR, _TECHNOLOGY, _RSRP), convert=_ratio),
        SnmpField(field="name", oids=_NAMES, convert=_name),
    ),
)
