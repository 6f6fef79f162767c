"""Things in the network that look like routers, before anybody logs in to them."""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

NEIGHBOR_TABLE = "neighbor"
"""The current-state table of what polled routers see next to them."""

_MAC = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")
_NO_MAC = "00:00:00:00:00:00"


class FoundBy(enum.StrEnum):
    """How something was found."""

    MNDP = "mndp"
    NEIGHBOR = "neighbor"
    SCAN = "scan"
    SYSLOG = "syslog"
    FLOWS = "flows"
    TRAPS = "traps"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What something told of itself, or what could be seen of it from outside. Empty: not told.

    ``ports``: where the RouterOS API, or REST, answered.
    """

    found_by: FoundBy
    address: str = ""
    mac_address: str = ""
    identity: str = ""
    platform: str = ""
    version: str = ""
    board: str = ""
    software_id: str = ""
    interface_name: str = ""
    ports: tuple[int, ...] = ()

    @property
    def thing(self) -> str:
        """Return what it is known by, whichever of its interfaces was seen; empty if it can't be told apart.

        Software ids tell routers apart, but a copied disk has that of its
        original: so the name counts as well.
        """
        if self.software_id:
            return f"software {self.software_id} {self.identity}"
        if self.mac_address:
            return f"mac {self.mac_address}"
        return f"address {self.address}" if self.address else ""


def neighbor_sighting(fields: Mapping[str, str]) -> Sighting | None:
    """Return the sighting in a row of the table "neighbor"; None if it is no RouterOS, or can't be told apart."""
    if "mikrotik" not in f"{fields.get('platform', '')} {fields.get('system-description', '')}".lower():
        return None
    address = fields.get("address4") or fields.get("address") or fields.get("address6") or ""
    sighting = Sighting(
        found_by=FoundBy.NEIGHBOR,
        address=normal_address(address),
        mac_address=normal_mac(fields.get("mac-address", "")),
        identity=fields.get("identity", ""),
        platform=fields.get("platform", ""),
        version=fields.get("version", ""),
        board=fields.get("board", ""),
        software_id=fields.get("software-id", ""),
        interface_name=fields.get("interface-name", ""),
    )
    return sighting if sighting.thing else None


def normal_mac(text: str) -> str:
    """Return a MAC address in upper case with colons; empty if it is none, or that of nobody."""
    found = text.strip().upper().replace("-", ":")
    return found if _MAC.fullmatch(found) and found != _NO_MAC else ""


def normal_address(text: str) -> str:
    """Return an address in its usual form; empty if it is none, or can't be reached from elsewhere."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return ""
    if address.is_unspecified or address.is_link_local or address.is_multicast:
        return ""
    return str(address)
