"""What types of interfaces mean."""

from __future__ import annotations

PHYSICAL_TYPES = frozenset(
    {"ether", "wlan", "wifi", "wifiwave2", "w60g", "lte", "sfp", "sfp-sfpplus", "fiber", "isdn", "sonet"}
)
"""Types of interfaces that traffic enters and leaves the router by.

A bridge, a VLAN, a bond or a tunnel carries what its ports carry once more.
"""
