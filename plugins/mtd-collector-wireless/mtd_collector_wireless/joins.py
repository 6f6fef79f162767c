"""Rows of all shapes together: clients, interfaces and what is counted of them, access points."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from mtd.model import values
from mtd.model.command import Rows
from mtd.plugin import Companion
from mtd_collector_wireless.shapes import LEGACY, SHAPES, Raw, Reader, any_of, gather

# Weaker than this, a client's connection is slow and breaks off.
WEAK_BELOW_DBM = -75
_SIGNAL = re.compile(rb"(-?[0-9]{1,3})(?: ?dBm)?(?:@.*)?")
_LEASES = "leases"

COUNTS = tuple(shape.count() for shape in SHAPES)
INTERFACES = tuple(shape.read_interfaces() for shape in SHAPES)
CLIENTS = tuple(shape.read_clients() for shape in SHAPES)
CAPS = tuple(shape.read_caps() for shape in SHAPES if shape.caps)
# Names of clients, where the router itself gives the addresses and there are few of them.
LEASES = Companion(
    name=_LEASES,
    path="/ip/dhcp-server/lease",
    reads=("mac-address", "host-name", "address"),
    queries=("status=bound",),
    requires="dhcp.leases.few",
    max_rows=500,
    max_bytes=262_144,
)


# Signals and rates are few and come again and again: 200 clients, 10 s, a handful of rates.
@lru_cache(maxsize=4096)
def signal(raw: Raw) -> Raw:
    """Return a signal in dBm: of ``-62@1Mbps``, ``-65dBm@1Mbps``, ``-47``."""
    match = _SIGNAL.fullmatch(raw) if raw is not None else None
    return match[1] if match is not None else None


@lru_cache(maxsize=4096)
def rate(raw: Raw) -> Raw:
    """Return a rate in bits per second: of ``72.2Mbps-20MHz/1S/SGI``, ``866700000``."""
    found = values.rate(raw)
    return b"%d" % round(found) if found is not None else None


def decibels(raw: Raw) -> Raw:
    """Return ``52`` of ``52`` or ``52dB``."""
    return raw.removesuffix(b"dB") if raw is not None else None


def percent(raw: Raw) -> Raw:
    """Return ``96`` of ``96`` or ``96%``. It may be over 100."""
    return raw.removesuffix(b"%") if raw is not None else None


def _filled(raw: Raw) -> Raw:
    return raw or None


_CLIENT_READERS: Mapping[str, Reader] = {
    "signal": signal,
    "tx-signal": signal,
    "snr": decibels,
    "tx-rate": rate,
    "rx-rate": rate,
    "tx-ccq": percent,
    "rx-ccq": percent,
    "host-name": _filled,
    "address": _filled,
}
CLIENT_COLUMNS = (
    "interface",
    "ssid",
    "mac-address",
    "host-name",
    "address",
    "comment",
    "uptime",
    "signal",
    "tx-signal",
    "snr",
    "tx-rate",
    "rx-rate",
    "tx-ccq",
    "rx-ccq",
    "bytes",
    "band",
    "authentication",
    "authorized",
    "vlan-id",
    "eap-identity",
    "radio-name",
)
INTERFACE_COLUMNS = (
    "name",
    "default-name",
    "comment",
    "ssid",
    "mode",
    "band",
    "channel",
    "width",
    "state",
    "mac-address",
    "radio-mac",
    "radio-name",
    "master",
    "bound",
    "dynamic",
    "disabled",
    "running",
)
CAP_COLUMNS = (
    "identity",
    "name",
    "address",
    "board",
    "serial",
    "version",
    "base-mac",
    "state",
    "radios",
    "connected-time",
)


def client_total(_rows: Rows, others: Mapping[str, Rows]) -> Rows:
    """Return how many clients there are in all menus together."""
    if not any_of(others, COUNTS):
        return Rows()
    counts = [values.integer(others[read.name].column("ret")[0]) for read in COUNTS if read.name in others]
    known = [count for count in counts if count is not None]
    total = b"%d" % sum(known) if len(known) == len(counts) else None
    return Rows(1, {"clients": (total,)})


def client_table(_rows: Rows, others: Mapping[str, Rows]) -> Rows:
    """Return all clients, with the name that a DHCP lease gives."""
    found = gather("clients", others, CLIENT_COLUMNS, _CLIENT_READERS)
    columns = found.columns
    columns["tx-bytes"], columns["rx-bytes"] = _pairs(columns.pop("bytes"))
    _add_ssid(columns, others)
    _add_names(columns, others)
    return found.rows()


def interface_table(_rows: Rows, others: Mapping[str, Rows]) -> Rows:
    """Return all wireless interfaces."""
    return gather("interfaces", others, INTERFACE_COLUMNS, {"master": _no_master}).rows()


def interface_figures(_rows: Rows, others: Mapping[str, Rows]) -> Rows:
    """Return for each interface how many clients it has, and how well it hears them."""
    counted = {shape.name for shape in SHAPES if f"clients-{shape.name}" in others}
    known = {name: rows for name, rows in others.items() if name.removeprefix("interfaces-") in counted}
    interfaces = gather("interfaces", known, ("name",), {}).columns["name"]
    clients = gather("clients", others, ("interface", "signal"), _CLIENT_READERS).columns
    signals: dict[Raw, list[int | None]] = {name: [] for name in interfaces if name}
    for name, raw in zip(clients["interface"], clients["signal"], strict=True):
        if name in signals:
            signals[name].append(int(raw) if raw is not None else None)
    figures = [_figures(heard) for heard in signals.values()]
    columns: dict[str, Sequence[Raw]] = {"name": tuple(signals)}
    for position, figure in enumerate(("clients", "weak", "average", "weakest")):
        columns[figure] = tuple(each[position] for each in figures)
    return Rows(len(signals), columns)


def cap_table(_rows: Rows, others: Mapping[str, Rows]) -> Rows:
    """Return the access points that are connected: each under its own address, whatever its connection."""
    found = gather("caps", others, CAP_COLUMNS, {})
    columns = found.columns
    columns["connection"] = columns["key"]
    columns["key"] = [mac or key for mac, key in zip(columns["base-mac"], columns["key"], strict=True)]
    columns["identity"] = [
        identity or name for identity, name in zip(columns["identity"], columns["name"], strict=True)
    ]
    return found.rows()


def _figures(heard: Sequence[int | None]) -> tuple[Raw, Raw, Raw, Raw]:
    known = [each for each in heard if each is not None]
    clients = b"%d" % len(heard)
    if not known:
        return clients, None if heard else b"0", None, None
    weak = sum(each < WEAK_BELOW_DBM for each in known)
    return clients, b"%d" % weak, b"%.1f" % (sum(known) / len(known)), b"%d" % min(known)


def _pairs(column: Sequence[Raw]) -> tuple[list[Raw], list[Raw]]:
    """Split ``sent,received``."""
    halves = [raw.split(b",", 1) if raw is not None and b"," in raw else (None, None) for raw in column]
    return [sent for sent, _ in halves], [received for _, received in halves]


def _add_ssid(columns: dict[str, list[Raw]], others: Mapping[str, Rows]) -> None:
    """The old package tells a client's network with the interface only."""
    interfaces = others.get(f"interfaces-{LEGACY.name}")
    if interfaces is None:
        return
    networks = dict(zip(interfaces.column("name"), interfaces.column("ssid"), strict=True))
    legacy = LEGACY.name.encode()
    columns["ssid"] = [
        networks.get(interface) if shape == legacy else ssid
        for interface, shape, ssid in zip(
            columns["interface"], columns["shape"], columns["ssid"], strict=True
        )
    ]


def _add_names(columns: dict[str, list[Raw]], others: Mapping[str, Rows]) -> None:
    leases = others.get(_LEASES)
    if leases is None:
        return
    known = {
        mac.upper(): (name or None, address or None)
        for mac, name, address in zip(
            leases.column("mac-address"), leases.column("host-name"), leases.column("address"), strict=True
        )
        if mac
    }
    for position, mac in enumerate(columns["mac-address"]):
        name, address = known.get(mac.upper() if mac else b"", (None, None))
        columns["host-name"][position] = columns["host-name"][position] or name
        columns["address"][position] = columns["address"][position] or address


def _no_master(raw: Raw) -> Raw:
    return None if raw in (b"", b"none") else raw
