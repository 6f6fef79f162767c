"""The package ``netflow``, which nobody here wrote, reads the lab's datagrams as mtd does."""

from __future__ import annotations

import ipaddress
from typing import Any

import netflow
import pytest

from mtd.codec.flows import Exporter, Flows
from mtd.lab.flows import Dialect, FlowPlan
from mtd.lab.scenario import FlowForm
from tests.unit.lab.flows import kit

COUNT = 300
# Columns of ours by what the package calls a field.
OF_V5 = {
    "IPV4_SRC_ADDR": "src_address", "IPV4_DST_ADDR": "dst_address", "NEXT_HOP": "next_hop", "INPUT": "in_interface",
    "OUTPUT": "out_interface", "IN_PACKETS": "packets", "IN_OCTETS": "octets", "SRC_PORT": "src_port",
    "DST_PORT": "dst_port", "TCP_FLAGS": "tcp_flags", "PROTO": "protocol", "TOS": "tos", "SRC_AS": "src_as",
    "DST_AS": "dst_as", "SRC_MASK": "src_mask", "DST_MASK": "dst_mask",
}  # fmt: skip
OF_V9 = {
    "IP_PROTOCOL_VERSION": "ip_version", "IPV4_SRC_ADDR": "src_address", "IPV4_DST_ADDR": "dst_address",
    "IPV4_NEXT_HOP": "next_hop", "IPV6_SRC_ADDR": "src_address", "IPV6_DST_ADDR": "dst_address",
    "IPV6_NEXT_HOP": "next_hop", "SRC_MASK": "src_mask", "DST_MASK": "dst_mask", "IPV6_SRC_MASK": "src_mask",
    "IPV6_DST_MASK": "dst_mask", "INPUT_SNMP": "in_interface", "OUTPUT_SNMP": "out_interface",
    "PROTOCOL": "protocol", "TCP_FLAGS": "tcp_flags", "SRC_TOS": "tos", "L4_SRC_PORT": "src_port",
    "L4_DST_PORT": "dst_port", "IPV6_FLOW_LABEL": "flow_label", "IN_BYTES": "octets", "IN_PKTS": "packets",
    "IN_DST_MAC": "dst_mac", "IN_SRC_MAC": "src_mac", "OUT_DST_MAC": "post_dst_mac", "OUT_SRC_MAC": "post_src_mac",
    "NF_F_XLATE_SRC_ADDR_IPV4": "post_nat_src_address", "NF_F_XLATE_DST_ADDR_IPV4": "post_nat_dst_address",
    "NF_F_XLATE_SRC_PORT": "post_nat_src_port", "NF_F_XLATE_DST_PORT": "post_nat_dst_port", "SRC_AS": "src_as",
    "DST_AS": "dst_as", "SRC_VLAN": "vlan_id", "ICMP_TYPE": "icmp_type_code", "NF_F_FLOW_CREATE_TIME_MSEC": "start_ms",
    "SAMPLING_INTERVAL": "sampling_interval",
}  # fmt: skip
OF_IPFIX = {
    "ipVersion": "ip_version", "packetDeltaCount": "packets", "octetDeltaCount": "octets",
    "sourceTransportPort": "src_port", "destinationTransportPort": "dst_port", "ingressInterface": "in_interface",
    "egressInterface": "out_interface", "protocolIdentifier": "protocol", "tcpControlBits": "tcp_flags",
    "systemInitTimeMilliseconds": "system_start_ms", "ipClassOfService": "tos", "sourceIPv4Address": "src_address",
    "destinationIPv4Address": "dst_address", "ipNextHopIPv4Address": "next_hop", "sourceIPv6Address": "src_address",
    "destinationIPv6Address": "dst_address", "ipNextHopIPv6Address": "next_hop",
    "sourceIPv4PrefixLength": "src_mask", "destinationIPv4PrefixLength": "dst_mask",
    "sourceIPv6PrefixLength": "src_mask", "destinationIPv6PrefixLength": "dst_mask", "flowLabelIPv6": "flow_label",
    "ipTTL": "ttl", "sourceMacAddress": "src_mac", "destinationMacAddress": "dst_mac",
    "postNATSourceIPv4Address": "post_nat_src_address", "postNATDestinationIPv4Address": "post_nat_dst_address",
    "postNAPTSourceTransportPort": "post_nat_src_port", "postNAPTDestinationTransportPort": "post_nat_dst_port",
    "bgpSourceAsNumber": "src_as", "bgpDestinationAsNumber": "dst_as", "vlanId": "vlan_id",
    "icmpTypeCodeIPv4": "icmp_type_code", "flowStartMilliseconds": "start_ms", "flowEndMilliseconds": "end_ms",
    "samplingInterval": "sampling_interval", "igmpType": "igmp_type",
}  # fmt: skip
NAMES = {FlowForm.NETFLOW5: OF_V5, FlowForm.NETFLOW9: OF_V9, FlowForm.IPFIX: OF_IPFIX}
# Times since the start, which it leaves as they are.
COUNTED_TIMES = {"start_ms", "end_ms", "duration_ms"}


def number(name: str, value: Any) -> int:
    if isinstance(value, str):
        value = int(ipaddress.ip_address(value))
    if (
        name in ("src_address", "dst_address", "next_hop")
        or name.startswith("post_nat_")
        and "address" in name
    ):
        return value if value >> 32 else 0xFFFF << 32 | value
    return int(value)


def rows_of(flows: Flows) -> list[dict[str, int]]:
    columns = {name: kit.as_read(column) for name, column in flows.columns.items()}
    return [{name: column[place] for name, column in columns.items()} for place in range(flows.count)]


PLANS = [
    FlowPlan(FlowForm.NETFLOW5),
    *(FlowPlan(FlowForm.NETFLOW9, dialect) for dialect in (Dialect.ROUTEROS7, Dialect.CARRIER)),
    *(FlowPlan(FlowForm.IPFIX, dialect) for dialect in Dialect),
    FlowPlan(FlowForm.NETFLOW9, sampling=100),
    FlowPlan(FlowForm.IPFIX, sampling=100, sampling_in_records=True),
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.form}-{plan.dialect}-{plan.sampling}")
def test_the_package_reads_the_same_of_every_record(plan: FlowPlan) -> None:
    datagrams = kit.generator(plan).take(COUNT, kit.NOW_US).datagrams
    ours = {kit.is_six(one): rows_of(one) for one in kit.feed(Exporter(), datagrams)}
    names = NAMES[plan.form]
    templates: dict[str, Any] = {"netflow": {}, "ipfix": {}}
    compared, places = 0, {False: 0, True: 0}
    for datagram in datagrams:
        for theirs in netflow.parse_packet(datagram, templates).flows:
            told = {names[field]: value for field, value in theirs.data.items() if field in names}
            if "src_address" not in told:
                continue  # options
            found = {name: number(name, value) for name, value in told.items()}
            six = found["src_address"] >> 32 != 0xFFFF
            mine = ours[six][places[six]]
            places[six] += 1
            assert {name: mine[name] for name in found} == found
            assert mine.keys() - COUNTED_TIMES <= found.keys()
            compared += 1
    assert compared == COUNT


def test_the_package_reads_how_much_is_sampled() -> None:
    datagrams = kit.generator(FlowPlan(FlowForm.NETFLOW9, sampling=100)).take(COUNT, kit.NOW_US).datagrams
    templates: dict[str, Any] = {"netflow": {}, "ipfix": {}}
    told = [packet.options for packet in (netflow.parse_packet(one, templates) for one in datagrams)]
    # It takes the padding behind the record for another one.
    first = [options[0] for options in told if options]
    assert first
    for options in first:
        assert options.data == {"SAMPLING_INTERVAL": 100, "SAMPLING_ALGORITHM": 1}
