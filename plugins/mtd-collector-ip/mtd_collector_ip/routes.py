"""Default routes, which RouterOS 6 and 7 tell in two ways.

Version 6 has one row for all gateways of a route, and says in ``gateway-status``
what became of each ("10.0.0.1 reachable via  ether1"). Version 7 has a row for
each gateway, and says in ``immediate-gw`` where it leads ("10.0.0.1%ether1").
Both become a row for each gateway and interface that it leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mtd.model.command import Rows

READS = (
    "gateway",
    "gateway-status",
    "immediate-gw",
    "distance",
    "active",
    "disabled",
    "routing-table",
    "routing-mark",
    "check-gateway",
    "comment",
    "static",
    "dynamic",
    "connect",
    "bgp",
    "ospf",
    "rip",
    "dhcp",
    "vpn",
    "modem",
    "slaac",
)
# Where a route comes from, in the order in which it is asked: a route of DHCP is dynamic, too, and static in version 6.
_ORIGINS = ("bgp", "ospf", "rip", "dhcp", "vpn", "modem", "slaac", "connect", "dynamic", "static")
_COLUMNS = (
    "route",
    "table",
    "gateway",
    "interface",
    "distance",
    "active",
    "disabled",
    "origin",
    "check-gateway",
    "comment",
)
_MAIN = b"main"
_TRUE = frozenset((b"true", b"yes"))

Row = dict[str, bytes]


def one_row_per_gateway(rows: Rows) -> Rows:
    """Return a row per gateway of the default routes, known by table, gateway and distance."""
    found = [gateway for row in rows.dicts() for gateway in _gateways(row)]
    return Rows(len(found), {name: [row.get(name) for row in found] for name in _COLUMNS})


def state_of(family: bytes) -> Callable[[Rows], Rows]:
    """Return what makes one row of all default routes: whether one of the main table is active."""

    def state(rows: Rows) -> Rows:
        there = any(_is(row, "active") and _table(row) == _MAIN for row in rows.dicts())
        return Rows(1, {"family": (family,), "state": (b"present" if there else b"absent",)})

    return state


def _gateways(row: Row) -> Iterator[Row]:
    names = row.get("gateway", b"").split(b",")
    statuses = row["gateway-status"].split(b",") if "gateway-status" in row else []
    told = len(statuses) == len(names)
    for position, name in enumerate(names):
        status = statuses[position] if told else None
        gateway = name.strip()
        interfaces = _of_status(status) if status is not None else _of_version_7(row, gateway)
        for number, interface in enumerate(interfaces or [None]):
            yield _row(row, gateway, interface, further=number > 0)


def _row(row: Row, gateway: bytes, interface: bytes | None, *, further: bool) -> Row:
    table = _table(row)
    known_by = (table, gateway, row.get("distance", b""), interface if further else b"")
    origin = next((name for name in _ORIGINS if _is(row, name)), None)
    made = {
        "route": b" ".join(part for part in known_by if part),
        "table": table,
        "gateway": gateway,
        "active": b"true" if _is(row, "active") else b"false",
    }
    if interface:
        made["interface"] = interface
    if origin is not None:
        made["origin"] = origin.encode()
    kept = ("distance", "disabled", "check-gateway", "comment")
    return made | {name: row[name] for name in kept if name in row}


def _table(row: Row) -> bytes:
    return row.get("routing-table") or row.get("routing-mark") or _MAIN


def _is(row: Row, flag: str) -> bool:
    return row.get(flag) in _TRUE


def _of_status(status: bytes) -> list[bytes]:
    """Return the interface in what version 6 says of a gateway; none if it leads nowhere."""
    for words, hops in ((b" reachable via ", 0), (b" recursive via ", 1)):
        _, found, rest = status.partition(words)
        if found:
            # A recursive gateway is told with the address that it is reached by.
            parts = rest.split(None, hops)
            return [parts[-1].strip()] if len(parts) == hops + 1 else []
    name, found, _ = status.partition(b" reachable")
    interface = _interface_of(name) if found else None
    return [] if interface is None else [interface]


def _of_version_7(row: Row, gateway: bytes) -> list[bytes]:
    """Return the interfaces that version 7 resolved a gateway to."""
    found = []
    for resolved in row.get("immediate-gw", gateway).split(b","):
        # A gateway in another routing table has that behind it: 10.0.0.1%ether1@customer.
        name = resolved.strip().removesuffix(b"@" + _table(row)).removesuffix(b"@" + _MAIN)
        interface = _interface_of(name)
        if interface is not None:
            found.append(interface)
    return list(dict.fromkeys(found))


def _interface_of(gateway: bytes) -> bytes | None:
    """Return the interface that a gateway is, or names behind its address; None if it is an address only."""
    address, _, interface = gateway.strip().rpartition(b"%")
    if address:
        return interface or None
    return None if not interface or _is_address(interface) else interface


def _is_address(name: bytes) -> bool:
    plain = name.partition(b"@")[0]
    return b":" in plain or (plain.replace(b".", b"").isdigit() and plain.count(b".") == 3)
