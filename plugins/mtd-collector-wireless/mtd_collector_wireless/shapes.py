"""The four shapes that RouterOS gives wireless networks, and what each calls a thing.

The old package (``/interface/wireless``), its controller (``/caps-man``), the
package of versions 7.0 to 7.12 (``/interface/wifiwave2``), and its successor
(``/interface/wifi``). A router may have several at once: a controller has
radios of its own, and newer versions have the last menu on every device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mtd.model.command import Rows
from mtd.plugin import Companion, Probe

Raw = bytes | None
Names = Mapping[str, str]  # ours -> theirs
Reader = Callable[[Raw], Raw]

COUNT_ONLY = (("count-only", ""),)
ID = ".id"


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape: its menus, and how it calls what the tables hold.

    ``prefix`` goes before its ids, where they aren't those of ``/interface``:
    those of two shapes may be the same otherwise.
    """

    name: str
    capability: str
    interfaces: str
    clients: str
    caps: str
    interface_names: Names
    client_names: Names
    cap_names: Names = field(default_factory=dict)
    client_queries: tuple[str, ...] = ()
    prefix: bytes = b""

    @property
    def has_radios(self) -> str:
        """The capability that there are interfaces: newer versions have the menu on every device."""
        return f"{self.capability}.radios"

    @property
    def has_caps(self) -> str:
        """The capability that it controls access points."""
        return f"{self.capability}.caps"

    def probes(self) -> tuple[Probe, ...]:
        """Return the questions whether there are interfaces, and access points."""
        radios = Probe(capability=self.has_radios, path=self.interfaces, at_least=1)
        if not self.caps:
            return (radios,)
        return radios, Probe(capability=self.has_caps, path=self.caps, at_least=1)

    def count(self) -> Companion:
        """Return the read of how many clients there are."""
        return Companion(
            name=f"count-{self.name}",
            path=self.clients,
            reads=(ID,),
            queries=self.client_queries,
            arguments=COUNT_ONLY,
            requires=self.has_radios,
            needed=True,
            max_rows=100,
            max_bytes=65_536,
        )

    def read_interfaces(self) -> Companion:
        """Return the read of the wireless interfaces."""
        return self._read("interfaces", self.interfaces, self.interface_names)

    def read_clients(self) -> Companion:
        """Return the read of the clients."""
        return self._read("clients", self.clients, self.client_names, self.client_queries)

    def read_caps(self) -> Companion:
        """Return the read of the access points that are controlled."""
        return replace(self._read("caps", self.caps, self.cap_names), requires=self.has_caps)

    def _read(self, what: str, path: str, names: Names, queries: tuple[str, ...] = ()) -> Companion:
        return Companion(
            name=f"{what}-{self.name}",
            path=path,
            reads=(ID, *dict.fromkeys(names.values())),
            queries=queries,
            requires=self.has_radios,
            needed=True,
        )


_OLD_INTERFACE = {
    "name": "name",
    "comment": "comment",
    "ssid": "ssid",
    "mode": "mode",
    "band": "band",
    "channel": "frequency",
    "width": "channel-width",
    "mac-address": "mac-address",
    "radio-name": "radio-name",
    "master": "master-interface",
    "disabled": "disabled",
    "running": "running",
}
_MANAGED_INTERFACE = {
    "name": "name",
    "comment": "comment",
    "ssid": "configuration.ssid",
    "mode": "configuration.mode",
    "mac-address": "mac-address",
    "radio-mac": "radio-mac",
    "master": "master-interface",
    "bound": "bound",
    "dynamic": "dynamic",
    "disabled": "disabled",
    "running": "running",
}
_CLIENT = {
    "interface": "interface",
    "mac-address": "mac-address",
    "comment": "comment",
    "tx-rate": "tx-rate",
    "rx-rate": "rx-rate",
    "uptime": "uptime",
    "bytes": "bytes",
}
_NEW_CLIENT = {
    **_CLIENT,
    "ssid": "ssid",
    "signal": "signal",
    "band": "band",
    "authentication": "auth-type",
    "authorized": "authorized",
    "vlan-id": "vlan-id",
    "eap-identity": "eap-identity",
    "host-name": "dhcp-hostname",
    "address": "dhcp-address",
}
_NEW_CAP = {
    "identity": "identity",
    "name": "common-name",
    "address": "address",
    "board": "board-name",
    "serial": "serial",
    "version": "version",
    "base-mac": "base-mac",
    "state": "state",
    "connected-time": "connected-time",
}

LEGACY = Shape(
    name="wireless",
    capability="wireless",
    interfaces="/interface/wireless",
    clients="/interface/wireless/registration-table",
    caps="",
    interface_names=_OLD_INTERFACE,
    client_names={
        **_CLIENT,
        "signal": "signal-strength",
        "tx-signal": "tx-signal-strength",
        "snr": "signal-to-noise",
        "tx-ccq": "tx-ccq",
        "rx-ccq": "rx-ccq",
        "radio-name": "radio-name",
        "authentication": "authentication-type",
        "address": "last-ip",
    },
    # A station sees the access point that it is connected to: that is no client.
    client_queries=("ap=true", "#!"),
)
CAPSMAN = Shape(
    name="caps-man",
    capability="caps_man",
    interfaces="/caps-man/interface",
    clients="/caps-man/registration-table",
    caps="/caps-man/remote-cap",
    interface_names={**_MANAGED_INTERFACE, "channel": "current-channel", "state": "current-state"},
    client_names={
        **_CLIENT,
        "ssid": "ssid",
        "signal": "rx-signal",
        "tx-signal": "tx-signal",
        "radio-name": "radio-name",
        "vlan-id": "vlan-id",
        "eap-identity": "eap-identity",
        "address": "last-ip",
    },
    cap_names={
        "identity": "identity",
        "name": "name",
        "address": "address",
        "board": "board",
        "serial": "serial",
        "version": "version",
        "base-mac": "base-mac",
        "state": "state",
        "radios": "radios",
    },
    prefix=b"cap",
)
WIFIWAVE2 = Shape(
    name="wifiwave2",
    capability="wifiwave2",
    interfaces="/interface/wifiwave2",
    clients="/interface/wifiwave2/registration-table",
    caps="/interface/wifiwave2/capsman/remote-cap",
    interface_names={**_MANAGED_INTERFACE, "default-name": "default-name"},
    client_names=_NEW_CLIENT,
    cap_names=_NEW_CAP,
)
WIFI = Shape(
    name="wifi",
    capability="wifi",
    interfaces="/interface/wifi",
    clients="/interface/wifi/registration-table",
    caps="/interface/wifi/capsman/remote-cap",
    interface_names={**_MANAGED_INTERFACE, "default-name": "default-name"},
    client_names=_NEW_CLIENT,
    cap_names=_NEW_CAP,
)
SHAPES = (LEGACY, CAPSMAN, WIFIWAVE2, WIFI)


@dataclass(slots=True)
class Gathered:
    """Rows of all shapes under our names, one shape after the other."""

    columns: dict[str, list[Raw]]
    count: int = 0

    def rows(self) -> Rows:
        """Return them as rows."""
        return Rows(self.count, dict(self.columns))


def gather(
    what: str, others: Mapping[str, Rows], names: Sequence[str], readers: Mapping[str, Reader]
) -> Gathered:
    """Put the rows of all shapes together: ``key``, ``shape``, and the columns that are asked for."""
    found = Gathered({name: [] for name in ("key", "shape", *names)})
    for shape in SHAPES:
        rows = others.get(f"{what}-{shape.name}")
        if rows is None or not rows.count:
            continue
        theirs = _names_of(shape, what)
        found.count += rows.count
        found.columns["key"] += [None if key is None else shape.prefix + key for key in rows.column(ID)]
        found.columns["shape"] += [shape.name.encode()] * rows.count
        for name in names:
            column = rows.column(theirs[name]) if name in theirs else (None,) * rows.count
            reader = readers.get(name)
            found.columns[name] += column if reader is None else map(reader, column)
    return found


def _names_of(shape: Shape, what: str) -> Names:
    return {
        "interfaces": shape.interface_names,
        "clients": shape.client_names,
        "caps": shape.cap_names,
    }[what]


def any_of(others: Mapping[str, Rows], reads: Iterable[Companion]) -> bool:
    """Whether the router has any of these menus."""
    return any(read.name in others for read in reads)
