"""What callers may have asked of a router, and what it never hears."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mtd.core.errors import Refused
from mtd.diagnostics.config import DiagnosticsConfig
from mtd.diagnostics.errors import ToolForbidden
from mtd.diagnostics.plans import BandwidthTest, Bounds, Ping, Plan, Sniff, Torch, Traceroute, Wish
from mtd.diagnostics.tools import ToolName

CONFIG = DiagnosticsConfig()


def arguments(wish: Wish, config: DiagnosticsConfig = CONFIG) -> dict[str, str]:
    return dict(wish.plan(config).arguments)


def test_a_ping_ends_within_its_time() -> None:
    plan = Ping("192.0.2.1", count=1000, interval_ms=200, bounds=Bounds(seconds=2.0)).plan(CONFIG)
    assert dict(plan.arguments) == {"address": "192.0.2.1", "count": "10", "interval": "200ms"}
    assert plan.command.path == "/ping"
    assert plan.words == "ping address=192.0.2.1 count=10 interval=200ms"
    assert arguments(Ping("core-1.example.net."))["address"] == "core-1.example.net"


def test_what_is_optional_is_passed_on_when_given() -> None:
    ping = Ping("2001:db8::1", 1, 10, 1500, "2001:db8::2", "ether1", do_not_fragment=True)
    assert arguments(ping) == {
        "address": "2001:db8::1",
        "count": "1",
        "interval": "10ms",
        "size": "1500",
        "src-address": "2001:db8::2",
        "interface": "ether1",
        "do-not-fragment": "",
    }
    trace = Traceroute("192.0.2.1", 2, 9, udp=True, resolve_names=True, source_address="192.0.2.9")
    assert arguments(trace) == {
        "address": "192.0.2.1",
        "count": "2",
        "max-hops": "9",
        "use-dns": "yes",
        "protocol": "udp",
        "src-address": "192.0.2.9",
    }
    sniff = Sniff("ether1", "10.0.0.0/8", "TCP", 443, "48-8f-5a-00-00-01", 7, "rx")
    assert arguments(sniff) == {
        "interface": "ether1",
        "ip-address": "10.0.0.0/8",
        "ip-protocol": "tcp",
        "port": "443",
        "mac-address": "48:8F:5A:00:00:01",
        "vlan-id": "7",
        "direction": "rx",
        "duration": "10s",
    }


def test_torch_tells_apart_what_is_asked_for() -> None:
    ipv4 = {"src-address": "0.0.0.0/0", "dst-address": "0.0.0.0/0"}
    assert arguments(Torch("ether1")) == {
        "interface": "ether1", **ipv4, "ip-protocol": "any", "duration": "10s"
    }  # fmt: skip
    assert arguments(Torch("ether1", by=["port", "vlan", "dscp"], port=443)) == {
        "interface": "ether1", "port": "443", "vlan-id": "any", "dscp": "any", "duration": "10s"
    }  # fmt: skip
    ipv6 = arguments(Torch("ether1", source="2001:db8::/32"))
    assert (ipv6["src-address6"], ipv6["dst-address6"]) == ("2001:db8::/32", "::/0")
    assert "src-address" not in ipv6
    with pytest.raises(Refused, match="no flow is both"):
        Torch("ether1", source="10.0.0.1", destination="::1").plan(CONFIG)


def test_a_bandwidth_test_is_always_limited_and_its_password_never_told() -> None:
    test = BandwidthTest("192.0.2.1", user="b", password="geheim")
    plan = test.plan(DiagnosticsConfig(max_bandwidth_bps=5_000_000))
    asked = dict(plan.arguments)
    assert (asked["local-tx-speed"], asked["remote-tx-speed"]) == ("5000000", "5000000")
    assert asked["password"] == "geheim"
    assert "geheim" not in plan.words
    assert "geheim" not in repr(test)
    assert "user=b" in plan.words
    with pytest.raises(ToolForbidden):
        BandwidthTest("192.0.2.1", max_bps=10**9).plan(CONFIG)
    with pytest.raises(ToolForbidden):
        BandwidthTest("192.0.2.1", bounds=Bounds(seconds=CONFIG.max_bandwidth_seconds + 1)).plan(CONFIG)
    with pytest.raises(Refused):
        BandwidthTest("192.0.2.1", password="x").plan(CONFIG)


@pytest.mark.parametrize(
    "wish",
    [
        Ping(""),
        Ping("10.0.0"),
        Ping("999.1.1.1"),
        Ping("a b"),
        Ping("-x.example"),
        Ping("192.0.2.1\n=count=9"),
        Ping("192.0.2.1", interval_ms=5),
        Ping("192.0.2.1", size_bytes=10),
        Ping("192.0.2.1", source_address="ether1"),
        Ping("192.0.2.1", interface="ether1,ether2"),
        Ping("192.0.2.1", interface="ether\0"),
        Traceroute("192.0.2.1", max_hops=300),
        Traceroute("192.0.2.1", count=5000),
        Torch(""),
        Torch("ether1", source="10.0.0.0/40"),
        Torch("ether1", ip_protocol="tcp udp"),
        Torch("ether1", ip_protocol="999"),
        Torch("ether1", port=70_000),
        Torch("ether1", by=["address", "payload"]),
        Sniff("ether1", address="x"),
        Sniff("ether1", mac_address="48:8F"),
        Sniff("ether1", vlan_id=5000),
        Sniff("ether1", direction="<-"),
        BandwidthTest("example.net"),
        BandwidthTest("192.0.2.1", protocol="icmp"),
        BandwidthTest("192.0.2.1", direction="up"),
        BandwidthTest("192.0.2.1", user="a\0b"),
    ],
    ids=repr,
)
def test_what_can_not_be_meant_is_refused(wish: Wish) -> None:
    with pytest.raises(Refused):
        wish.plan(CONFIG)


@pytest.mark.parametrize(
    "bounds", [Bounds(seconds=61), Bounds(seconds=-1), Bounds(seconds=float("nan")), Bounds(rows=10_001)]
)
def test_nobody_gets_more_than_the_configuration_allows(bounds: Bounds) -> None:
    with pytest.raises(ToolForbidden):
        Ping("192.0.2.1", bounds=bounds).plan(CONFIG)


def test_tools_can_be_forbidden() -> None:
    config = DiagnosticsConfig(tools=[ToolName.PING])
    assert Ping("192.0.2.1").plan(config).rows == config.max_rows
    with pytest.raises(ToolForbidden, match="torch"):
        Torch("ether1").plan(config)
    with pytest.raises(ValidationError):
        DiagnosticsConfig(default_seconds=100)


@given(st.text(max_size=300), st.text(max_size=30), st.integers(0, 2**32), st.floats(0, 1e9))
def test_whatever_is_said_what_is_asked_stays_in_bounds(
    text: str, other: str, number: int, seconds: float
) -> None:
    wishes: list[Wish] = [
        Ping(text, number, number % 6000, 0, other, text, bounds=Bounds(seconds, number % 20_000)),
        Torch(text, other, other, text, number, number, [text], Bounds(seconds)),
        Sniff(text, other, text, number, text, number, text, Bounds(seconds)),
    ]
    for wish in wishes:
        try:
            plan: Plan = wish.plan(CONFIG)
        except Refused:
            continue
        assert 0 < plan.seconds <= CONFIG.max_seconds
        assert 0 < plan.rows <= CONFIG.max_rows
        assert all(value.isprintable() for _, value in plan.arguments)
