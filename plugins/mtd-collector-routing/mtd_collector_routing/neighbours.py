"""Neighbours of OSPF, LDP and BFD, as both versions of RouterOS tell them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from mtd.model.command import Rows
from mtd_collector_routing.naming import (
    Row,
    apart,
    interface_of,
    is_link_local,
    is_true,
    joined,
    plain_address,
    rows_of,
)

OSPF_READS = (
    *("instance", "area", "interface", "address", "router-id", "state", "state-changes", "adjacency"),
    *("priority", "dr", "bdr", "dr-address", "backup-dr-address"),
)
OSPF_COLUMNS = (
    *("neighbor", "router-id", "address", "interface", "instance", "area", "state", "state-changes"),
    *("adjacency", "priority", "dr", "bdr", "log-name"),
)
LDP_READS = (
    *("transport", "local-transport", "peer", "addresses", "operational", "disabled", "dynamic", "passive"),
    *("sending-targeted-hello", "vpls", "throttled", "comment"),
)
LDP_COLUMNS = ("neighbor", "state", *LDP_READS)
BFD_READS = (
    *("remote-address", "address", "local-address", "interface", "protocols", "multihop", "vrf", "state"),
    *("up", "state-changes", "uptime", "multiplier", "comment"),
)
BFD_COLUMNS = ("neighbor", *BFD_READS)
RIP_READS = (
    *(
        "instance",
        "address",
        "routes",
        "packets-total",
        "packets-bad",
        "entries-bad",
        "last-update",
        "dynamic",
    ),
)
RIP_COLUMNS = ("neighbor", *RIP_READS)


def ospf(version: int | None) -> Callable[[Rows], Rows]:
    """Return what makes rows of OSPF neighbours: of one version of OSPF, or of both.

    RouterOS 7 has them in one menu. OSPFv3 talks over link-local addresses of IPv6.
    """

    def neighbours(rows: Rows) -> Rows:
        found = _with_log_names(list(_ospf(rows_of(rows))))
        if version is not None:
            found = [row for row in found if _is_version_3(row) is (version == 3)]
        return joined(apart("neighbor", found, ("interface", "instance")), OSPF_COLUMNS)

    return neighbours


def _ospf(rows: list[Row]) -> Iterator[Row]:
    for row in rows:
        told = row.get("address", b"")
        if not told:
            continue
        made = {name: row[name] for name in OSPF_COLUMNS if name in row}
        interface = row.get("interface") or interface_of(told)
        if interface:
            made["interface"] = interface
        made["address"] = plain_address(told).partition(b"%")[0]
        made["neighbor"] = _on_link(told, interface)
        if "state" in row:
            made["state"] = row["state"].lower().replace(b"-", b"").replace(b"twoway", b"2way")
        for old, new in (("dr-address", "dr"), ("backup-dr-address", "bdr")):
            if old in row:
                made[new] = row[old]
        yield made


def _with_log_names(found: list[Row]) -> list[Row]:
    """Add what lines of the router's log call a neighbour; nothing where two are called so, as over two links."""
    names = [
        (b"OSPFv3 " if _is_version_3(row) else b"OSPFv2 ") + row["router-id"] if row.get("router-id") else b""
        for row in found
    ]
    counts = Counter(names)
    return [
        row | {"log-name": name} if name and counts[name] == 1 else row
        for row, name in zip(found, names, strict=True)
    ]


def _is_version_3(row: Row) -> bool:
    return b":" in row["address"]


def ldp(rows: Rows) -> Rows:
    """Return a row per LDP neighbour, known by the address that it is reached at."""
    made = []
    for row in rows_of(rows):
        if not row.get("transport"):
            continue
        up = is_true(row.get("operational"))
        state = b"disabled" if is_true(row.get("disabled")) else b"operational" if up else b"down"
        made.append(row | {"neighbor": row["transport"], "state": state})
    return joined(apart("neighbor", made, ("local-transport",)), LDP_COLUMNS)


def bfd(rows: Rows) -> Rows:
    """Return a row per BFD session, known by the other side's address and its VRF."""
    made = []
    for row in rows_of(rows):
        told = row.get("remote-address") or row.get("address") or b""
        if not told:
            continue
        interface = row.get("interface") or interface_of(told)
        vrf = row.get("vrf") or told.partition(b"@")[2]
        name = _on_link(told, interface) + (b"" if vrf in {b"", b"main"} else b"@" + vrf)
        state = row.get("state") or (b"up" if is_true(row.get("up")) else None)
        entry = row | {"neighbor": name, "remote-address": plain_address(told).partition(b"%")[0]}
        made.append(
            entry | ({"interface": interface} if interface else {}) | ({"state": state} if state else {})
        )
    return joined(apart("neighbor", made, ("interface",)), BFD_COLUMNS)


def rip(rows: Rows) -> Rows:
    """Return a row per RIP neighbour, known by its address."""
    found = [row for row in rows_of(rows) if row.get("address")]
    named = [row | {"neighbor": _on_link(row["address"], b"")} for row in found]
    return joined(apart("neighbor", named, ("instance",)), RIP_COLUMNS)


def _on_link(told: bytes, interface: bytes) -> bytes:
    """Return an address, with the interface if it is of a link only."""
    address = plain_address(told)
    if is_link_local(address) and b"%" not in address and interface:
        return address + b"%" + interface
    return address
