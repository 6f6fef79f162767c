"""The firewall: rules with counters, address lists, and how many connections are tracked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import Menu, Row, numbered, row
from mtd.lab.wave import AMPLITUDE, mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

_FAMILIES_APART_SINCE = (7, 20)
_MAX_CONNECTIONS = 983_040
_IPV6_SHARE = 8  # one connection of so many
_ATTACKERS_EVERY_TICKS = 600 * TICKS_PER_S
_BOGONS = ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.2.0/24", "224.0.0.0/4")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that packets match at a steady pace, all of one size."""

    chain: str
    action: str
    pps: int
    size: int
    comment: str = ""
    disabled: bool = False
    dynamic: bool = False
    words: tuple[tuple[str, str], ...] = ()


_FILTER = (
    Rule(
        "input", "accept", 90, 120, "known connections", words=(("connection-state", "established,related"),)
    ),
    Rule("input", "drop", 7, 60, "blocked", words=(("src-address-list", "blocked"),)),
    Rule("input", "drop", 3, 44, words=(("in-interface", "ether1"),)),
    Rule("forward", "fasttrack-connection", 9_000, 900, words=(("connection-state", "established,related"),)),
    Rule("forward", "accept", 2_500, 800, words=(("connection-state", "established,related"),)),
    Rule("forward", "drop", 11, 52, words=(("connection-state", "invalid"),)),
    Rule("forward", "drop", 2, 64, "guests stay outside", words=(("src-address-list", "guests"),)),
    Rule("forward", "accept", 0, 64, "not any more", disabled=True),
    Rule(
        "forward", "passthrough", 20_000, 900, "special dummy rule to show fasttrack counters", dynamic=True
    ),
)
_NAT = (Rule("srcnat", "masquerade", 40, 70, words=(("out-interface", "sfp-sfpplus1"),)),)
_MANGLE = (
    Rule("forward", "change-mss", 12, 60, words=(("new-mss", "clamp-to-pmtu"), ("passthrough", "true"))),
    Rule("prerouting", "mark-routing", 0, 60, words=(("new-routing-mark", "cust"), ("passthrough", "false"))),
)
_RAW = (Rule("prerouting", "drop", 21, 48, "bogons", words=(("src-address-list", "bogons"),)),)
_TABLES = {"filter": _FILTER, "nat": _NAT, "mangle": _MANGLE, "raw": _RAW}
_SIX = {
    "filter": (Rule("input", "accept", 5, 100), Rule("forward", "drop", 1, 80, "no unknown hosts")),
    "nat": (),
    "mangle": (),
    "raw": (),
}


def matched_packets(state: RouterState, rule: Rule, tick: int) -> int:
    """Return how many packets a rule matched since the router started."""
    return rule.pps * max(0, tick - state.truth.segment(tick).booted) // TICKS_PER_S


def _rules(rules: tuple[Rule, ...]) -> Callable[[RouterState, int], list[Row]]:
    def rows(state: RouterState, tick: int) -> list[Row]:
        return numbered([_rule(state, rule, tick) for rule in rules])

    return rows


def _rule(state: RouterState, rule: Rule, tick: int) -> Row:
    packets = matched_packets(state, rule, tick)
    content = row(chain=rule.chain, action=rule.action)
    content |= {name.encode(): value.encode() for name, value in rule.words}
    return content | row(
        log=False,
        log_prefix="",
        bytes=packets * rule.size,
        packets=packets,
        invalid=False,
        dynamic=rule.dynamic,
        disabled=rule.disabled,
        comment=rule.comment or None,
    )


def connections(state: RouterState, tick: int) -> int:
    """Return how many connections are tracked. It follows the load."""
    height = int(state.truth.wave.height[tick % state.truth.wave.period])
    mean = 1_000 + mix(state.truth.key, 41) % 5_000
    return mean + mean * height // (4 * AMPLITUDE) + mix(state.truth.key, 42, tick // TICKS_PER_S) % 200


def ipv6_connections(state: RouterState, tick: int) -> int:
    """Return how many of them are over IPv6."""
    return connections(state, tick) // _IPV6_SHARE if state.persona.is_v7 else 0


def _tracking(state: RouterState, tick: int) -> list[Row]:
    content = row(
        enabled="auto",
        loose_tcp_tracking=True,
        tcp_established_timeout="1d",
        tcp_syn_sent_timeout="5s",
        udp_timeout="10s",
        icmp_timeout="10s",
        generic_timeout="10m",
        max_entries=_MAX_CONNECTIONS,
        total_entries=connections(state, tick),
    )
    if state.persona.version >= _FAMILIES_APART_SINCE:
        six = ipv6_connections(state, tick)
        content |= row(total_ip4_entries=connections(state, tick) - six, total_ip6_entries=six)
    return [content]


def _listed(number: Callable[[RouterState, int], int]) -> Callable[[RouterState, int], list[Row]]:
    """Return what lists connections: nobody should ask for them, and whoever does gets them all."""

    def rows(state: RouterState, tick: int) -> list[Row]:
        return [
            {b".id": b"*%X" % index, b"protocol": b"tcp", b"timeout": b"1d"}
            for index in range(number(state, tick))
        ]

    return rows


def _address_lists(state: RouterState, tick: int) -> list[Row]:
    """Return two lists that somebody made, and one of those who knocked in the last minutes."""
    when = state.date_time(0)
    rows = [
        row(list="bogons", address=network, creation_time=when, dynamic=False, disabled=False)
        for network in _BOGONS
    ]
    rows += [
        row(list="blocked", address=f"203.0.113.{number}", creation_time=when, dynamic=False, disabled=False)
        for number in range(1, 13)
    ]
    slot = tick // _ATTACKERS_EVERY_TICKS
    rows += [
        row(
            list="knocked",
            address=f"198.51.100.{mix(state.truth.key, 43, slot, number) % 250}",
            creation_time=state.date_time(slot * _ATTACKERS_EVERY_TICKS),
            timeout="10m",
            dynamic=True,
            disabled=False,
        )
        for number in range(mix(state.truth.key, 44, slot) % 30)
    ]
    return numbered(rows)


def _ipv6_lists(state: RouterState, _tick: int) -> list[Row]:
    when = state.date_time(0)
    return numbered([row(list="blocked", address="2001:db8:dead::/48", creation_time=when, dynamic=False)])


def firewall_menus(state: RouterState) -> list[Menu]:
    """Return the menus of this version."""
    menus = [Menu(f"/ip/firewall/{name}", _rules(rules)) for name, rules in _TABLES.items()]
    menus += [
        Menu("/ip/firewall/connection", _listed(connections)),
        Menu("/ip/firewall/connection/tracking", _tracking),
        Menu("/ip/firewall/address-list", _address_lists),
    ]
    if state.persona.is_v7:
        menus += [Menu(f"/ipv6/firewall/{name}", _rules(rules)) for name, rules in _SIX.items()]
        menus += [
            Menu("/ipv6/firewall/connection", _listed(ipv6_connections)),
            Menu("/ipv6/firewall/address-list", _ipv6_lists),
        ]
    return menus
