"""What real exporters sent, where the captures are at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mtd.codec.flows import ADDRESS, Exporter, text_of

CAPTURES = Path(os.environ.get("MTD_ROSDATA", "")) / "netflow"
pytestmark = pytest.mark.skipif(
    not os.environ.get("MTD_ROSDATA") or not CAPTURES.is_dir(),
    reason="MTD_ROSDATA names no folder with captures",
)
OF_LOGSTASH = CAPTURES / "logstash-codec-netflow"
NAMES = {
    "ipVersion": "ip_version", "packetDeltaCount": "packets", "octetDeltaCount": "octets",
    "sourceTransportPort": "src_port", "destinationTransportPort": "dst_port",
    "ingressInterface": "in_interface", "egressInterface": "out_interface",
    "protocolIdentifier": "protocol", "tcpControlBits": "tcp_flags",
    "sourceIPv4Address": "src_address", "destinationIPv4Address": "dst_address",
    "ipNextHopIPv4Address": "next_hop", "sourceIPv6Address": "src_address",
    "destinationIPv6Address": "dst_address", "ipNextHopIPv6Address": "next_hop",
    "postNATSourceIPv4Address": "post_nat_src_address", "postNATDestinationIPv4Address": "post_nat_dst_address",
    "srcaddr": "src_address", "dstaddr": "dst_address", "nexthop": "next_hop", "input": "in_interface",
    "output": "out_interface", "dPkts": "packets", "dOctets": "octets", "srcport": "src_port", "dstport": "dst_port",
    "prot": "protocol", "tos": "tos", "src_as": "src_as", "dst_as": "dst_as", "src_mask": "src_mask",
    "dst_mask": "dst_mask",
}  # fmt: skip


def rows(exporter: Exporter) -> list[dict[str, Any]]:
    found = []
    for flows in exporter.take():
        for place in range(flows.count):
            found.append(
                {
                    name: text_of(column[place]) if column.dtype == ADDRESS else int(column[place])
                    for name, column in flows.columns.items()
                }
            )
    return found


def expected(flow: dict[str, Any]) -> dict[str, Any]:
    return {NAMES[name]: value for name, value in flow.items() if name in NAMES}


def test_ipfix_of_routeros() -> None:
    exporter = Exporter()
    for name in ("ipfix_test_mikrotik_tpl.dat", "ipfix_test_mikrotik_data258.dat"):
        exporter.feed((OF_LOGSTASH / name).read_bytes(), 1)
    told = json.loads((OF_LOGSTASH / "ipfix_test_mikrotik.decoded.json").read_text())
    flows = [flow for message in told for one in message["sets"] for flow in one.get("flows", ())]
    found = rows(exporter)
    assert len(found) == len(flows) > 20
    for one, flow in zip(found, flows, strict=True):
        wanted = expected(flow)
        assert len(wanted) >= 14
        assert {name: one[name] for name in wanted} == wanted
        assert one["duration_ms"] == flow["flowEndSysUpTime"] - flow["flowStartSysUpTime"]


def test_version_5_of_routeros() -> None:
    exporter = Exporter()
    exporter.feed((OF_LOGSTASH / "netflow5_test_microtik.dat").read_bytes(), 1)
    told = json.loads((OF_LOGSTASH / "netflow5_test_microtik.decoded.json").read_text())
    found = rows(exporter)
    assert len(found) == told["count"] == 30
    began_ms = told["unixSecs"] * 1000 + told["unixNsecs"] // 1_000_000 - told["sysUptime"]
    for one, flow in zip(found, told["flows"], strict=True):
        wanted = expected(flow)
        assert {name: one[name] for name in wanted} == wanted
        assert one["start_ms"] == began_ms + flow["first"]


# Records of a folder's datagrams in the order of their names, their templates, and sets whose template didn't come.
@pytest.mark.parametrize(
    ("folder", "records", "templates", "held", "malformed"),
    [
        ("malformed", 4, 8, 1, {"impossible number of records": 1}),
        ("other-vendors", 14, 4, 1, {}),
        ("logstash-codec-netflow", 58, 2, 1, {}),
    ],
)
def test_what_anybody_sent_is_read_or_counted(
    folder: str, records: int, templates: int, held: int, malformed: dict[str, int]
) -> None:
    exporter = Exporter()
    sent = sorted((CAPTURES / folder).glob("*.dat"))
    for path in sent:
        exporter.feed(path.read_bytes(), 1)
    assert len(rows(exporter)) == records
    counts = exporter.counts
    assert (counts.datagrams, counts.records, counts.templates) == (len(sent), records, templates)
    assert (counts.held, counts.malformed) == (held, malformed)


def test_version_9_of_another_exporter() -> None:
    exporter = Exporter()
    exporter.feed((CAPTURES / "other-vendors" / "netflow9_test_softflowd_tpl_data.dat").read_bytes(), 1)
    found = rows(exporter)
    assert [one["octets"] for one in found] == [76] * 6 + [672]
    assert {(one["src_port"], one["dst_port"], one["protocol"]) for one in found[:6]} == {(123, 123, 17)}
    assert (found[0]["src_address"], found[0]["dst_address"]) == ("172.16.32.100", "172.16.32.248")
    assert (found[6]["src_address"], found[6]["dst_address"]) == ("fe80::20c:29ff:fe83:3b6e", "ff02::1")
    assert (found[6]["protocol"], found[6]["packets"], found[6]["ip_version"]) == (58, 7, 6)
