"""What rows of tools mean, in the words of both versions; and what never comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.diagnostics import tools
from mtd.diagnostics.tools import Tool, ToolRow
from mtd.model.command import Rows
from mtd.pb.diagnostics.v1 import diagnostics_service_pb2 as pb

MESSAGES = {
    tools.PING: pb.PingReply,
    tools.TRACEROUTE: pb.TracerouteHop,
    tools.TORCH: pb.TorchFlow,
    tools.SNIFF: pb.SniffedPacket,
    tools.BANDWIDTH_TEST: pb.BandwidthSample,
}


def read(tool: Tool, **fields: str) -> ToolRow:
    columns = {name.replace("_", "-"): (value.encode(),) for name, value in fields.items()}
    return tool.read(Rows(1, columns))[0]


def test_ping_in_the_words_of_both_versions() -> None:
    assert read(tools.PING, seq="0", host="192.0.2.1", size="56", ttl="58", time="27ms336us") == {
        "sequence": 0, "host": "192.0.2.1", "size_bytes": 56, "ttl": 58, "time_ms": 27.336
    }  # fmt: skip
    assert read(tools.PING, time="27ms", packet_loss="0")["time_ms"] == 27.0
    assert read(tools.PING, seq="1", host="192.0.2.1", status="timeout", packet_loss="50") == {
        "sequence": 1, "host": "192.0.2.1", "status": "timeout", "loss_pct": 50
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "ms"), [("1.4", 1.4), ("0.2ms", 0.2), ("453us", 0.453), ("timeout", None), ("", None)]
)
def test_times_of_hops(text: str, ms: float | None) -> None:
    row = read(tools.TRACEROUTE, address="192.0.2.1", loss="12%", last=text)
    assert row.get("last_ms") == (None if ms is None else pytest.approx(ms))
    assert row["loss_pct"] == 12


def test_a_hop_that_nobody_answers_for_has_no_address() -> None:
    row = tools.TRACEROUTE.read(Rows(1, {"address": (b"",), "loss": (b"100",), ".section": (b"3",)}))[0]
    assert row == {"loss_pct": 100, "section": 3}


def test_flows_keep_exact_rates_and_ports_as_they_are_named() -> None:
    row = read(tools.TORCH, src_address6="2001:db8::1", dst_port="443 (https)", tx=str(2**40), rx="0")
    assert row == {
        "source_address": "2001:db8::1", "destination_port": "443 (https)", "tx_bps": 2**40, "rx_bps": 0
    }  # fmt: skip


def test_the_content_of_packets_ends_here() -> None:
    row = read(
        tools.SNIFF, num="7", dir="->", raw="4500003412344000", data="4500", src_address="192.0.2.1:53"
    )
    assert row == {"number": 7, "direction": "tx", "source_address": "192.0.2.1:53"}


@pytest.mark.parametrize("tool", MESSAGES, ids=lambda tool: str(tool.name))
def test_every_field_of_the_protocol_is_fed(tool: Tool) -> None:
    assert {field.name for field in tool.fields} == {f.name for f in MESSAGES[tool].DESCRIPTOR.fields}


@given(st.sampled_from(list(MESSAGES)), st.data())
def test_no_row_breaks_a_message(tool: Tool, data: st.DataObject) -> None:
    keys = [key for field in tool.fields for key in field.keys]
    values = st.none() | st.binary(max_size=24) | st.integers(-(2**70), 2**70).map(lambda n: b"%d" % n)
    columns = {key: (data.draw(values),) for key in data.draw(st.lists(st.sampled_from(keys), unique=True))}
    for row in tool.read(Rows(1, columns)):
        MESSAGES[tool](**row).SerializeToString()
