"""Section ``firewall``: rules in their order. Address lists are left out: they may be very large, and fill by themselves."""

from __future__ import annotations

from mtd_collector_audit.section import Section

FIREWALL = Section("firewall")

_MATCHES = (
    "chain",
    "action",
    "protocol",
    "src-address",
    "dst-address",
    "src-address-list",
    "dst-address-list",
    "src-port",
    "dst-port",
    "in-interface",
    "out-interface",
    "in-interface-list",
    "out-interface-list",
    "connection-state",
    "connection-nat-state",
    "connection-mark",
    "packet-mark",
    "routing-mark",
    "tcp-flags",
    "icmp-options",
    "limit",
    "layer7-protocol",
    "content",
    "ipsec-policy",
    "time",
    "log",
    "disabled",
    "comment",
)
_LISTS = ("address-list", "address-list-timeout")

FIREWALL_MENUS = (
    FIREWALL.rules(
        "filter",
        "/ip/firewall/filter",
        "filter rules",
        *_MATCHES,
        *_LISTS,
        "jump-target",
        "reject-with",
        "hw-offload",
    ),
    FIREWALL.rules(
        "nat", "/ip/firewall/nat", "NAT rules", *_MATCHES, *_LISTS, "jump-target", "to-addresses", "to-ports"
    ),
    FIREWALL.rules(
        "mangle",
        "/ip/firewall/mangle",
        "mangle rules",
        *_MATCHES,
        *_LISTS,
        "jump-target",
        "new-connection-mark",
        "new-packet-mark",
        "new-routing-mark",
        "new-dscp",
        "new-mss",
        "new-priority",
        "passthrough",
    ),
    FIREWALL.rules("raw", "/ip/firewall/raw", "raw rules", *_MATCHES, *_LISTS, "jump-target"),
    FIREWALL.rules(
        "filter6",
        "/ipv6/firewall/filter",
        "IPv6 filter rules",
        *_MATCHES,
        *_LISTS,
        "jump-target",
        "reject-with",
        requires="ipv6",
    ),
    FIREWALL.settings(
        "tracking",
        "/ip/firewall/connection/tracking",
        "connection tracking",
        "enabled",
        "loose-tcp-tracking",
        "tcp-established-timeout",
        "tcp-syn-sent-timeout",
        "udp-timeout",
        "udp-stream-timeout",
        "icmp-timeout",
        "generic-timeout",
    ),
)
