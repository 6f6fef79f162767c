"""What is read of DHCP, DNS and address pools, and what it means."""

from __future__ import annotations

from mtd.plugin import Collector, Probe
from mtd_collector_dhcp.clients import CLIENTS
from mtd_collector_dhcp.dns import DNS
from mtd_collector_dhcp.leases import LEASES
from mtd_collector_dhcp.servers import SERVERS

COLLECTOR = Collector(
    name="dhcp",
    api=1,
    description="Leases, pools, servers and clients of DHCP and DHCPv6, and the DNS cache",
    menus=(*LEASES, *SERVERS, *CLIENTS, *DNS),
    probes=(
        Probe(capability="dhcp", path="/ip/dhcp-server"),
        Probe(capability="dhcp6", path="/ipv6/dhcp-server"),
        Probe(capability="dhcp6.client", path="/ipv6/dhcp-client"),
        # Whether there is no pool that doesn't say how much of it is used.
        Probe(capability="pool.use", path="/ip/pool", queries=("-total",), at_most=0),
    ),
)
