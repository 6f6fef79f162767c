"""What is read of routing protocols, and what it means."""

from __future__ import annotations

from mtd.plugin import Collector, Probe
from mtd_collector_routing.bgp_menus import BGP
from mtd_collector_routing.neighbour_menus import NEIGHBOURS
from mtd_collector_routing.snapshots import SNAPSHOTS

COLLECTOR = Collector(
    name="routing",
    api=1,
    description="BGP, OSPF, RIP, LDP and BFD: peers, neighbours and their states; VRFs",
    menus=(*BGP, *NEIGHBOURS, *SNAPSHOTS),
    probes=(
        Probe(capability="ospf.v3", path="/routing/ospf-v3/neighbor"),
        Probe(capability="ospf.template", path="/routing/ospf/interface-template"),
        Probe(capability="ospf.network", path="/routing/ospf/network"),
        Probe(capability="rip", path="/routing/rip/neighbor"),
        Probe(capability="ldp", path="/mpls/ldp/neighbor"),
        Probe(capability="bfd.neighbor", path="/routing/bfd/neighbor"),
        Probe(capability="bfd.session", path="/routing/bfd/session"),
        Probe(capability="bgp.instance", path="/routing/bgp/instance"),
        Probe(capability="bgp.template", path="/routing/bgp/template"),
        Probe(capability="vrf.route", path="/ip/route/vrf"),
    ),
)
