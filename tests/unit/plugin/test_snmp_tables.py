"""What SNMP tells of each command, put together; and what is wrong with a declaration of it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from mtd.plugin import Collector, SnmpField, SnmpTable
from mtd.plugin.checks import problems_of
from mtd.plugin.snmp_tables import SYS_UPTIME, snmp_tables
from mtd.plugin.snmp_values import INTERNAL_ID, number, ticks
from mtd_collector_interfaces import COLLECTOR as INTERFACES
from mtd_collector_interfaces.declaration import COUNTERS, LINKS
from mtd_collector_system import COLLECTOR as SYSTEM
from mtd_collector_system.declaration import RESOURCE, WEAR


def collector(*menus: Any) -> Collector:
    return Collector(name="some", api=1, description="Some.", menus=menus)


def field(name: str, *oids: str, **parts: Any) -> SnmpField:
    return SnmpField(field=name, oids=oids or ("1.3.6",), convert=number, **parts)


def test_menus_of_one_path_share_a_table_with_what_the_host_reads() -> None:
    table = snmp_tables([SYSTEM])["/system/resource/print"]
    assert {"uptime", "version", "board-name", "cpu-load", "free-memory", "cpu-frequency"} <= table.names()
    assert len(table.fields) == len(table.names())


def test_every_egg_s_tables_fit_together(caplog: pytest.LogCaptureFixture) -> None:
    tables = snmp_tables([INTERFACES, SYSTEM])
    assert {"/interface/print", "/interface/ethernet/monitor", "/system/health/print"} <= tables.keys()
    assert caplog.records == []


def test_without_eggs_the_host_still_knows_a_reboot() -> None:
    uptime = snmp_tables([])["/system/resource/print"].fields[0]
    assert uptime == SnmpField(field="uptime", oids=(SYS_UPTIME,), convert=ticks)


def test_a_table_that_tells_a_field_in_another_way_is_not_served(caplog: pytest.LogCaptureFixture) -> None:
    mine = replace(WEAR, snmp=SnmpTable(fields=(field("uptime", "1.3.6.1.9"),)))
    with caplog.at_level(logging.WARNING):
        tables = snmp_tables([SYSTEM, collector(mine)])
    assert tables["/system/resource/print"] == snmp_tables([SYSTEM])["/system/resource/print"]
    assert "some.wear" in caplog.text


@pytest.mark.parametrize(
    ("menu", "table", "complaint"),
    [
        (RESOURCE, SnmpTable(fields=(field("colour"),)), "none of the fields"),
        (RESOURCE, SnmpTable(fields=(field("uptime", ".1.3"),)), "names no object"),
        (RESOURCE, SnmpTable(fields=(field("uptime", "1.3.06"),)), "names no object"),
        (RESOURCE, SnmpTable(fields=(field("uptime"), field("uptime"))), "in two ways"),
        (RESOURCE, SnmpTable(fields=(SnmpField(field="uptime", oids=(), convert=number),)), "by no object"),
        (RESOURCE, SnmpTable(rows="1.3", fields=(field("uptime"),)), "it is one row"),
        (RESOURCE, SnmpTable(fields=(field("uptime", "1.3", "1.4", column=True),)), "column as a list"),
        (RESOURCE, SnmpTable(fields=(field("uptime"),), key=INTERNAL_ID), "and no rows"),
        (COUNTERS, SnmpTable(fields=(field("rx-byte"), field("dynamic"))), "named by '.id'"),
        (COUNTERS, SnmpTable(rows="1.3", fields=(field("rx-byte"), field("dynamic"))), "doesn't tell '.id'"),
        (
            COUNTERS,
            SnmpTable(rows="1.3", key=INTERNAL_ID, fields=(field("rx-byte"),)),
            "doesn't tell 'dynamic'",
        ),
        (LINKS, SnmpTable(rows="1.3", name="name", fields=(field("rate"),)), "known by 'name'"),
        (
            COUNTERS,
            SnmpTable(
                rows="1.3",
                key=INTERNAL_ID,
                fields=(field("rx-byte"), field("dynamic")),
                otherwise=SnmpTable(rows="1.3", fields=(field("rx-byte"),)),
            ),
            "`otherwise` is one row",
        ),
    ],
)
def test_what_is_wrong_is_told(menu: Any, table: SnmpTable, complaint: str) -> None:
    problems = problems_of(collector(replace(menu, snmp=table, numbers_of="", selectable=None)))
    assert any(complaint in problem for problem in problems), problems


def test_a_sound_table_has_no_problem() -> None:
    table = SnmpTable(
        rows="1.3", key=INTERNAL_ID, name="name", fields=(field("name"), field("dynamic"), field("rx-byte"))
    )
    assert problems_of(collector(replace(COUNTERS, snmp=table, selectable=None))) == []
