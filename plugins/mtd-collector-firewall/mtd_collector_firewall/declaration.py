"""What is read of the firewall, and what it means."""

from __future__ import annotations

from mtd.model.metric import Tier, Unit
from mtd.plugin import Collector, Gauge, Menu, Probe, SnmpField, SnmpTable, TableKind, columns
from mtd.plugin.snmp_values import number
from mtd_collector_firewall.rules import RULES
from mtd_collector_firewall.sums import entries_by_list

FEW_ENTRIES = 20_000
"""Lists of more entries than that are counted as a whole: to count each, all entries have to be read."""


def _number(field: str, key: str, description: str) -> Gauge:
    return Gauge(field=field, key=key, unit=Unit.COUNT, description=description, since="1", expected_min=0.0)


def _count(
    name: str, path: str, tier: Tier, gauge: Gauge, *, requires: str = "", instead_of: str = ""
) -> Menu:
    return Menu(
        name=name,
        path=path,
        kind=TableKind.COUNT_ONLY,
        tier=tier,
        requires=requires,
        instead_of=instead_of,
        fields=(gauge,),
    )


def _lists(family: str, requires: str) -> tuple[Menu, Menu]:
    """Return the menus of address lists: how many entries there are, and how many on each list."""
    name = "address_list" if family == "ip" else "ipv6_address_list"
    path = f"/{family}/firewall/address-list"
    total = _count(
        f"{name}-entries",
        path,
        Tier.T2,
        _number("count", f"firewall.{name}_entries", "Entries of all address lists."),
        requires=requires,
    )
    each = Menu(
        name=name,
        path=path,
        kind=TableKind.METRICS,
        tier=Tier.T3,
        row_key="list",
        scope=f"firewall.{name}",
        requires=f"{name}.few",
        reads=("list",),
        transform=entries_by_list,
        max_rows=FEW_ENTRIES + FEW_ENTRIES // 10,
        max_instances=200,
        fields=(_number("entries", f"firewall.{name}.list_entries", "Entries of the address list."),),
    )
    return total, each


# Since 7.20. It counts those over IPv4 and IPv6, as the field of the API does.
_TRACKED = SnmpField(field="total-entries", oids=("1.3.6.1.4.1.14988.1.1.22.1.1.0",), convert=number)
_CONNECTIONS = _number("total-entries", "firewall.connections", "Connections that the router tracks.")

CONNECTIONS = (
    Menu(
        name="connections",
        path="/ip/firewall/connection/tracking",
        kind=TableKind.METRICS,
        tier=Tier.T0,
        max_rows=10,
        max_bytes=65_536,
        snmp=SnmpTable(fields=(_TRACKED,)),
        fields=(
            _CONNECTIONS,
            _number("max-entries", "firewall.connections_max", "Connections that the router can track."),
        ),
    ),
    # The router keeps the number; to count the rows costs it a walk through all of them.
    _count(
        "connections-counted",
        "/ip/firewall/connection",
        Tier.T0,
        _CONNECTIONS,
        instead_of="connections",
    ),
    _count(
        "connections-ipv6",
        "/ipv6/firewall/connection",
        Tier.T2,
        _number("count", "firewall.ipv6_connections", "Connections over IPv6 that the router tracks."),
        requires="ipv6",
    ),
    Menu(
        name="snapshot-tracking",
        path="/ip/firewall/connection/tracking",
        kind=TableKind.SNAPSHOT,
        tier=Tier.T3,
        table="firewall.tracking",
        max_rows=10,
        max_bytes=65_536,
        fields=columns(
            *("enabled", "loose-tcp-tracking", "liberal-tcp-tracking", "generic-timeout", "icmp-timeout"),
            *("udp-timeout", "udp-stream-timeout", "tcp-syn-sent-timeout", "tcp-syn-received-timeout"),
            *("tcp-established-timeout", "tcp-fin-wait-timeout", "tcp-close-wait-timeout"),
            *("tcp-last-ack-timeout", "tcp-time-wait-timeout", "tcp-close-timeout"),
            *("tcp-max-retrans-timeout", "tcp-unacked-timeout"),
        ),
    ),
)

COLLECTOR = Collector(
    name="firewall",
    api=1,
    description="Connections that the router tracks, what its firewall rules match, address lists",
    menus=(*CONNECTIONS, *RULES, *_lists("ip", ""), *_lists("ipv6", "ipv6")),
    probes=(
        Probe(capability="ipv6.nat", path="/ipv6/firewall/nat"),
        Probe(capability="address_list.few", path="/ip/firewall/address-list", at_most=FEW_ENTRIES),
        Probe(capability="ipv6_address_list.few", path="/ipv6/firewall/address-list", at_most=FEW_ENTRIES),
    ),
)
