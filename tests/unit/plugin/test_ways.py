"""By which ways metrics can come, as the declarations of the installed eggs have it."""

from __future__ import annotations

from mtd.model.device import Way
from mtd.model.metric import Tier, Unit
from mtd.plugin.declaration import Collector, Counter, DerivedRate, Gauge, Menu, TableKind
from mtd.plugin.declaration.snmp import SnmpField, SnmpTable
from mtd.plugin.manager import PluginManager
from mtd.plugin.ways import ways_by_key

ALL = (Way.API, Way.REST, Way.SNMP)


def told(*names: str, count: str = "") -> SnmpTable:
    return SnmpTable(
        fields=tuple(SnmpField(field=name, oids=("1.3.6.1",), convert=lambda _: None) for name in names),
        count=count,
    )


def collector(*menus: Menu) -> Collector:
    return Collector(name="made", api=1, description="made up", menus=menus)


def menu(**values: object) -> Menu:
    fields = (
        Counter(
            key="x.bytes",
            field="rx-byte",
            unit=Unit.BYTES,
            description="d",
            since="1",
            rate=DerivedRate(key="x.bps", unit=Unit.BITS_PER_SECOND, scale=8, description="d", since="1"),
        ),
        Gauge(key="x.load", field="load", unit=Unit.PERCENT, description="d", since="1"),
    )
    given = {"name": "m", "path": "/x", "kind": TableKind.METRICS, "tier": Tier.T1, "fields": fields}
    return Menu(**(given | values))  # type: ignore[arg-type]


def test_a_field_that_snmp_tells_has_three_ways_and_so_has_its_rate() -> None:
    ways = ways_by_key([collector(menu(snmp=told("rx-byte")))])
    assert ways == {"x.bytes": ALL, "x.bps": ALL, "x.load": (Way.API, Way.REST)}


def test_what_goes_on_without_end_has_the_api_only() -> None:
    assert set(ways_by_key([collector(menu(command="listen"))]).values()) == {(Way.API,)}


def test_ways_of_all_menus_that_bring_a_metric_count() -> None:
    endless = menu(command="listen")
    assert ways_by_key([collector(endless, menu(name="other", snmp=told("load")))])["x.load"] == ALL


def test_code_between_rows_and_metrics_is_given_what_snmp_tells() -> None:
    mapped = menu(snmp=told("raw"), reads=("raw",), transform=lambda rows: rows)
    assert ways_by_key([collector(mapped)])["x.load"] == ALL


def test_each_metric_of_the_installed_eggs_has_a_fallback() -> None:
    manager = PluginManager.load()
    ways = ways_by_key(manager.collectors)
    assert set(manager.catalogue.metrics) <= set(ways)
    assert ways["iface.rx_bytes_total"] == ALL
    assert ways["iface.rx_bps"] == ALL
    assert all(found[:2] == (Way.API, Way.REST) for found in ways.values())
