"""What SNMP tells of each command: the declarations of all menus, and what the host reads itself.

A source is given these tables by the paths of commands; it knows nothing of
menus. Menus that read one path share a table: each command names the fields
that it wants.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mtd.plugin.declaration import Collector
from mtd.plugin.declaration.snmp import Convert, SnmpField, SnmpTable, SnmpValue
from mtd.plugin.probe import IDENTITY, RESOURCE, ROUTERBOARD
from mtd.plugin.reboot import UPTIME_FIELD
from mtd.plugin.snmp_values import text, ticks

logger = logging.getLogger(__name__)

SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
"""Of SNMPv2-MIB; RouterOS counts it from its start, and names it as what its uptime is read by."""

_SYS_DESCR = "1.3.6.1.2.1.1.1.0"
_SYS_NAME = "1.3.6.1.2.1.1.5.0"
_ROUTEROS = "1.3.6.1.4.1.14988.1.1"
_VERSION = f"{_ROUTEROS}.4.4.0"
_SERIAL_NUMBER = f"{_ROUTEROS}.7.3.0"
_FIRMWARE = f"{_ROUTEROS}.7.4.0"
_BEFORE_THE_BOARD = b"RouterOS "


def _board(described: SnmpValue) -> bytes | None:
    """Return the board's name of ``RouterOS RB433GL``; older versions say ``router`` and no more."""
    if isinstance(described, bytes) and described.startswith(_BEFORE_THE_BOARD):
        return described.removeprefix(_BEFORE_THE_BOARD) or None
    return None


def _is_routerboard(serial_number: SnmpValue) -> bytes | None:
    """Say ``true`` if it has the serial number of one; virtual routers have none."""
    return b"true" if text(serial_number) is not None else None


def _field(name: str, oid: str, convert: Convert = text) -> SnmpField:
    return SnmpField(field=name, oids=(oid,), convert=convert)


_OF_THE_HOST: Mapping[str, SnmpTable] = {
    RESOURCE.path: SnmpTable(
        fields=(
            _field(UPTIME_FIELD, SYS_UPTIME, ticks),
            _field("version", _VERSION),
            _field("board-name", _SYS_DESCR, _board),
        )
    ),
    IDENTITY.path: SnmpTable(fields=(_field("name", _SYS_NAME),)),
    ROUTERBOARD.path: SnmpTable(
        fields=(
            _field("routerboard", _SERIAL_NUMBER, _is_routerboard),
            _field("model", _SYS_DESCR, _board),
            _field("serial-number", _SERIAL_NUMBER),
            _field("current-firmware", _FIRMWARE),
        )
    ),
}


def snmp_tables(collectors: Iterable[Collector]) -> dict[str, SnmpTable]:
    """Return what SNMP tells, by the paths of commands."""
    tables = dict(_OF_THE_HOST)
    for collector in collectors:
        for menu in collector.menus:
            if menu.snmp is None:
                continue
            known = tables.get(menu.command_path)
            merged = menu.snmp if known is None else _merged(known, menu.snmp)
            if merged is None:
                logger.warning(
                    "%s.%s reads %s over SNMP in another way than what was there before: it isn't served",
                    collector.name,
                    menu.name,
                    menu.command_path,
                )
                continue
            tables[menu.command_path] = merged
    return tables


def _merged(one: SnmpTable, other: SnmpTable) -> SnmpTable | None:
    """Return a table with the fields of both; None if their rows differ, or a field is told in two ways."""
    fields = {entry.field: entry for entry in one.fields}
    for entry in other.fields:
        if fields.setdefault(entry.field, entry) != entry:
            return None
    if replace(one, fields=(), name="") != replace(other, fields=(), name=""):
        return None
    return replace(one, fields=tuple(fields.values()), name=one.name or other.name)
