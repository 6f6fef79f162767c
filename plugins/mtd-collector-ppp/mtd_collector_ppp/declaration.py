"""What is read of sessions, tunnels and VPNs."""

from __future__ import annotations

from mtd.plugin import Collector
from mtd_collector_ppp import ipsec, sessions, tunnels, wireguard

COLLECTOR = Collector(
    name="ppp",
    api=1,
    description="Sessions and tunnels: PPP, hotspot, IPsec, WireGuard, EoIP, GRE, IPIP, dialled connections",
    menus=(*sessions.MENUS, *ipsec.MENUS, *wireguard.MENUS, *tunnels.MENUS),
    probes=(*tunnels.PROBES, *wireguard.PROBES),
)
